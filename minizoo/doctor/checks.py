"""What works on this machine: a table of small checks, each with a verdict and the line that mends what does not.

`fail` is for what every evaluation needs; what only some need (a GPU, the hub, another engine) is `warn` where absent.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.speed.probes.gpus import GIB, NoNvml, read_gpus

Verdict = Literal["ok", "warn", "fail"]

RESULTS_WARN_BYTES, RESULTS_FAIL_BYTES = GIB, 50 * 2**20
HUB_SECONDS = 4.0
OTHER_RESULTS = "Give a folder on a local disk: `--results DIR`."
NETWORK_FILESYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "9p", "fuse.sshfs"}
UNRUN = "measuring on a GPU is tested with a fake NVML and has not been run on one by the project"
ENGINES = {"vllm": "vllm", "trtllm": "tensorrt_llm"}  # minizoo's name of the engine → the package it is imported from


@dataclass(frozen=True)
class Finding:
    """What a check found. `hint` is the line to run or the thing to do; empty when all is well."""

    verdict: Verdict
    found: str
    hint: str = ""


def examine(results: Path) -> dict[str, Finding]:
    """Run every check, by name, in the order of the table. Never raises: a check that breaks is itself a `fail`."""
    return {name: _careful(check, results) for name, check in CHECKS.items()}


def worst(findings: dict[str, Finding]) -> Verdict:
    """The gravest verdict of all."""
    verdicts = {finding.verdict for finding in findings.values()}
    return "fail" if "fail" in verdicts else "warn" if "warn" in verdicts else "ok"


def check_python(_: Path) -> Finding:
    """Which Python runs this; pip refuses to install minizoo under one that is too old."""
    return Finding("ok", f"{platform.python_version()}, {sys.executable}")


def check_packages(_: Path) -> Finding:
    """Every package that minizoo requires is there, in a version that it allows."""
    from packaging.requirements import Requirement

    try:
        listed = [Requirement(line) for line in importlib.metadata.requires("minizoo") or ()]
    except importlib.metadata.PackageNotFoundError:
        return Finding(
            "warn", "minizoo runs without being installed; its requirements are not known", "pip install -e ."
        )
    needed = [requirement for requirement in listed if not requirement.marker or requirement.marker.evaluate()]
    wrong: list[str] = []
    for requirement in needed:
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement} is not installed")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement} is required, {version} is installed")
    if wrong:
        return Finding("fail", "; ".join(wrong), "pip install -c constraints.txt minizoo")
    return Finding("ok", f"all {len(needed)} required packages are there")


def check_torch(_: Path) -> Finding:
    """PyTorch can be imported; which version, built for what."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library of it is missing or broken
        return Finding("fail", f"cannot be imported: {error}", "pip install --force-reinstall -c constraints.txt torch")
    build = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for CPUs"
    return Finding("ok", f"{torch.__version__}, {build}")


def check_gpu(_: Path) -> Finding:
    """NVIDIA GPUs and their driver."""
    try:
        gpus = read_gpus()
    except NoNvml as refusal:
        return Finding("warn", f"none found (NVML: {refusal})", refusal.hint)
    driver = f"driver {gpus.driver} (CUDA {gpus.cuda})"
    if not gpus.devices:
        return Finding("warn", f"{driver}, no device visible", "Give this job a GPU (`--gpus all`, `--gres=gpu:1`).")
    return Finding("ok", f"{'; '.join(gpus.devices)}; {driver}")


def check_device(_: Path) -> Finding:
    """What minizoo computes on by default, proved by computing on it."""
    import torch

    if torch.cuda.is_available():
        try:
            torch.ones(8, device="cuda").sum().item()
        except RuntimeError as error:
            hint = "Install a torch that is built for this GPU (pytorch.org)."
            return Finding("fail", f"the GPU refuses to compute: {error}", hint)
        return Finding("ok", f"cuda: {torch.cuda.get_device_name()}, {torch.cuda.device_count()} visible")
    cpu = f"cpu, {torch.get_num_threads()} threads"
    try:
        gpus = read_gpus()
    except NoNvml:
        return Finding("ok", cpu)
    if not gpus.devices:
        return Finding("ok", cpu)
    built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "for CPUs"
    return Finding(
        "warn",
        f"{cpu}; the GPU lies idle: torch is built {built}, the driver serves CUDA {gpus.cuda}",
        "Install a torch built for the driver's CUDA (pytorch.org), or update the driver.",
    )


def check_speed(_: Path) -> Finding:
    """What `minizoo bench` can watch on the device that it measures by default."""
    import torch

    from harness.speed.probes.telemetry import watched

    on_gpu = torch.cuda.is_available()
    told = watched("cuda:0" if on_gpu else "cpu")
    return (
        Finding("warn", f"{told}; {UNRUN}", "Hold a first figure against another tool's.")
        if on_gpu
        else Finding("ok", told)
    )


def check_engines(_: Path) -> Finding:
    """Other inference engines; without one, nothing is ever run with it here."""
    absent = [name for name, package in ENGINES.items() if importlib.util.find_spec(package) is None]
    if not absent:
        return Finding("ok", f"{', '.join(ENGINES)} installed")
    told = "; ".join(f"{name}: not installed, never run here" for name in absent)
    return Finding("warn", told, "Only to compare with these engines: install each in an interpreter of its own.")


