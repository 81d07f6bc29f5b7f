"""One step of the optimizer: micro-batches, whose losses are divided by the tokens of the whole step over all ranks."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from zoo.distill.batch import Batch, Teacher, counted
from zoo.distill.settings import TrainSettings
from zoo.distill.train.objective import PARTS, Objective
from zoo.distill.train.optimizer import set_rate
from zoo.distill.train.world import World, naming_lost_ranks
from zoo.errors import LossNotFinite


@dataclass(frozen=True)
class StepLoss:
    """What a step lost, in nats a counted token over all ranks, and by how much it would have moved."""

    loss: float
    divergence: float
    cross_entropy: float
    states: float
    grad_norm: float
    """Of all gradients together, before clipping."""
    tokens: int
    """Counted tokens, over all ranks."""


def take_step(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    teacher: Teacher | None,
    batches: Sequence[Batch],
    settings: TrainSettings,
    world: World,
    step: int,
    rate: float,
) -> StepLoss:
    """Forward and backward over this rank's micro-batches, clip, one step of the optimizer at this rate.

    A micro-batch's loss is a sum over its tokens, and is divided by the tokens of all micro-batches of all ranks: so how the
    rows are cut into micro-batches and shared over ranks changes nothing but rounding. (Means of means weigh the tokens of a
    short micro-batch more.) Raises LossNotFinite before the optimizer moves anything, RankLost.
    """
    with naming_lost_ranks(f"in step {step + 1}"):
        (tokens,) = world.total([float(sum(int(counted(batch).sum()) for batch in batches))])
        objective: Objective = getattr(module, "module", module)  # pyright: ignore[reportAssignmentType]
        if objective.wants_alpha:
            with torch.no_grad():
                _weigh_states(objective, world, [_parts(module, teacher, _on(one, world.device)) for one in batches])
        sums = [
            _forward_backward(module, teacher, _on(batch, world.device), world.size / max(1.0, tokens), last)
            for batch, last in _with_last(batches)
        ]
        lost = torch.stack(sums).sum(0).tolist() if sums else [0.0] * len(PARTS)
        loss, divergence, cross_entropy, states = parts = [value / max(1.0, tokens) for value in world.total(lost)]
        if not all(map(math.isfinite, parts)):
            raise _not_finite(
                "loss", step, world, [batch for batch, own in zip(batches, sums, strict=True) if _bad(own)]
            )
        if objective.projection is not None:
            objective.set_alpha(divergence, states)
        norm = clip(module, settings.clip)
        if not math.isfinite(norm):
            raise _not_finite("gradient", step, world, list(batches))
        set_rate(optimizer, rate)
        optimizer.step()
        optimizer.zero_grad()
    return StepLoss(loss, divergence, cross_entropy, states, norm, int(tokens))


def clip(module: nn.Module, most: float) -> float:
    """Scale all gradients so that their norm is at most this (0: leave them); the norm before."""
    given = [parameter for parameter in module.parameters() if parameter.grad is not None]
    norm: Any = torch.nn.utils.clip_grad_norm_(given, most if most > 0 else math.inf)
    return float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)


def _forward_backward(module: nn.Module, teacher: Teacher | None, batch: Batch, factor: float, last: bool) -> Tensor:
    """The sums of PARTS of one micro-batch, in fp64; its gradients are added to those before.

    `factor` undoes the mean over ranks that DDP and FSDP take of gradients, and divides by the step's tokens.
    """
    with contextlib.nullcontext() if last else _apart(module):
        parts = _parts(module, teacher, batch)
        (parts[0] * factor).backward()
    return _exact(parts)


def _parts(module: nn.Module, teacher: Teacher | None, batch: Batch) -> tuple[Tensor, ...]:
    return module(batch, None if teacher is None else teacher.targets(batch))


def _exact(parts: tuple[Tensor, ...]) -> Tensor:
    return torch.stack([part.detach().double() for part in parts])


def _weigh_states(objective: Objective, world: World, sums: list[tuple[Tensor, ...]]) -> None:
    """Give the first step an α of its own rows."""
    _, divergence, _, states = world.total(torch.stack([_exact(parts) for parts in sums]).sum(0).tolist())
    objective.set_alpha(divergence, states)


def _apart(module: nn.Module) -> AbstractContextManager[object]:
    """DDP sums whole gradients over ranks with the last micro-batch alone; FSDP with each, and so never holds one whole."""
    from torch.nn.parallel import DistributedDataParallel

    return module.no_sync() if isinstance(module, DistributedDataParallel) else contextlib.nullcontext()


def _with_last(batches: Sequence[Batch]) -> list[tuple[Batch, bool]]:
    return [(batch, at == len(batches)) for at, batch in enumerate(batches, 1)]


def _on(batch: Batch, device: torch.device) -> Batch:
    moved = {name: getattr(batch, name).to(device, non_blocking=True) for name in ("ids", "positions", "weight")}
    return replace(batch, **moved)


def _bad(sums: Tensor) -> bool:
    return not bool(torch.isfinite(sums).all())


def _not_finite(what: str, step: int, world: World, suspects: list[Batch]) -> LossNotFinite:
    """The error, the same on every rank, with the micro-batches of whichever rank has some to blame."""
    found = [one for own in world.gather([(batch.rows, batch.digest) for batch in suspects]) for one in own]
    named = "; ".join(f"rows {', '.join(map(str, rows))}, digest {digest[:16]}" for rows, digest in found[:4])
    more = f" and {len(found) - 4} more" if len(found) > 4 else ""
    return LossNotFinite(
        f"The {what} of step {step + 1} is NaN or infinite (micro-batches: {named or 'unknown'}{more})."
    )
