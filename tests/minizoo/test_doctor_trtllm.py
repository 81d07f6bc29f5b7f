"""What `minizoo doctor` says of TensorRT-LLM: whose interpreter, which release, what it can do, how to have it."""

from __future__ import annotations

import ast
import shlex
import sys
from pathlib import Path

import pytest

from backends.trtllm.support import table
from backends.workers import served
from minizoo.doctor.checks import CHECKS
from minizoo.doctor.trtllm import CONTAINER, check_trtllm, why_not

HERE = Path()


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without engines; the folder where minizoo's own would be."""
    monkeypatch.delenv("MINIZOO_TRTLLM_PYTHON", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "minizoo" / "engines" / "trtllm"


def installed(folder: Path, version: str) -> Path:
    """A Python that has a distribution of that version, and a package that must not be imported to tell it."""
    packages = folder / "packages"
    (packages / "tensorrt_llm").mkdir(parents=True)
    (packages / "tensorrt_llm" / "__init__.py").write_text("raise SystemExit('imported')\n")
    (packages / f"tensorrt_llm-{version}.dist-info").mkdir()
    metadata = f"Metadata-Version: 2.1\nName: tensorrt-llm\nVersion: {version}\n"
    (packages / f"tensorrt_llm-{version}.dist-info" / "METADATA").write_text(metadata)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nshift\nshift\nPYTHONPATH={packages} exec {sys.executable} -c "$@"\n')
    python.chmod(0o755)
    return python


def test_without_one_both_ways_to_have_it_are_printed(nowhere: Path):
    found = check_trtllm(HERE)
    assert found.verdict == "warn"
    assert "never run here" in found.found
    lines = [line.strip() for line in found.hint.splitlines()]
    (venv,) = [line for line in lines if " -m venv " in line]
    assert venv.split()[-1] == str(nowhere)
    (install,) = [line for line in lines if " -m pip install " in line]
    assert install.startswith(f"{nowhere}/bin/python ")
    (container,) = [line for line in lines if "docker run" in line]
    assert container.endswith(CONTAINER)


def test_the_containers_line_has_every_place_that_a_worker_needs():
    words = shlex.split(CONTAINER)
    (command,) = [word for word in words if word.startswith("docker ")]
    told = shlex.split(command)
    assert told[told.index("--entrypoint") + 1] == ""
    mounts = [told[i + 1] for i, word in enumerate(told) if word == "-v"]
    assert mounts == ["{socket}:{socket}", "{served}:{served}:ro", "{model}:{model}:ro"]
    assert {"--gpus", "--ipc"} <= set(told)
    assert told[-1].startswith("nvcr.io/nvidia/tensorrt-llm/release:")


@pytest.mark.parametrize(("version", "why"), [
    ("1.0.0", "before 1.3.0rc11"), ("1.2.1", "before 1.3.0rc11"), ("1.3.0rc10", "before 1.3.0rc11"), ("1.3.0rc11", ""),
    ("1.3.0", ""), ("1.4.0rc1", ""), ("1.4.2", ""), ("1.5.0", "1.4 is the newest"), ("2.0", "1.4 is the newest"),
    ("what", "'what' is no release"),
])  # fmt: skip
def test_which_release_is_driven_is_told_by_its_version(version: str, why: str):
    found = why_not(version)
    assert why in found
    assert bool(found) == bool(why)


def test_they_are_the_releases_that_the_worker_takes():
    source = Path(served.__file__).with_name("trtllm_settings.py").read_text("utf-8")
    named = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("OLDEST", "NEWEST")
    }
    release, candidate = named["OLDEST"]
    assert table().releases.first == f"{'.'.join(map(str, release))}rc{candidate}"
    assert table().releases.newest == ".".join(map(str, named["NEWEST"]))


def test_a_release_that_is_driven_is_well_and_still_said_to_have_never_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("MINIZOO_TRTLLM_PYTHON", str(installed(tmp_path, "1.4.0rc1")))
    found = check_trtllm(HERE)
    assert (found.verdict, found.hint) == ("ok", "")
    assert found.found.startswith("tensorrt_llm 1.4.0rc1 in ")
    assert "scores, greedy text, times; minizoo has run none of it" in found.found


def test_an_older_one_is_told_with_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("MINIZOO_TRTLLM_PYTHON", str(installed(tmp_path, "1.2.1")))
    found = check_trtllm(HERE)
    assert found.verdict == "warn"
    assert "releases before 1.3.0rc11 are refused, for " in found.found
    assert "the token that was sent" in found.found
    assert found.hint


def test_one_without_it_and_one_that_is_no_python_are_told_apart(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MINIZOO_TRTLLM_PYTHON", sys.executable)
    assert "has no TensorRT-LLM" in check_trtllm(HERE).found
    monkeypatch.setenv("MINIZOO_TRTLLM_PYTHON", "/nowhere/python")
    assert "does not answer as a Python" in check_trtllm(HERE).found


def test_doctor_asks_it():
    assert CHECKS["trtllm"] is check_trtllm
    assert "engines" not in CHECKS
