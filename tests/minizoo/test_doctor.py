"""`minizoo doctor` says what works, what does not, and what mends it; it never hangs and never breaks."""

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

from harness.speed.probes.gpus import NoNvml, read_gpus
from minizoo.cli import run
from minizoo.doctor import checks as doctor
from minizoo.doctor.checks import CHECKS, Finding, Verdict, examine

HERE = Path()
H100 = {"name": "NVIDIA H100 80GB HBM3", "memory": 85_520_809_984, "capability": (9, 0), "mig": [0, 0]}
RTX = {"name": "NVIDIA GeForce RTX 4090", "memory": 25_757_220_864, "capability": (8, 9), "mig": None}


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install an NVML of the given devices, or one that refuses in the named function with an error number."""

    def install(*devices: dict[str, Any], refuse: tuple[str, int] | None = None) -> None:
        def mig(device: dict[str, Any]) -> list[int]:
            if device["mig"] is None:
                raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
            return device["mig"]

        answers: dict[str, Callable[..., Any]] = {
            "nvmlInit": lambda: None,
            "nvmlShutdown": lambda: None,
            "nvmlDeviceGetCount": lambda: len(devices),
            "nvmlDeviceGetHandleByIndex": lambda index: devices[index],
            "nvmlSystemGetDriverVersion": lambda: "570.133.20",
            "nvmlSystemGetCudaDriverVersion": lambda: 12080,
            "nvmlDeviceGetName": lambda device: device["name"],
            "nvmlDeviceGetMemoryInfo": lambda device: SimpleNamespace(total=device["memory"]),
            "nvmlDeviceGetCudaComputeCapability": lambda device: device["capability"],
            "nvmlDeviceGetMigMode": mig,
        }
        for name, answer in answers.items():
            monkeypatch.setattr(pynvml, name, answer)
        if refuse:

            def refusing(*_: Any) -> None:
                raise pynvml.NVMLError(refuse[1])

            monkeypatch.setattr(pynvml, refuse[0], refusing)

    return install


def test_no_driver_is_a_warning_that_says_a_cpu_needs_nothing(nvml: Callable[..., None]):
    nvml(refuse=("nvmlInit", pynvml.NVML_ERROR_LIBRARY_NOT_FOUND))
    finding = doctor.check_gpu(HERE)
    assert finding.verdict == "warn"
    assert "NVML Shared Library Not Found" in finding.found
    assert "a CPU needs nothing" in finding.hint


def test_one_gpu_is_told_with_its_driver(nvml: Callable[..., None]):
    nvml(H100)
    finding = doctor.check_gpu(HERE)
    assert finding == Finding(
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
    finding = doctor.check_gpu(HERE)
    assert finding.verdict == "warn"
    assert "no device visible" in finding.found


@pytest.mark.parametrize(
    ("function", "code", "mend"),
    [
        ("nvmlInit", pynvml.NVML_ERROR_DRIVER_NOT_LOADED, "modprobe nvidia"),
        ("nvmlInit", pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, "restart the machine"),
        ("nvmlDeviceGetHandleByIndex", pynvml.NVML_ERROR_NO_PERMISSION, "/dev/nvidia*"),
        ("nvmlDeviceGetHandleByIndex", pynvml.NVML_ERROR_GPU_IS_LOST, "restart the machine"),
        ("nvmlDeviceGetMemoryInfo", pynvml.NVML_ERROR_UNKNOWN, "nvidia-smi"),
    ],
)
def test_whatever_nvml_refuses_has_a_line_that_mends_it(nvml: Callable[..., None], function: str, code: int, hint: str):
    nvml(H100, refuse=(function, code))
    with pytest.raises(NoNvml) as refusal:
        read_gpus()
    finding = doctor.check_gpu(HERE)
    assert finding.verdict == "warn"
    assert str(refusal.value) in finding.found
    assert hint in finding.hint


def test_a_gpu_that_torch_cannot_use_is_told(nvml: Callable[..., None]):
    import torch

    if torch.cuda.is_available():
        pytest.skip("torch can use the GPU of this machine")
    nvml(H100)
    finding = doctor.check_device(HERE)
    assert finding.verdict == "warn"
    assert "lies idle" in finding.found
    assert "CUDA 12.8" in finding.found


def test_measuring_on_a_gpu_is_said_to_be_unrun(nvml: Callable[..., None], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("harness.speed.probes.telemetry.watched", lambda device: f"telemetry of {device}")
    finding = doctor.check_speed(HERE)
    assert finding.verdict == "warn"
    assert "telemetry of cuda:0" in finding.found
    assert "has not been run" in finding.found


def test_hub_switched_off_is_never_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: pytest.fail("the network was used"))
    finding = doctor.check_hub(HERE)
    assert (finding.verdict, finding.found) == ("warn", "switched off by HF_HUB_OFFLINE")


def test_a_hub_that_never_answers_does_not_hang_the_doctor(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(doctor, "HUB_SECONDS", 0.1)
    monkeypatch.setattr(doctor, "_head", lambda _: time.sleep(30))
    assert "no answer within 0.1 s" in doctor.check_hub(HERE).found


def test_a_hub_that_refuses_is_a_warning_with_the_way_round_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    finding = doctor.check_hub(HERE)
    assert finding.verdict == "warn"
    assert "refused" in finding.found
    assert "--data DIR" in finding.hint


def test_a_missing_and_a_wrong_package_fail_by_name(monkeypatch: pytest.MonkeyPatch):
    listed = ["click>=8", "lm-eval==9.9", "no-such-package>=1", "other>=1; extra == 'dev'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: listed)
    finding = doctor.check_packages(HERE)
    assert finding.verdict == "fail"
    assert "lm-eval==9.9 is required" in finding.found
    assert "no-such-package>=1 is not installed" in finding.found
    assert "click" not in finding.found
    assert "other" not in finding.found


def test_results_that_cannot_be_written_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def read_only(**_: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", read_only)
    finding = doctor.check_results(tmp_path / "results")
    assert finding.verdict == "fail"
    assert "Read-only file system" in finding.found
    assert "--results DIR" in finding.hint


@pytest.mark.parametrize(("free", "verdict"), [(10 * 2**20, "fail"), (500 * 2**20, "warn"), (50 * 2**30, "ok")])
def test_little_room_for_results_warns_and_none_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, verdict: str
):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert doctor.check_results(tmp_path).verdict == verdict


def test_results_on_a_network_file_system_warn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "_filesystem", lambda _: "nfs4")
    finding = doctor.check_results(tmp_path)
    assert finding.verdict == "warn"
    assert "nfs4" in finding.found


def test_the_doctor_writes_nothing(tmp_path: Path):
    examine(tmp_path / "results")
    assert list(tmp_path.iterdir()) == []


def test_a_cache_too_small_for_the_largest_model_warns_and_names_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 2**30))
    finding = doctor.check_cache(HERE)
    assert finding.verdict == "warn"
    assert "the largest model, takes" in finding.found


def test_no_isolation_fails_with_the_line_that_mends_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MINIZOO_SANDBOX_TIERS", "")
    finding = doctor.check_isolation(HERE)
    assert finding.verdict == "fail"
    assert "apt-get install bubblewrap" in finding.hint


def test_a_readable_database_is_counted(tmp_path: Path):
    from harness.store.catch_up import catch_up

    catch_up(tmp_path)
    finding = doctor.check_database(tmp_path)
    assert finding.verdict == "ok"
    assert "0 records" in finding.found


def test_a_database_of_another_duckdb_is_told(tmp_path: Path):
    (tmp_path / "minizoo.duckdb").write_bytes(b"\0" * 8 + b"DUCK" + b"\xff" * 8000)
    finding = doctor.check_database(tmp_path)
    assert finding.verdict == "warn"
    assert duckdb.__version__ in finding.found
    assert "minizoo db rebuild" in finding.hint


def test_a_database_held_by_another_process_is_told_with_its_holder(tmp_path: Path):
    path = tmp_path / "minizoo.duckdb"
    hold = f"import duckdb; c = duckdb.connect({str(path)!r}); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        finding = doctor.check_database(tmp_path)
        holder.communicate(b"\n")
    assert finding.verdict == "warn"
    assert str(holder.pid) in finding.found
    assert finding.hint == "Close the program that holds it."


def test_a_check_that_breaks_is_a_failure_and_not_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(_: Path) -> Finding:
        raise RuntimeError("boom")

    monkeypatch.setattr(doctor, "CHECKS", {"good": lambda _: Finding("ok", "x"), "bad": broken})
    findings = examine(tmp_path)
    assert findings["good"].verdict == "ok"
    assert (findings["bad"].verdict, "boom" in findings["bad"].found) == ("fail", True)


@pytest.mark.parametrize(("verdicts", "code"), [(["ok"], 0), (["ok", "warn"], 0), (["warn", "fail", "ok"], 4)])
def test_exit_code_is_4_only_when_something_fails(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    verdicts: list[Verdict],
    code: int,
):
    findings = {f"c{i}": Finding(verdict, "found this", "mend it") for i, verdict in enumerate(verdicts)}
    monkeypatch.setattr(doctor, "examine", lambda _: findings)
    assert run(["doctor", "--results", str(tmp_path)]) == code
    assert "mend it" in capsys.readouterr().out


def test_json_has_every_check_with_verdict_finding_and_mend(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code = run(["doctor", "--json", "--results", str(tmp_path)])
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "minizoo.doctor.checks/1"
    assert [check["name"] for check in told["checks"]] == list(CHECKS)
    assert all(check["found"] for check in told["checks"])
    assert all(check["mend"] for check in told["checks"] if check["verdict"] != "ok")
    assert code == (4 if told["verdict"] == "fail" else 0)
    by_name = {check["name"]: check for check in told["checks"]}
    assert "not installed, never run here" in by_name["engines"]["found"] or by_name["engines"]["verdict"] == "ok"
