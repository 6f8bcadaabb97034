"""House rules that a program can check."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.tree import ROOT, name_of, parse, sources

LONGEST_FILE = 450
LONGEST_FUNCTION = 60

# Each of these hangs something technical on a connection or a process; none carries the product's behaviour.
SIGNALS = {
    "recsys/celery.py": {"keep_connections_fresh", "keep_logging", "name_task", "forget_task"},
    "recsys/outbox/apps.py": {"follow_requests", "nudge_on_commit"},
    "recsys/services/management/commands/worker.py": {"tie_to_worker", "say_ready"},
    "recsys/services/management/commands/beat.py": {"say_ready"},
}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")


@pytest.mark.parametrize("path", list(sources()), ids=name_of)
def test_files_and_functions_are_short(path):
    lines = path.read_text().count("\n")
    assert lines <= LONGEST_FILE, f"{name_of(path)} has {lines} lines: split it by what it speaks of"
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{name_of(path)}:{node.lineno} {node.name} has {length} lines"


def test_nothing_is_left_unfinished():
    found = [
        f"{name_of(path)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert not found


def connected(path) -> set[str]:
    """What a file connects to a signal: the first argument of `….connect(name)`, and functions under @receiver."""
    found = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "connect":
            found |= {node.args[0].id} if node.args and isinstance(node.args[0], ast.Name) else set()
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                text = ast.unparse(decorator)
                if re.match(r"(\w+\.)*receiver\(|.*\.connect\b", text):
                    found.add(node.name)
    return found


def test_no_behaviour_hangs_on_signals():
    found = {name_of(path): names for path in sources() if (names := connected(path))}
    assert found == SIGNALS


def test_the_detection_of_signals_sees_both_spellings(tmp_path):
    offender = tmp_path / "offender.py"
    offender.write_text(
        "@receiver(post_save)\ndef a(): ...\n@signals.receiver(post_save)\ndef b(): ...\n"
        "@worker_ready.connect\ndef c(): ...\n@worker_ready.connect()\ndef d(): ...\npost_save.connect(e)\n"
    )
    assert connected(offender) == {"a", "b", "c", "d", "e"}


def test_nothing_loads_pickles_through_other_libraries():
    """Import contracts see `import pickle`; these are the other doors."""
    door = re.compile(r"allow_pickle\s*=\s*True|PickleSerializer|accept_content.*pickle|joblib|read_pickle", re.I)
    assert not [name_of(path) for path in sources() if door.search(path.read_text())]


def test_commands_never_run_a_shell():
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.keyword) and node.arg == "shell" and ast.unparse(node.value) != "False"
    ]
    assert not found


def test_templates_hold_no_inline_script_or_style():
    inline = re.compile(r"<style|\sstyle=|\son[a-z]+=[\"']|<script(?![^>]*\bsrc=)|javascript:", re.I)
    templates = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "recsys").rglob("templates/**/*.html")]
    assert templates
    found = []
    for path in templates:
        html = re.sub(r'<script[^>]*type="application/(ld\+)?json".*?</script>', "", path.read_text(), flags=re.S)
        found += [f"{name_of(path)}: {match[0]}" for match in inline.finditer(html)]
    assert not found
