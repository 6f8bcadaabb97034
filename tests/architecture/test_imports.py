"""The import contracts of pyproject.toml: kept by the product, and really broken by each violation."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

LAYERS = [
    "feeds",
    "recsys.partners",
    "recsys.recommend",
    "recsys.experiments",
    "recsys.events",
    "recsys.catalog",
    "recsys.accounts",
    "recsys.outbox",
    "realtime",
    "ml",
]


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    return subprocess.run([*command, "--no-cache"], cwd=directory, capture_output=True, text=True, timeout=120)


def test_the_contracts_are_kept():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_layers_are_those_of_the_design():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = [contract["layers"] for contract in config["contracts"] if contract["type"] == "layers"]
    assert [part.strip() for layer in layers for part in layer.split("|")] == LAYERS


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    """Empty packages with the names of ours, under our contracts."""
    for module in [*LAYERS, "recsys.services"]:
        package = tmp_path
        for part in module.split("."):
            package = package / part
            package.mkdir(exist_ok=True)
            (package / "__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    return tmp_path


def test_an_empty_skeleton_keeps_them(skeleton: Path):
    result = lint(skeleton)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("importer", "imported", "contract"),
    [
        *(
            (lower, higher, "Imports point downward only")
            for higher, lower in zip(LAYERS, [*LAYERS[1:9], "ml"], strict=False)
        ),
        ("ml", "realtime", "Imports point downward only"),
        ("recsys.services", "feeds", "recsys names feeds only as a string"),
        ("realtime", "recsys.services", "realtime imports no domain code"),
        ("ml", "django.db", "ml is arrays in, arrays out"),
        ("ml", "redis", "ml is arrays in, arrays out"),
        ("recsys.outbox", "pickle", "Nothing of ours pickles"),
    ],
)
def test_a_violation_breaks_its_contract(skeleton: Path, importer: str, imported: str, contract: str):
    module = skeleton.joinpath(*importer.split(".")) / "offender.py"
    module.write_text(f"import {imported}\n")
    result = lint(skeleton)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"{contract} BROKEN" in " ".join(result.stdout.split())


def test_processes_start_without_what_only_trainings_need():
    """It would double the time that NumPy takes, in each process of the product and at each command."""
    code = "import sys, django; django.setup(); import recsys.urls; print({'scipy', 'sklearn'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.stdout == "set()\n", result.stderr
