"""Collecting static files, as a production site does."""

from __future__ import annotations

import re

import pytest
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command

HASHED = re.compile(r"\.[0-9a-f]{12}\.\w+\Z")
IMPORT = re.compile(r"(?:from|import)\s*[\"'](\.[^\"']+)[\"']|import\([\"'](\.[^\"']+)[\"']\)")


@pytest.fixture
def collected(tmp_path, settings):
    settings.STATIC_ROOT = str(tmp_path)
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": "recsys.services.storage.StaticFiles"}}
    call_command("collectstatic", interactive=False, verbosity=0)
    return tmp_path


def test_modules_import_one_another_by_the_names_of_their_contents(collected):
    ours = [
        path for finder in get_finders() for path, _ in finder.list([]) if re.match(r"(web|realtime)/.*\.js\Z", path)
    ]
    imports = 0
    for path in ours:
        file = collected / staticfiles_storage.stored_name(path)
        assert HASHED.search(file.name)
        for found in IMPORT.finditer(file.read_text()):
            target = file.parent / (found[1] or found[2])
            assert HASHED.search(target.name), (path, found[0])
            assert target.exists(), (path, found[0])
            imports += 1
    assert imports
