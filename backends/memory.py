"""Whether a device is there and has the memory for a model's weights, told before any of them is fetched; and what is free."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from backends.contract import Options
from backends.several.seats import in_one_process, seats_of
from zoo.arch.held import config_dtype
from zoo.arch.parameters import BITS, count_parameters
from zoo.arch.runnable import stated_quantisation
from zoo.checkpoint.locate import ModelFolder, Outline
from zoo.checkpoint.plan_folder import virtual_parent
from zoo.checkpoint.precision import check_runnable
from zoo.errors import DeviceMemory, WrongBackend

OURS = ("hf", "pruned")
"""Backends of which is known what they load, and that they load it with torch."""


def check_device(model: Outline, backend: str, options: Options) -> None:
    """Refuse what engine or device cannot run, before any weight is fetched. Of a third party's backend nothing is known.

    Raises InvalidOption and DeviceMissing for the device, UnsupportedDtype, WrongBackend for a folder that only `pruned` runs,
    what `check_runnable` raises, and DeviceMemory where the weights alone are more than the device has free. What is not
    known refuses nothing.
    """
    if backend not in OURS:
        return
    from backends.hf.loading import compute_dtype, resolve_device

    if backend == "hf" and model.only_pruned:
        raise WrongBackend(f"hf cannot run {model.folder}: {model.only_pruned}.", "Use --backend pruned.")
    if options.nodes is not None:  # the devices of other machines, which tell themselves what they have no room for
        check_runnable(model.config, model.name, options.dtype)
        return
    seats = dict.fromkeys(seat.device for seat in seats_of(options)) or [in_one_process(options).device]
    if must_spread(model, backend, options):
        check_runnable(model.config, model.name, options.dtype)
        return
    devices = [resolve_device(seat) for seat in seats]
    wanted = {device: str(compute_dtype(options.dtype, device)).removeprefix("torch.") for device in devices}
    check_runnable(model.config, model.name, options.dtype)
    for device, dtype in wanted.items():
        _check_room(model, device, dtype, options.workers or 1)


def _check_room(model: Outline, device: str, wanted: str, copies: int) -> None:
    """DeviceMemory where the device has no room for the weights in that dtype, so many times."""
    once, has = weight_bytes(model, wanted), free_bytes(device)
    needs = None if once is None else once * copies
    if needs is None or has is None or needs <= has:
        return
    of = f"{copies} times the weights of" if copies > 1 else "The weights of"
    narrower = "`--dtype bfloat16`, " if wanted == "float32" else ""
    raise DeviceMemory(
        f"{of} {model.name} take {needs / 1e9:.1f} GB as {'stored' if wanted == 'auto' else wanted}, and {device} "
        f"has {has / 1e9:.1f} GB of memory free. Nothing was fetched or run.",
        f"Take {narrower}another --device, or a smaller model.",
    )


def must_spread(model: ModelFolder, backend: str, options: Options) -> bool:
    """Whether `hf` has to lay a model's layers over the GPUs: one of them has no room for its weights, all together have."""
    devices = [seat.device for seat in seats_of(options)]
    elsewhere = options.python or options.worker_command
    if backend != "hf" or elsewhere or len(devices) < 2 or not all(device.startswith("cuda") for device in devices):
        return False
    from backends.hf.loading import compute_dtype

    needs = weight_bytes(model, str(compute_dtype(options.dtype, devices[0])).removeprefix("torch."))
    free = [free for device in devices if (free := free_bytes(device)) is not None]
    return needs is not None and len(free) == len(devices) and min(free) < needs <= sum(free)


def weight_bytes(model: ModelFolder, dtype: str) -> int | None:
    """Bytes that the weights take when they are loaded in that dtype (`auto`: as stored); None where that is not known.

    By the model's dimensions where they have a closed form, else by its files and the dtype that config.json says of them.
    Quantised weights are taken as they are stored.
    """
    known = model.weight_bytes if isinstance(model, Outline) else None
    stored = None if virtual_parent(model.folder) else known  # a plan's files are its parent's
    said = config_dtype(model.config)
    loaded = said if dtype == "auto" else dtype
    if stated_quantisation(model.config) or loaded not in BITS:
        return stored
    dims = model.closed_form
    numbers = count_parameters(dims).total if dims else None
    if numbers is None and stored is not None and said is not None:
        numbers = stored * 8 // BITS[said]
    return None if numbers is None else numbers * BITS[loaded] // 8


def free_bytes(device: str) -> int | None:
    """Memory of the device that nobody holds; None where it does not tell."""
    if not device.startswith("cuda"):
        return available_bytes()
    import torch

    return int(torch.cuda.mem_get_info(device)[0])


def available_bytes(root: Path = Path("/")) -> int | None:
    """Memory that a process can still take without swapping; None where the system does not tell."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", (root / "proc/meminfo").read_text("utf-8"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


class Held(NamedTuple):
    """Bytes of this process's memory: all that is resident, and of it what no file is behind."""

    resident: int
    anonymous: int


def held_bytes(root: Path = Path("/")) -> Held | None:
    """What this process holds now; None where the system does not tell."""
    try:
        told = (root / "proc/self/status").read_text("utf-8")
    except OSError:
        return None
    found = dict(re.findall(r"^(VmRSS|RssAnon):\s+(\d+) kB", told, re.MULTILINE))
    return Held(*(int(found[name]) * 1024 for name in ("VmRSS", "RssAnon"))) if len(found) == 2 else None
