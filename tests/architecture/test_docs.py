"""What the documentation promises to list, it lists."""

from __future__ import annotations

import ast
import re
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

from tests.architecture.tree import ROOT, parse, sources

DOCS = ROOT / "docs"
NOT_FOR_PEOPLE = {
    "TRIBUTARY_TEST_DIR",
    "PYTEST_XDIST_WORKER",
    "PROMETHEUS_MULTIPROC_DIR",
    "TRIBUTARY_SUPERVISOR",
}


def environment_variables() -> set[str]:
    """Names of variables that the product reads: constants given to a reader of the environment or used as its key."""
    names = set()
    for path in sources("recsys", "feeds", "realtime"):
        if path.name == "test.py":
            continue
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = ast.unparse(node.func.value)
                if owner in ("env", "self", "os.environ") and node.args and isinstance(node.args[0], ast.Constant):
                    names.add(str(node.args[0].value))
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
                names |= {str(node.slice.value)} if isinstance(node.slice, ast.Constant) else set()
    return {name for name in names if re.fullmatch(r"[A-Z][A-Z0-9_]{2,}", name)}


def test_every_environment_variable_is_documented():
    written = (DOCS / "running.md").read_text() + (DOCS / "observability.md").read_text()
    names = environment_variables()
    assert {"DATABASE_URL", "SECRET_KEY", "TRIBUTARY_DATA_DIR"} <= names
    assert not sorted(name for name in names - NOT_FOR_PEOPLE if not re.search(rf"\b{name}\b", written))


def subsystems() -> dict[str, str]:
    """The table of docs/architecture.md: package → its page."""
    rows = re.findall(r"^\| `([\w./]+?)/?` \|.*\[[^\]]*\]\(([\w-]+\.md)[^)]*\)", _architecture(), flags=re.M)
    return {package.replace("/", "."): page for package, page in rows}


def _architecture() -> str:
    return (DOCS / "architecture.md").read_text()


def test_every_app_has_a_page():
    names = {config.name for config in apps.get_app_configs()}
    ours = {name for name in names if name.split(".")[0] in ("recsys", "feeds", "realtime")}
    pages = subsystems()
    assert ours | {"ml"} <= set(pages)
    assert not sorted(page for page in pages.values() if not (DOCS / page).exists())


def links() -> list[tuple[str, str]]:
    return [
        (str(page.relative_to(ROOT)), target)
        for page in [ROOT / "README.md", *DOCS.rglob("*.md")]
        if page.exists()
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text())
    ]


def test_links_between_pages_lead_somewhere():
    assert links()
    assert not [(page, target) for page, target in links() if not (ROOT / page).parent.joinpath(target).exists()]


@pytest.mark.django_db
def test_migrations_are_in_step_with_the_models():
    out = StringIO()
    try:
        call_command("makemigrations", check=True, dry_run=True, stdout=out)
    except SystemExit:
        pytest.fail(f"Run `manage.py makemigrations`:\n{out.getvalue()}")


def test_every_address_of_the_partner_api_is_listed():
    """By its last word: `likes` of /api/v1/posts/{id}/likes."""
    paths = SchemaGenerator().get_schema(public=True)["paths"]
    words = {[part for part in path.split("/") if "{" not in part][-1] for path in paths}
    assert {"items", "similar", "why", "replies"} <= words
    rows = "\n".join(line for line in (DOCS / "api.md").read_text().splitlines() if line.startswith("| `"))
    assert not sorted(word for word in words if not re.search(rf"/{word}\b", rows))
