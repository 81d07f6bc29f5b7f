"""`minizoo doctor` says what works, what does not, and how to repair it; it never hangs and never breaks."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pynvml
import pytest
from huggingface_hub import constants
from support.fake_nvml import H100, RTX, FakeNvml

from harness.nvml import NvmlRefused
from harness.speed.probes.nvidia_gpus import read_gpus
from minizoo.cli import run
from minizoo.doctor import checks, hub, software, storage
from minizoo.doctor.checks import CHECKS, examine
from minizoo.doctor.devices import check_device, check_gpu, check_speed
from minizoo.doctor.isolation import check_isolation
from minizoo.doctor.result import CheckResult, Grade

HERE = Path()


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install an NVML of the given devices, or one that refuses in the named function with an error number."""

    def install(*gpus: dict[str, Any], refuse: tuple[str, int] | None = None) -> None:
        FakeNvml(monkeypatch, *gpus).refuse = dict([refuse] if refuse else [])

    return install


def test_no_driver_is_a_warning_that_says_a_cpu_needs_nothing(nvml: Callable[..., None]):
    nvml(refuse=("nvmlInit", pynvml.NVML_ERROR_LIBRARY_NOT_FOUND))
    result = check_gpu(HERE)
    assert result.verdict == "warn"
    assert "NVML" in result.found
    assert "a CPU needs nothing" in result.hint


def test_one_gpu_is_told_with_its_driver(nvml: Callable[..., None]):
    nvml(H100)
    result = check_gpu(HERE)
    assert result == CheckResult(
        "ok", "NVIDIA H100 80GB HBM3, 80 GiB, compute capability 9.0; driver 570.133.20 (CUDA 12.8)"
    )


def test_a_gpu_that_knows_no_mig_is_no_trouble_and_one_split_is_told(nvml: Callable[..., None]):
    nvml(RTX, {**H100, "mig": [1, 1]})
    assert read_gpus().devices == (
        "NVIDIA GeForce RTX 4090, 24 GiB, compute capability 8.9",
        "NVIDIA H100 80GB HBM3, 80 GiB, compute capability 9.0, MIG on",
    )


def test_a_driver_without_a_visible_device_is_a_warning(nvml: Callable[..., None]):
    nvml()
    result = check_gpu(HERE)
    assert result.verdict == "warn"
    assert "no device visible" in result.found


@pytest.mark.parametrize(
    ("function", "code", "hint"),
    [
        ("nvmlInit", pynvml.NVML_ERROR_DRIVER_NOT_LOADED, "modprobe nvidia"),
        ("nvmlInit", pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, "restart the machine"),
        ("nvmlDeviceGetHandleByIndex", pynvml.NVML_ERROR_NO_PERMISSION, "/dev/nvidia*"),
        ("nvmlDeviceGetHandleByIndex", pynvml.NVML_ERROR_GPU_IS_LOST, "restart the machine"),
        ("nvmlDeviceGetMemoryInfo", pynvml.NVML_ERROR_UNKNOWN, "nvidia-smi"),
    ],
)
def test_whatever_nvml_refuses_has_a_hint(nvml: Callable[..., None], function: str, code: int, hint: str):
    nvml(H100, refuse=(function, code))
    with pytest.raises(NvmlRefused) as refusal:
        read_gpus()
    result = check_gpu(HERE)
    assert result.verdict == "warn"
    assert str(refusal.value) in result.found
    assert hint in result.hint


def test_a_gpu_that_torch_cannot_use_is_told(nvml: Callable[..., None]):
    import torch

    if torch.cuda.is_available():
        pytest.skip("torch can use the GPU of this machine")
    nvml(H100)
    result = check_device(HERE)
    assert result.verdict == "warn"
    assert "lies idle" in result.found
    assert "CUDA 12.8" in result.found


def test_measuring_on_a_gpu_is_said_to_be_unrun(nvml: Callable[..., None], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("harness.speed.probes.devices.watched", lambda device: f"telemetry of {device}")
    result = check_speed(HERE)
    assert result.verdict == "warn"
    assert "telemetry of cuda:0" in result.found
    assert "has not been run" in result.found


def test_hub_switched_off_is_never_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: pytest.fail("the network was used"))
    result = hub.check_hub(HERE)
    assert (result.verdict, result.found) == ("warn", "switched off by HF_HUB_OFFLINE")


def test_a_hub_that_never_answers_does_not_hang_the_doctor(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "HUB_SECONDS", 0.1)
    monkeypatch.setattr(hub, "_head", lambda _: time.sleep(30))
    assert "no answer within 0.1 s" in hub.check_hub(HERE).found


