"""GPUs as Ray calls them, by their names in gpus.yaml."""

from __future__ import annotations

from typing import Any

from zoo.errors import UnknownName
from zoo.names import unknown

CPU = "cpu"
RESOURCE = "accelerator_type:"
"""What Ray's nodes offer of the type of their GPUs begins so."""
A_LITTLE = 0.001
"""Of a type's resource: enough to be placed on a node that has it, as Ray itself does for `accelerator_type`."""
RAY_TYPES = {
    "a100-40-sxm": "A100",
    "a100-40-pcie": "A100",
    "a100-80-sxm": "A100",
    "a100-80-pcie": "A100",
    "a30": "A30",
    "a10": "A10",
    "l4": "L4",
    "l40s": "L40S",
    "rtx-4090": "GeForce-RTX-4090",
    "h100-sxm": "H100",
    "h100-pcie": "H100",
    "h100-nvl": "H100",
    "h200": "H200",
    "b200": "B200",
    "gb200": "GB200",
    "rtx-5090": "GeForce-RTX-5090",
    "rtx-pro-6000": "RTX-PRO-6000",
}
"""Id in gpus.yaml → Ray's type. Ray's are coarser (an H100 is an H100): which one a node really has, its driver tells there."""


def resources_of(accelerator: str | None) -> dict[str, float]:
    """What a piece of work on one such GPU asks of a node, in Ray's words; for None and `cpu` one core."""
    if accelerator in (None, CPU):
        return {"CPU": 1.0}
    kind = RAY_TYPES.get(accelerator, accelerator)
    return {"CPU": 1.0, "GPU": 1.0, f"{RESOURCE}{kind}": A_LITTLE}


def as_options(resources: dict[str, float]) -> dict[str, Any]:
    """The same as options of a Ray task or actor."""
    kinds = {name: amount for name, amount in resources.items() if name.startswith(RESOURCE)}
    return {"num_cpus": resources["CPU"], "num_gpus": resources.get("GPU", 0), "resources": kinds}


def check_accelerator(accelerator: str, offered: set[str]) -> None:
    """UnknownName unless it is `cpu`, in gpus.yaml, or a type that a node offers by Ray's name for it."""
    types = {name.removeprefix(RESOURCE) for name in offered if name.startswith(RESOURCE)}
    known = sorted({CPU, *RAY_TYPES, *types})
    if accelerator not in known:
        raise unknown(UnknownName, "accelerator", accelerator, known, f"Known are: {', '.join(known)}.")
