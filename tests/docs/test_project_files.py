"""Workflows, citation and hooks follow their schemas; nothing of it is run here."""

import sys
from subprocess import run

import pytest
from ruamel.yaml import YAML
from support.paths import ROOT

BUILT_IN = [
    *(("vendor.github-workflows", path) for path in sorted((ROOT / ".github/workflows").glob("*.yml"))),
    ("vendor.citation-file-format", ROOT / "CITATION.cff"),
]


def load(path):
    return YAML(typ="safe").load(path.read_text("utf-8"))


@pytest.mark.parametrize(("schema", "path"), BUILT_IN, ids=lambda value: getattr(value, "name", value))
def test_file_follows_its_schema(schema, path):
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    done = run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_checks_run_on_every_python_that_the_package_names():
    matrix = load(ROOT / ".github/workflows/check.yml")["jobs"]["check"]["strategy"]["matrix"]["python"]
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    assert [version for version in matrix if f"Python :: {version}" in project] == matrix
    assert matrix[0] == "3.11"


def test_hooks_fetch_nothing():
    repositories = load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert {repository["repo"] for repository in repositories} == {"local"}
    assert {hook["language"] for repository in repositories for hook in repository["hooks"]} == {"system"}


def test_citation_names_the_version():
    from minizoo import __version__

    assert load(ROOT / "CITATION.cff")["version"] == __version__
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_make_alone_lists_every_target():
    lines = (ROOT / "Makefile").read_text("utf-8").splitlines()
    phony = next(line for line in lines if line.startswith(".PHONY:")).split()[1:]
    shown = run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[1] for line in shown] == phony