def test_a_hub_that_refuses_is_a_warning_with_the_way_round_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    result = hub.check_hub(HERE)
    assert result.verdict == "warn"
    assert "refused" in result.found
    assert "--data DIR" in result.hint


def test_a_missing_and_a_wrong_package_fail_by_name(monkeypatch: pytest.MonkeyPatch):
    listed = ["click>=8", "lm-eval==9.9", "no-such-package>=1", "other>=1; extra == 'dev'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: listed)
    result = software.check_packages(HERE)
    assert result.verdict == "fail"
    assert "lm-eval==9.9 is required" in result.found
    assert "no-such-package>=1 is not installed" in result.found
    assert "click" not in result.found
    assert "other" not in result.found


def test_results_that_cannot_be_written_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def read_only(**_: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(storage.tempfile, "TemporaryFile", read_only)
    result = storage.check_results(tmp_path / "results")
    assert result.verdict == "fail"
    assert "Read-only file system" in result.found
    assert "--results DIR" in result.hint


@pytest.mark.parametrize(("free", "verdict"), [(10 * 2**20, "fail"), (500 * 2**20, "warn"), (50 * 2**30, "ok")])
def test_little_room_for_results_warns_and_none_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, verdict: str
):
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert storage.check_results(tmp_path).verdict == verdict


def test_results_on_a_network_file_system_warn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(storage, "_filesystem", lambda _: "nfs4")
    result = storage.check_results(tmp_path)
    assert result.verdict == "warn"
    assert "nfs4" in result.found


def test_the_doctor_writes_nothing(tmp_path: Path):
    examine(tmp_path / "results")
    assert list(tmp_path.iterdir()) == []


def test_a_cache_too_small_for_the_largest_model_warns_and_names_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 2**30))
    result = storage.check_cache(HERE)
    assert result.verdict == "warn"
    assert "the largest model, takes" in result.found


def test_no_isolation_fails_with_a_hint(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MINIZOO_SANDBOX_TIERS", "")
    result = check_isolation(HERE)
    assert result.verdict == "fail"
    assert "apt-get install bubblewrap" in result.hint


def test_a_readable_database_is_counted(tmp_path: Path):
    from harness.store.catch_up import catch_up

    catch_up(tmp_path)
    result = storage.check_database(tmp_path)
    assert result.verdict == "ok"
    assert "0 records" in result.found


def test_a_database_of_another_duckdb_is_told(tmp_path: Path):
    (tmp_path / "minizoo.duckdb").write_bytes(b"\0" * 8 + b"DUCK" + b"\xff" * 8000)
    result = storage.check_database(tmp_path)
    assert result.verdict == "warn"
    assert duckdb.__version__ in result.found
    assert "minizoo db rebuild" in result.hint


def test_a_database_held_by_another_process_is_told_with_its_holder(tmp_path: Path):
    path = tmp_path / "minizoo.duckdb"
    hold = f"import duckdb; c = duckdb.connect({str(path)!r}); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        result = storage.check_database(tmp_path)
        holder.communicate(b"\n")
    assert result.verdict == "warn"
    assert str(holder.pid) in result.found
    assert result.hint == "Close the program that holds it."


def test_a_check_that_breaks_is_a_failure_and_not_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(_: Path) -> CheckResult:
        raise RuntimeError("boom")

    monkeypatch.setattr(checks, "CHECKS", {"good": lambda _: CheckResult("ok", "x"), "bad": broken})
    checked = examine(tmp_path)
    assert checked["good"].verdict == "ok"
    assert (checked["bad"].verdict, "boom" in checked["bad"].found) == ("fail", True)


@pytest.mark.parametrize(("verdicts", "code"), [(["ok"], 0), (["ok", "warn"], 0), (["warn", "fail", "ok"], 4)])
def test_exit_code_is_4_only_when_something_fails(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    verdicts: list[Grade],
    code: int,
):
    checked = {f"c{i}": CheckResult(verdict, "found this", "do this") for i, verdict in enumerate(verdicts)}
    monkeypatch.setattr(checks, "examine", lambda _: checked)
    assert run(["doctor", "--results", str(tmp_path)]) == code
    assert "do this" in capsys.readouterr().out


def test_json_has_every_check_with_verdict_finding_and_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code = run(["doctor", "--json", "--results", str(tmp_path)])
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "minizoo.doctor/1"
    assert [check["name"] for check in told["checks"]] == list(CHECKS)
    assert all(check["found"] for check in told["checks"])
    assert all(check["hint"] for check in told["checks"] if check["verdict"] != "ok")
    assert code == (4 if told["verdict"] == "fail" else 0)
    by_name = {check["name"]: check for check in told["checks"]}
    assert "never run here" in by_name["trtllm"]["found"] or "minizoo has run none of it" in by_name["trtllm"]["found"]
