"""What goes wrong when vLLM is opened: one paragraph, exit 4, and nothing left running."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from backends.contract import Options
from backends.vllm.backend import open_vllm
from zoo.checkpoint.locate import locate, outline
from zoo.checkpoint.model_ref import resolve
from zoo.errors import DeviceMemory, EngineMissing, EngineRefused, InterpreterUnfit, MinizooError


def refusal(word: str, python: str, **options: Any) -> MinizooError:
    """What opening raises."""
    checkpoint = locate(outline(resolve(word)))
    with pytest.raises(MinizooError) as refused:
        open_vllm(checkpoint, Options(device="cpu", python=python, **options)).close()
    assert refused.value.exit_code == 4
    assert "Traceback" not in str(refused.value)
    return refused.value


def test_a_head_size_that_its_kernels_lack_is_told_before_anything_is_scored(vllm_python: str, stories: Path):
    error = refusal(str(stories), vllm_python)
    assert isinstance(error, EngineRefused)
    assert "head" in error.what.lower()


def test_fp8_weights_on_a_device_without_them_are_refused(vllm_python: str, tmp_path: Path):
    folder = Path(shutil.copytree(locate(outline(resolve("nano-teacher"))).folder, tmp_path / "nano-fp8"))
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_scheme": None}
    (folder / "config.json").write_text(json.dumps(config))
    error = refusal(str(folder), vllm_python)
    assert isinstance(error, EngineRefused)
    assert "quantised (modelopt)" in error.what


def test_a_cache_larger_than_memory_is_told_as_memory(vllm_python: str):
    assert isinstance(refusal("nano-teacher", vllm_python, engine={"kv_cache_memory_bytes": 1 << 50}), DeviceMemory)


def test_a_cache_smaller_than_one_context_is_told_as_memory(vllm_python: str):
    error = refusal("nano-teacher", vllm_python, engine={"kv_cache_memory_bytes": 1 << 16})
    assert isinstance(error, DeviceMemory)


def test_an_interpreter_without_vllm_is_told_with_what_to_do(vllm_python: str):
    assert vllm_python
    error = refusal("nano-teacher", sys.executable)
    assert isinstance(error, EngineMissing)
    assert "--python" in error.hint


def test_an_interpreter_that_is_none_is_told():
    assert isinstance(refusal("nano-teacher", "/nowhere/python"), InterpreterUnfit)
