"""What every template keeps to, read from the files themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.html") if "admin" not in path.parts)
SCRIPTS = sorted((ROOT / "recsys/static/web").rglob("*.js"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
class TestTemplate:
    def test_parses(self, path):
        assert get_template(str(path.relative_to(ROOT / "templates")))

    def test_has_nothing_inline_and_nothing_from_elsewhere(self, path):
        source = path.read_text()
        assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=|hx-on|hx-vals=.js:", source)
        assert not re.search(r"(src|href)=\"(https?:)?//", source)
        assert not re.search(r"hx-trigger=\"[^\"]*\[", source), "a filter in hx-trigger needs eval"

    def test_escapes(self, path):
        # Help texts come from our own code and allauth's, and hold links.
        source = path.read_text().replace("field.help_text|safe", "")
        assert not re.search(r"\|\s*safe\b|autoescape off", source)

    def test_every_form_that_posts_has_a_token(self, path):
        for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", path.read_text(), re.S):
            assert "csrf_token" in form


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_build_no_markup_and_no_code_from_text(path):
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", path.read_text()
    )


def test_the_vendored_library_comes_with_its_licence_and_origin():
    for folder in (ROOT / "recsys/static/vendor").iterdir():
        assert (folder / "LICENSE").exists()
        assert "npm pack" in (folder / "README.md").read_text()
