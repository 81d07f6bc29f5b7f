"""What a process holds in the host's memory where a run keeps its weights there, and whether the host has as much."""

from __future__ import annotations

from zoo.arch.parameters import count_parameters
from zoo.distill.plan.memory import CONTEXT, FULL, Memory, Part
from zoo.distill.plan.setup import Setup
from zoo.errors import DeviceMemory

USABLE = 0.9
"""Share of a host's free memory that a plan fills: pinned pages are never swapped out, and others live there too."""


def host_memory(setup: Setup) -> Memory | None:
    """What `--offload` leaves to the host, for one process; None without it.

    While it is loaded a process holds the whole student in fp32; then its share of weights, gradients and moments, in fp32,
    and of the teacher's decoder in the dtype of the products.
    """
    if not setup.train.offload:
        return None
    teacher = Part("teacher", _teacher(setup) // setup.shards)
    process = Part("process and libraries", CONTEXT["cpu"])
    frozen = setup.parameters * setup.width if setup.lora else 0
    trained = (setup.trained + setup.projection) * FULL
    training = (
        Part("weights", (trained + frozen) // setup.shards),
        Part("gradients", trained // setup.shards),
        Part("optimizer", 2 * trained // setup.shards),
    )
    loading = (Part("the whole student, as it is loaded", setup.parameters * FULL),)
    moments = [Memory("training", (*training, teacher, process)), Memory("loading", (*loading, teacher, process))]
    return max(moments, key=lambda memory: memory.total)


def check_host(setup: Setup, free: int) -> None:
    """Raise DeviceMemory where `free` bytes of the host, this process's part of them, do not hold what is left to it."""
    needed = host_memory(setup)
    if needed is None or needed.total <= free * USABLE:
        return
    parts = ", ".join(f"{part.name} {part.bytes / 1e9:.1f} GB" for part in needed.parts if part.bytes)
    raise DeviceMemory(
        f"--offload leaves {needed.total / 1e9:.1f} GB to the host for each process ({needed.moment}: {parts}), which has "
        f"{free / 1e9:.1f} GB free for it.",
        "Take fewer processes a machine, --lora, a smaller student, or --teacher-cache for the teacher's part.",
    )


def _teacher(setup: Setup) -> int:
    """All of a live teacher but the head, which stays on the device, with an embedding that is tied to it."""
    if setup.targets != "live":
        return 0
    count = count_parameters(setup.teacher)
    around = 0 if setup.teacher.tied_embeddings else count.embedding
    return (sum(count.per_layer) + around) * setup.width