def check_hub(_: Path) -> Finding:
    """The hub answers a HEAD request within HUB_SECONDS, name look-up included."""
    from huggingface_hub import constants, get_token

    offline = (
        "Without the hub: `--data DIR` for data sets, a folder as `--model`, or the models that ship with minizoo."
    )
    if constants.HF_HUB_OFFLINE:
        return Finding("warn", "switched off by HF_HUB_OFFLINE", f"Unset HF_HUB_OFFLINE. {offline}")
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(_head(constants.ENDPOINT)), daemon=True)
    asking.start()
    asking.join(HUB_SECONDS)
    trouble = answers[0] if answers else f"no answer within {HUB_SECONDS:g} s"
    if trouble:
        return Finding("warn", f"{constants.ENDPOINT}: {trouble}", f"Check network and proxy (HTTPS_PROXY). {offline}")
    token = "with a token" if get_token() else "without a token (gated models are refused: `hf auth login`)"
    return Finding("ok", f"{constants.ENDPOINT} answers, {token}")


def check_results(results: Path) -> Finding:
    """The results folder can be written, on a local file system with room."""
    folder = _existing(results)
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * 4096)
            probe.flush()
    except OSError as error:
        return Finding(
            "fail", f"{results} cannot be written: {error.strerror}", "Give another folder: `--results DIR`."
        )
    free = shutil.disk_usage(folder).free
    found = f"{free / GIB:.1f} GiB free for {results}"
    if free < RESULTS_WARN_BYTES:
        verdict = "fail" if free < RESULTS_FAIL_BYTES else "warn"
        return Finding(verdict, found, f"Free some space. {OTHER_RESULTS}")
    kind = _filesystem(folder)
    if kind in NETWORK_FILESYSTEMS:
        return Finding(
            "warn", f"{found}, on {kind}: its file locks cannot be relied on", "Use a local `--results DIR`."
        )
    return Finding("ok", found)


def check_cache(_: Path) -> Finding:
    """The hub's cache has room for the largest public model of the registry."""
    from huggingface_hub import constants

    from zoo.arch.parameters import weight_bytes
    from zoo.registry.loader import load_registry

    needs = {model.id: weight_bytes(model.architecture) for model in load_registry().models.values() if model.hub}
    largest = max(needs, key=lambda name: needs[name])
    cache = Path(constants.HF_HUB_CACHE)
    free = shutil.disk_usage(_existing(cache)).free
    found = f"{free / GIB:.1f} GiB free for {cache}; {largest}, the largest model, takes {needs[largest] / GIB:.1f} GiB"
    if free < needs[largest]:
        return Finding("warn", found, "Free some space, or set HF_HOME to a larger disk.")
    return Finding("ok", found)


def check_isolation(_: Path) -> Finding:
    """Generated code can be kept apart (tasks such as HumanEval run what a model wrote)."""
    from harness.sandbox.runner import faults, require_isolation
    from harness.sandbox.tiers import UNSANDBOXED, NoIsolation, mends

    try:
        best = require_isolation()
    except NoIsolation as fault:
        return Finding("fail", fault.what, fault.hint)
    others = [
        f"{name} {f'does not ({fault})' if fault else 'works too'}" for name, fault in faults().items() if name != best
    ]
    found = "; ".join([f"generated code runs under {best}", *others])
    return Finding("warn", found, "; ".join(mends())) if best == UNSANDBOXED else Finding("ok", found)


def check_database(results: Path) -> Finding:
    """The results database, where there is one, can be read by this DuckDB."""
    import duckdb

    from harness.store.connection import database_path

    path = database_path(results)
    if not path.exists():
        return Finding("ok", f"none yet at {path}; duckdb {duckdb.__version__}")
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            count = connection.execute("SELECT count(*) FROM records").fetchall()[0][0]
    except duckdb.Error as error:
        told = " ".join(str(error).split())[:300]
        hint = (
            "Close the program that holds it." if "Conflicting lock" in told else "Make it anew: `minizoo db rebuild`."
        )
        return Finding("warn", f"{path} cannot be read by duckdb {duckdb.__version__}: {told}", hint)
    return Finding("ok", f"{path}: {count} records, duckdb {duckdb.__version__}")


CHECKS: dict[str, Callable[[Path], Finding]] = {
    "Python": check_python,
    "packages": check_packages,
    "torch": check_torch,
    "device": check_device,
    "GPU": check_gpu,
    "speed": check_speed,
    "engines": check_engines,
    "hub": check_hub,
    "results": check_results,
    "hub cache": check_cache,
    "isolation": check_isolation,
    "database": check_database,
}


def _head(url: str) -> str:
    """What went wrong with a HEAD request, or nothing."""
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "minizoo-doctor"})
    try:
        with urllib.request.urlopen(request, timeout=HUB_SECONDS):
            return ""
    except urllib.error.HTTPError as answer:
        return f"answered {answer.code} {answer.reason}"
    except urllib.error.URLError as error:
        return str(error.reason)
    except (OSError, ValueError) as error:
        return str(error) or type(error).__name__


def _existing(path: Path) -> Path:
    """The path itself or the nearest folder above it that is there."""
    return next((folder for folder in (path, *path.absolute().parents) if folder.is_dir()), Path("/"))


def _filesystem(folder: Path) -> str:
    """Type of the file system that holds a folder; empty where the kernel does not list mounts."""
    try:
        mounts = [
            line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
        ]
    except OSError:
        return ""
    path = os.path.realpath(folder)
    holding = [(point, kind) for _, point, kind, *_ in mounts if Path(path).is_relative_to(point)]
    return max(holding, key=lambda mount: len(mount[0]), default=("", ""))[1]


def _careful(check: Callable[[Path], Finding], results: Path) -> Finding:
    try:
        return check(results)
    except Exception as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return Finding(
            "fail", f"the check itself broke: {told}", "Run `minizoo --debug doctor` and report what it shows."
        )
