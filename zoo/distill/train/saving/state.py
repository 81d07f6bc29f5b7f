"""What a run goes on with beside its weights: each rank's share of fp32 weights and moments, and its random numbers.

A rank writes its own shards, so nothing is gathered. `fully_shard` cuts every parameter by its first axis, so another number
of ranks reads the rows that it needs out of the files of the old ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from zoo.distill.train.optimizer import fill_state
from zoo.distill.train.saving.tensor_file import write_tensors
from zoo.distill.train.world import World
from zoo.errors import InvalidTraining, one_line

RNG, RNG_GPU = "random/cpu", "random/cuda"


def file_name(rank: int, of: int) -> str:
    """The file of a rank."""
    return f"rank-{rank:05d}-of-{of:05d}.safetensors"


def write_state(objective: nn.Module, optimizer: torch.optim.Optimizer, folder: Path, world: World) -> None:
    """Write this rank's file: with DDP, whose ranks hold the same, all but the first one's random numbers alone."""
    tensors: dict[str, Tensor] = {}
    if world.is_first or world.mode == "fsdp":
        tensors = {key: one for key, one, _ in _held(objective, optimizer)}
    tensors[RNG] = torch.get_rng_state()
    if world.device.type == "cuda":
        tensors[RNG_GPU] = torch.cuda.get_rng_state(world.device)
    write_tensors(folder / file_name(world.rank, world.size), tensors)


def state_bytes(objective: nn.Module, eight_bit: bool) -> int:
    """Bytes of all ranks' files together: 12 a trained parameter, with moments in eight bits 6 and their scales."""
    trained = sum(one.numel() for one in objective.parameters() if one.requires_grad)
    return round(trained * 6.1) if eight_bit else trained * 12


@torch.no_grad()
def read_state(
    objective: nn.Module, optimizer: torch.optim.Optimizer, folder: Path, world: World, ranks: int, shards: int
) -> None:
    """Put the state of `ranks` ranks, in `shards` files, into weights, optimizer and random numbers of this rank.

    The random numbers come back where as many ranks wrote. Raises InvalidTraining for a file that is missing or broken, or
    that lacks a tensor or has it in another shape.
    """
    with torch.enable_grad():
        fill_state(optimizer)
    try:
        with ExitStack() as stack:
            files = [stack.enter_context(safe_open(folder / file_name(at, ranks), "pt")) for at in range(shards)]
            for key, mine, whole in _held(objective, optimizer):
                _fill(key, mine, whole, files, world)
            if ranks == world.size:
                own = stack.enter_context(safe_open(folder / file_name(world.rank, ranks), "pt"))
                torch.set_rng_state(own.get_tensor(RNG))
                if world.device.type == "cuda":
                    torch.cuda.set_rng_state(own.get_tensor(RNG_GPU), world.device)
    except (SafetensorError, OSError) as error:
        raise InvalidTraining(
            f"The training state in {folder} cannot be read ({one_line(error)}).",
            "Remove that checkpoint; the run then goes on from the one before.",
        ) from None


def _held(
    objective: nn.Module, optimizer: torch.optim.Optimizer
) -> Iterator[tuple[str, Tensor, tuple[int, ...] | None]]:
    """(key, this rank's part, shape of the whole where it can be cut by rows) of weights and moments.

    Moments in eight bits are codes and scales of blocks, which are not rows of the parameter.
    """
    for name, parameter in objective.named_parameters():
        if not parameter.requires_grad:
            continue
        yield f"weight/{name}", _local(parameter), tuple(parameter.shape)
        for key, value in sorted(optimizer.state[parameter].items()):
            if not isinstance(value, Tensor):
                continue
            mine = _local(value)
            if hasattr(mine, "__tensor_flatten__"):
                parts = mine.__tensor_flatten__()[0]
                yield from ((f"{key}.{part}/{name}", getattr(mine, part), None) for part in parts)
            else:
                yield f"{key}/{name}", mine, tuple(value.shape)


def _local(tensor: Any) -> Any:
    own = tensor.detach()
    return own.to_local() if hasattr(own, "to_local") else own


def _fill(key: str, mine: Tensor, whole: tuple[int, ...] | None, files: list[Any], world: World) -> None:
    if not mine.ndim or (whole is None and len(files) == _parts(world)):
        stored = files[world.rank if len(files) > 1 else 0].get_tensor(key)
    elif whole is None:
        raise InvalidTraining(
            f"Moments in eight bits were written by {len(files)} processes and cannot be cut anew.",
            f"Go on with {len(files)} processes.",
        )
    else:
        stored = _rows(key, files, *_my_rows(mine, whole, world))
    if stored.shape != mine.shape:
        raise InvalidTraining(
            f"The checkpoint has {key} in the shape {tuple(stored.shape)}, the student {tuple(mine.shape)}.",
            "Give the student that the run began with, or another --out.",
        )
    mine.copy_(stored)


def _parts(world: World) -> int:
    return world.size if world.mode == "fsdp" else 1


def _my_rows(mine: Tensor, whole: tuple[int, ...], world: World) -> tuple[int, int]:
    """First and last row, as torch.chunk cuts them."""
    if world.mode != "fsdp":
        return 0, whole[0]
    first = min(whole[0], -(-whole[0] // world.size) * world.rank)
    return first, first + mine.shape[0]


def _rows(key: str, files: list[Any], first: int, last: int) -> Tensor:
    """The rows [first, last) of a tensor that stands in pieces in these files, one after the other."""
    found: list[Tensor] = []
    at = 0
    for file in files:
        piece = file.get_slice(key)
        rows = piece.get_shape()[0]
        if max(first, at) < min(last, at + rows):
            found.append(piece[max(first, at) - at : min(last, at + rows) - at])
        at += rows
    return torch.cat(found) if found else files[0].get_slice(key)[:0]
