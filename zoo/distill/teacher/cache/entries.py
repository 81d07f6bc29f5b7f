"""From what a teacher says of a row to what is kept of it, and back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.distill.batch import ExactTargets, Head, SampledTargets
from zoo.distill.teacher.cache.manifest import Exact, Form, Sampled
from zoo.distill.teacher.cache.packing import Packing
from zoo.distill.teacher.cache.sampling import probabilities, sample, uniforms
from zoo.errors import CacheOfOtherForm, InvalidOption

HIDDEN, SAMPLES, ENTROPY = "hidden", "samples", "entropy"
PROBABILITIES = 1 << 22
"""Probabilities that are in memory together while samples are drawn."""
MOST_K = 4096


def kept_of(form: Form, row: int, places: Tensor, targets: ExactTargets) -> dict[str, Tensor]:
    """What a cache keeps of one row, a line for each counted position; `places` are theirs in the row.

    Raises CacheOfOtherForm where an exact cache is to hold another dtype than the teacher computes in.
    """
    if isinstance(form, Sampled):
        samples, entropy = draw_row(form, row, places, targets.hidden, targets.head)
        return {SAMPLES: samples.cpu(), ENTROPY: entropy.cpu()}
    found = str(targets.hidden.dtype).removeprefix("torch.")
    if found != form.dtype:
        raise CacheOfOtherForm(
            f"The teacher computes in {found}, and the cache is to hold {form.dtype}.", f"Ask for a cache in {found}."
        )
    states = {_state(layer): state.cpu() for layer, state in zip(form.layers, targets.states, strict=True)}
    return {HIDDEN: targets.hidden.cpu(), **states}


def targets_of(
    form: Form, kept: Mapping[str, Tensor], head: Head | None, vocabulary: int
) -> ExactTargets | SampledTargets:
    """The targets that lines of a cache stand for; `head` is the teacher's, with which exact ones come."""
    if isinstance(form, Sampled) or head is None:
        return SampledTargets(*Packing(vocabulary).unpack(kept[SAMPLES]), kept[ENTROPY])
    return ExactTargets(kept[HIDDEN], head, tuple(kept[_state(layer)] for layer in form.layers))


def names_of(form: Form) -> tuple[str, ...]:
    """The tensors that hold a row's lines."""
    if isinstance(form, Sampled):
        return SAMPLES, ENTROPY
    return HIDDEN, *(_state(layer) for layer in form.layers)


def check_form(form: Form, vocabulary: int) -> None:
    """Raise InvalidOption for a number of samples that cannot be drawn, or ids that leave no bits for a weight."""
    if isinstance(form, Exact):
        return
    most = min(MOST_K, vocabulary)
    if not 1 <= form.k <= most:
        raise InvalidOption(f"{form.k:,} of {vocabulary:,} tokens cannot be kept a position.", f"Give 1 to {most:,}.")
    Packing(vocabulary)


@torch.no_grad()
def draw_row(form: Sampled, row: int, places: Tensor, hidden: Tensor, head: Head) -> tuple[Tensor, Tensor]:
    """Packed samples [positions, k] of one row, from its hidden states at `places`, and entropies [positions] in fp32.

    The dice are those of seed and row, and the row's distributions are computed alone: what is drawn does not depend on
    the batch in which the row came, but as far as its hidden states do.
    """
    packing = Packing(int(head.weight.shape[0]))
    length = int(places.max()) + 1 if len(places) else 0
    dice = torch.from_numpy(_dice(form, row, length))[places.cpu()].to(hidden.device)
    step = max(1, PROBABILITIES // int(head.weight.shape[0]))
    drawn = [hidden.new_empty((0, form.k), dtype=torch.int32)]
    entropies = [hidden.new_empty(0, dtype=torch.float32)]
    for first in range(0, len(hidden), step):
        part = slice(first, first + step)
        p = probabilities(hidden[part], head, form.temperature)
        drawn.append(packing.pack(sample(p, form.k, form.draw, dice[part, 1:]), dice[part, 0]))
        entropies.append(torch.special.entr(p).sum(-1).float())
    return torch.cat(drawn), torch.cat(entropies)


def _dice(form: Sampled, row: int, length: int) -> NDArray[np.float64]:
    """Uniform numbers for each place of a row: one for the rounding of weights, then those of the draw."""
    numbers = np.random.Generator(np.random.Philox(key=[form.seed & (2**64 - 1), row]))
    return numbers.random((length, 1 + uniforms(form.draw, form.k)))


def _state(layer: int) -> str:
    return f"state.{layer}"
