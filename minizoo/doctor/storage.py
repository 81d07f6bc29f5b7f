"""The folders that minizoo writes to: room, file system, database."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from harness.speed.probes.nvidia_gpus import GIB
from minizoo.doctor.result import CheckResult
from zoo.errors import one_line

RESULTS_WARN_BYTES, RESULTS_FAIL_BYTES = GIB, 50 * 2**20
OTHER_RESULTS = "Give a folder on a local disk: `--results DIR`."
NETWORK_FILESYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "9p", "fuse.sshfs"}


def check_results(results: Path) -> CheckResult:
    """The results folder can be written, on a local file system with room."""
    folder = _existing(results)
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * 4096)
            probe.flush()
    except OSError as error:
        return CheckResult(
            "fail", f"{results} cannot be written: {error.strerror}", "Give another folder: `--results DIR`."
        )
    free = shutil.disk_usage(folder).free
    found = f"{free / GIB:.1f} GiB free for {results}"
    if free < RESULTS_WARN_BYTES:
        verdict = "fail" if free < RESULTS_FAIL_BYTES else "warn"
        return CheckResult(verdict, found, f"Free some space. {OTHER_RESULTS}")
    kind = _filesystem(folder)
    if kind in NETWORK_FILESYSTEMS:
        return CheckResult(
            "warn", f"{found}, on {kind}: its file locks cannot be relied on", "Use a local `--results DIR`."
        )
    return CheckResult("ok", found)


def check_cache(_: Path) -> CheckResult:
    """The hub's cache has room for the largest public model of the registry."""
    from huggingface_hub import constants

    from zoo.registry.loader import load_registry
    from zoo.registry.stored import stored_weights

    stored = {model.id: stored_weights(model) for model in load_registry().models.values() if model.hub}
    needs = {name: weights.total for name, weights in stored.items() if weights is not None}
    largest = max(needs, key=lambda name: needs[name])
    cache = Path(constants.HF_HUB_CACHE)
    free = shutil.disk_usage(_existing(cache)).free
    found = f"{free / GIB:.1f} GiB free for {cache}; {largest}, the largest model, takes {needs[largest] / GIB:.1f} GiB"
    if free < needs[largest]:
        return CheckResult("warn", found, "Free some space, or set HF_HOME to a larger disk.")
    return CheckResult("ok", found)


def check_database(results: Path) -> CheckResult:
    """The results database, where there is one, can be read by this DuckDB."""
    import duckdb

    from harness.store.connection import database_path

    path = database_path(results)
    if not path.exists():
        return CheckResult("ok", f"none yet at {path}; duckdb {duckdb.__version__}")
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            count = connection.execute("SELECT count(*) FROM records").fetchall()[0][0]
    except duckdb.Error as error:
        told = one_line(error)
        hint = (
            "Close the program that holds it." if "Conflicting lock" in told else "Make it anew: `minizoo db rebuild`."
        )
        return CheckResult("warn", f"{path} cannot be read by duckdb {duckdb.__version__}: {told}", hint)
    return CheckResult("ok", f"{path}: {count} records, duckdb {duckdb.__version__}")


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
