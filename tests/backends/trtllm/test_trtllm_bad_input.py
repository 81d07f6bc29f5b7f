"""What goes wrong before a number is computed: one paragraph each, exit code 4 where the machine or the engine is to blame."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.fake_trtllm import faults
from support.fake_trtllm.local import installed, options_for

import backends.trtllm.interpreter as interpreter
from backends.contract import Options
from backends.trtllm.backend import open_trtllm
from backends.trtllm.settings import refuse_engine_folder, refuse_unsupported
from backends.workers.faults import of_opening
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import (
    DeviceMemory,
    DeviceMissing,
    EngineMissing,
    EngineRefused,
    EngineVersion,
    MinizooError,
    WorkerSilent,
)

IMPORTABLE = Path(faults.__file__).parent / "importable"


@pytest.fixture
def a_gpu(monkeypatch: pytest.MonkeyPatch):
    """A torch for CPUs beside an engine for GPUs: this side does not know which there are."""
    monkeypatch.setattr("torch.version.cuda", None)


@pytest.fixture
def engine_here(monkeypatch: pytest.MonkeyPatch, a_gpu: None):
    monkeypatch.syspath_prepend(str(IMPORTABLE))
    monkeypatch.setenv(interpreter.VARIABLE, sys.executable)


def one_paragraph(error: MinizooError) -> str:
    assert error.exit_code == 4
    assert "\n" not in error.what
    assert error.hint
    return error.what


def test_no_interpreter_is_told_with_the_lines_that_make_one(
    nano: Checkpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, a_gpu: None
):
    monkeypatch.delenv(interpreter.VARIABLE, raising=False)
    monkeypatch.setattr(interpreter, "own_folder", lambda: tmp_path)
    with pytest.raises(EngineMissing) as missing:
        open_trtllm(nano, Options())
    assert "requirements-trtllm.txt" in missing.value.hint
    assert "pypi.nvidia.com" in interpreter.REQUIREMENTS.read_text()
    assert one_paragraph(missing.value)


def test_a_cpu_is_refused_before_anything_is_started(nano: Checkpoint):
    with pytest.raises(DeviceMissing, match="GPUs alone") as missing:
        open_trtllm(nano, Options(device="cpu"))
    assert one_paragraph(missing.value)


@pytest.mark.parametrize("version", ["1.2.1", "1.3.0rc10", "1.5.0"])
def test_a_release_outside_the_gate_is_refused_with_the_reason(
    nano: Checkpoint, engine_here: None, monkeypatch: pytest.MonkeyPatch, version: str
):
    monkeypatch.setenv("FAKE_TRTLLM_VERSION", version)
    with pytest.raises(EngineVersion) as refused:
        open_trtllm(nano, Options())
    said = one_paragraph(refused.value)
    assert version in said
    assert ("those that stand there" in said) == (version != "1.5.0")


@pytest.mark.usefixtures("engine_here")
def test_a_start_that_hangs_is_given_up_after_the_time_that_was_set(nano: Checkpoint, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FAKE_TRTLLM", "hangs")
    monkeypatch.setenv("MINIZOO_WORKER_SECONDS", "0.5")
    with pytest.raises(WorkerSilent) as silent:
        open_trtllm(nano, Options())
    assert one_paragraph(silent.value)


def test_an_architecture_that_upstream_lacks_is_refused_by_its_name(nano: Checkpoint):
    with pytest.raises(EngineRefused, match="no model for OlmoForCausalLM") as refused:
        refuse_unsupported(replace(nano, config={**nano.config, "architectures": ["OlmoForCausalLM"]}))
    assert one_paragraph(refused.value)
    refuse_unsupported(nano)


def test_a_folder_of_a_built_engine_is_refused_by_its_files(tmp_path: Path):
    (tmp_path / "rank0.engine").write_bytes(b"")
    with pytest.raises(EngineRefused, match=r"rank0\.engine") as refused:
        refuse_engine_folder(tmp_path)
    assert one_paragraph(refused.value)


def opening(numbers: Any, folder: Path, options: dict[str, Any], fault: Any = None) -> MinizooError:
    """The error that the parent raises for what the worker says while it opens."""
    with installed(numbers, fault=fault) as module:
        from wire import Refused  # pyright: ignore[reportMissingImports]

        with pytest.raises(Refused) as refused:
            module.Engine(str(folder), options)
    one: Any = refused.value
    return of_opening("trtllm", {"kind": one.kind, "text": one.text, **one.more}, "")


def test_a_built_engine_is_also_known_by_its_config(nano: Checkpoint, tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"pretrained_config": {}, "build_config": {}}))
    error = opening(None, tmp_path, options_for(nano))
    assert isinstance(error, EngineRefused)
    assert "built engine" in one_paragraph(error)


def test_memory_that_runs_out_at_the_start_is_told_as_memory(nano: Checkpoint):
    error = opening(lambda tokens: None, nano.folder, options_for(nano), faults.OutOfMemory())
    assert isinstance(error, DeviceMemory)
    assert "9.31 GiB" in one_paragraph(error)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Torch not compiled with CUDA enabled", "GPUs alone"),
        ("The NVIDIA driver on your system is too old (found version 12040)", "driver of this machine is too old"),
        ("CUDA driver version is insufficient for CUDA runtime version", "driver of this machine is too old"),
    ],
)
def test_no_gpu_and_an_old_driver_are_told_apart(
    nano: Checkpoint, served: Path, monkeypatch: pytest.MonkeyPatch, said: str, words: str
):
    from trtllm_settings import check_gpus  # pyright: ignore[reportMissingImports]
    from wire import Refused  # pyright: ignore[reportMissingImports]

    def raises() -> None:
        raise RuntimeError(said)

    monkeypatch.setattr("torch.cuda.init", raises)
    with pytest.raises(Refused) as refused:
        check_gpus(1)
    one: Any = refused.value
    error = of_opening("trtllm", {"kind": one.kind, "text": one.text, **one.more}, "")
    assert isinstance(error, DeviceMissing)
    assert words in one_paragraph(error)


def test_fewer_gpus_than_the_model_is_cut_over_are_refused(served: Path, monkeypatch: pytest.MonkeyPatch):
    from trtllm_settings import check_gpus  # pyright: ignore[reportMissingImports]

    monkeypatch.setattr("torch.cuda.init", lambda: None)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(Exception, match="sees 1 and 2 are needed"):
        check_gpus(2)
