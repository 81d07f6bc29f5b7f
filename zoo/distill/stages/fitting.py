"""A request made to fit: rows to the models' contexts, micro-batches to the device's memory; what a step costs there."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch

from zoo.arch.gpus import find_gpu
from zoo.distill.correction import correction_settings
from zoo.distill.plan.fit import fit
from zoo.distill.plan.host import check_host
from zoo.distill.plan.setup import Setup, Targets
from zoo.distill.plan.time import step_flops
from zoo.distill.request import Correction, DistillRequest
from zoo.distill.settings import LossSettings, TrainSettings
from zoo.distill.stages.pair import Pair
from zoo.distill.train.metrics import Work
from zoo.distill.train.world import World
from zoo.errors import ConflictingOptions, InvalidOption
from zoo.prune.importance.devices import free_memory

UNKNOWN_MEMORY = 4 << 30
"""Bytes that are planned with where the system does not say how many are free."""
Tell = Callable[[str], None]


def fitted(request: DistillRequest, pair: Pair, world: World, tell: Tell) -> DistillRequest:
    """The request with rows that both models attend to, and without `--micro` the largest micro-batch that fits.

    Raises InvalidOption for rows that are asked for and too long, and what the plan raises where nothing fits.
    """
    longest, length = pair.longest, request.train.length
    if length > longest:
        if request.length_asked and request.recipe is None:
            raise InvalidOption(
                f"Rows of {length:,} tokens are longer than the models attend to ({longest:,}).",
                "Give a smaller --length.",
            )
        if request.recipe is not None:
            tell(f"The recipe's rows of {length:,} tokens are cut to the models' context of {longest:,}.")
        request = request.over(longest)
    return _with_micro(request, pair, world, tell)


def check_offload(train: TrainSettings, world: World) -> None:
    """Raise ConflictingOptions where weights are to wait in the host's memory and the device's is the same."""
    if train.offload and world.device.type == "cpu":
        raise ConflictingOptions(
            "--offload keeps weights out of a GPU's memory, and this run is on a CPU, whose memory is the host's own.",
            "Leave --offload away, or give --device cuda on a machine with a GPU.",
        )


def targets_of(request: DistillRequest) -> Targets:
    """Where the teacher's word comes from, as a plan has it."""
    if request.teacher_cache is None:
        return "live"
    return "exact" if request.sampled is None else "sampled"


def setup_of(request: DistillRequest, pair: Pair, world: World) -> Setup | None:
    """The run as a plan knows it; None for a model without a closed form."""
    if pair.dims is None:
        return None
    device: Literal["cpu", "cuda"] = "cuda" if world.device.type == "cuda" else "cpu"
    draws, rank = request.sampled or 1, request.lora or 0
    return Setup(*pair.dims, request.train, request.loss, targets_of(request), draws, world.size, device, rank)


def work_of(request: DistillRequest, pair: Pair, world: World) -> Work:
    """FLOPs of a token and the devices' peak, as far as either is known."""
    setup = setup_of(request, pair, world)
    if setup is None:
        return Work()
    a_token = step_flops(setup).model / (request.train.batch * request.train.length)
    return Work(a_token, _peak(request, world))


def _peak(request: DistillRequest, world: World) -> float | None:
    if world.device.type != "cuda":
        return None
    capability = ".".join(map(str, torch.cuda.get_device_capability(world.device)))
    gpu = find_gpu(torch.cuda.get_device_name(world.device), capability)
    peak = None if gpu is None else gpu.flops_per_s(request.train.dtype)
    return None if peak is None else peak * world.size


def _with_micro(request: DistillRequest, pair: Pair, world: World, tell: Tell) -> DistillRequest:
    setup = setup_of(request, pair, world)
    if setup is not None:
        check_host(setup, min(world.gather(_share_of_host())))
    if request.micro_asked or setup is None:
        rows = max(1, request.train.batch // world.size)
        return replace(request, train=replace(request.train, micro=min(request.train.micro, rows)))
    found = fit(setup, min(world.gather(_memory(world))))
    request = replace(request, correction=_fitted_correction(request, setup, world))
    train, loss = found.setup.train, found.setup.loss
    tell(
        f"{train.micro} rows at a time: {found.memory.total / 1e9:.2f} GB at the peak by plan, of "
        f"{found.room / 1e9:.2f} GB that it may take."
    )
    return replace(
        request, train=replace(request.train, micro=train.micro), loss=replace(request.loss, chunk=loss.chunk)
    )


def _fitted_correction(request: DistillRequest, setup: Setup, world: World) -> Correction | None:
    """A correction before the distillation is a training of the teacher, which takes more than the student's.

    Raises DeviceMemory where that does not fit. Beside the student nothing is planned for it.
    """
    correction = request.correction
    if correction is None or correction.when != "before":
        return correction
    train = correction_settings(request.train, correction)
    teacher = replace(
        setup, student=setup.teacher, train=train, loss=LossSettings(), targets="sampled", draws=1, lora=0
    )
    return replace(correction, micro=fit(teacher, min(world.gather(_memory(world)))).setup.train.micro)


def _memory(world: World) -> int:
    """Bytes that this process may take of its device."""
    if world.device.type == "cpu":
        return _share_of_host()
    return free_memory(str(world.device)) or UNKNOWN_MEMORY


def _share_of_host() -> int:
    """Of the machine's free memory this process's part."""
    return (free_memory("cpu") or UNKNOWN_MEMORY) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
