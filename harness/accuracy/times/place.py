"""Where a run to come would run, as its records would say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.contract import Options
from harness.records.measured_work import Place
from harness.records.provenance import hardware_of
from zoo.arch.held import config_dtype
from zoo.errors import MinizooError


def place_of(backend: str, options: Options, config: Mapping[str, Any]) -> Place | None:
    """The device and dtype that the options mean on this machine; None where it has no such device."""
    from backends.hf.loading import compute_dtype, resolve_device

    try:
        device = resolve_device(options.device)
        dtype = compute_dtype(options.dtype, device)
    except MinizooError:
        return None
    chosen = config_dtype(config) if dtype == "auto" else str(dtype).removeprefix("torch.")
    gpu, processor = hardware_of(device)
    return Place(backend, device.split(":")[0], gpu or processor, chosen)
