"""A packed model on trial: scores and decoded tokens of a small tree against the model's own forward passes.

What the checks of configuration and modules do not show (a layer that mixes tokens elsewhere, a mask that is not asked for)
differs here. Windows are short while it runs, and weights in half precision are taken as fp32.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F

from backends.contract import OutOfMemory, ScoreRequest
from backends.packing.forward_pass import Layer, Unsupported
from backends.packing.packed_model import PackedModel
from backends.packing.prefix_tree import Row
from backends.packing.scheduler import Answers
from backends.packing.score import packed_scores
from backends.packing.slots import SlotCache, prefilled
from backends.packing.worker_pool import WorkerPool, single_worker
from backends.trial.precise import Precise, in_halves
from backends.trial.windows import short_windows
from zoo.errors import one_line

TOLERANCE = 1e-3
"""Largest |Δ log p| of a token in fp32: rounding stays below 1e-4, a wrong key costs 1e-2 or more."""
HALF_TOLERANCE = 0.25
"""The same where there is no room to take half precision as fp32: the model's own forward pass rounds every activation."""
LENGTH, SCORED, DECODED = 40, 12, 3
"""Tokens of each sequence, of its end that is scored, and of its middle that is decoded one at a time."""
TRIAL_BUDGET = 29
"""Tokens of a row in the trial: few, so that branches and paths are cut."""


def packed_or_not(model: Any, eager: bool, decode: str = "torch") -> tuple[PackedModel | None, str]:
    """The model ready for packing, or None; and how it will be scored, for the records. Raises OutOfMemory.

    `decode` is one of the ways of `backends.packing.decode`; the model's `decodes` says which it came to.
    """
    if eager:
        return None, "plain"
    try:
        return tried_model(model, decode), "packed"
    except Unsupported as reason:
        return None, f"plain, since {reason}"


def tried_model(model: Any, decode: str = "torch") -> PackedModel:
    """The packed model, once its trial has passed; raises Unsupported where packing does not follow the model, OutOfMemory.

    A fast step that does not pass is given up, and the model decodes without it.
    """
    try:
        packed = PackedModel(model)
        worst, allowed = _try_on_cpu(packed, model, decode) if packed.device.type == "cpu" else _try(packed, model)
        if worst <= allowed and packed.device.type != "cpu":
            _try_graphs(packed, model, decode)
    except (Unsupported, OutOfMemory, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a model's own code, run in a way that it was not written for
        if "'Reach'" in str(error):
            raise Unsupported("its code computes with the mask itself") from error
        raise Unsupported(f"a trial of it failed ({one_line(error) or type(error).__name__})") from error
    if not worst <= allowed:
        raise Unsupported(f"a trial of it differs by {worst:.2g} in log p from its own forward pass")
    return packed


def _try_on_cpu(packed: PackedModel, model: Any, decode: str) -> tuple[float, float]:
    """`_try` by the fast step where there is one, else, or where that fails, by forward passes."""
    packed.choose_decode(decode)
    worst, allowed = _try(packed, model)
    if worst <= allowed or packed.fast is None:
        return worst, allowed
    packed.give_up_fast(f"a trial of its fast step differs by {worst:.2g} in log p")
    return _try(packed, model)


def _try_graphs(packed: PackedModel, model: Any, decode: str) -> None:
    """A GPU's fast step on trial by itself, as the weights are held: what is captured in a graph cannot be widened."""
    packed.choose_decode(decode)
    if packed.fast is None:
        return
    worst, allowed = _try(packed, model, may_widen=False)
    if not worst <= allowed:
        packed.give_up_fast(f"a trial of its fast step differs by {worst:.2g} in log p")


@torch.inference_mode()
def _try(packed: PackedModel, model: Any, may_widen: bool = True) -> tuple[float, float]:
    """The largest |Δ log p| of the trial, and what is allowed."""
    _check_calls(packed)
    halves = in_halves(model)
    with short_windows(model, packed.twin):
        if halves and may_widen:
            try:
                return _largest_difference(packed, model, precise=True), TOLERANCE
            except (OutOfMemory, torch.OutOfMemoryError):
                pass  # an fp32 copy of one weight has no room: then as they are held
        return _largest_difference(packed, model, precise=False), HALF_TOLERANCE if halves else TOLERANCE


def _check_calls(packed: PackedModel) -> None:
    """Every layer must leave its attention to ours."""
    calls, layers = len(packed.kept_bytes), packed.num_layers
    if not calls:
        raise Unsupported("its attention is code of its own, not transformers' interface")
    if calls != layers:
        raise Unsupported(f"its {layers} layers attend {calls} times")


class _PreciseRows:
    """A packed model as a `RowEngine` whose weights are taken as fp32; one worker, since the mode is a thread's own."""

    min_scored_per_head_call = 1

    def __init__(self, packed: PackedModel) -> None:
        self._packed = packed

    def workers(self, rows: int) -> AbstractContextManager[WorkerPool]:
        return single_worker()

    def run_row(self, row: Row, path: list[Layer] | None) -> tuple[torch.Tensor, list[Layer]]:
        with Precise():
            return self._packed.run_row(row, path)

    def shortened(self, path: list[Layer] | None, length: int) -> list[Layer]:
        return self._packed.shortened(path, length)

    def answer(self, rows: Sequence[Row], states: Sequence[torch.Tensor]) -> list[Answers]:
        with Precise():
            return self._packed.answer(rows, states)


def _largest_difference(packed: PackedModel, model: Any, precise: bool) -> float:
    """Score the ends of sequences that share prefixes, decode inside them, and compare each token's log p."""
    sequences = sequences_of(model)
    with Precise() if precise else nullcontext():
        own = _own_logprobs(model, sequences)
        differences = _decoded_differences(packed, sequences, own)
    if not own.isfinite().all():
        raise Unsupported("its own log-probabilities are not finite")
    asked = [ScoreRequest(tuple(ids[:-SCORED]), tuple(ids[-SCORED:]), per_token=True) for ids in sequences]
    scores = packed_scores(asked, _PreciseRows(packed) if precise else packed, TRIAL_BUDGET)
    for score in scores:
        differences.append(torch.tensor(score.token_logprobs) - own[score.index, -SCORED:])
    return float(torch.cat(differences).abs().max())


def sequences_of(model: Any) -> list[list[int]]:
    """Four sequences, three of which share their beginnings, without tokens that a configuration gives a meaning."""
    named = [value for name, value in model.config.to_dict().items() if name.endswith(("token_id", "token_index"))]
    special = {token for value in named for token in (value if isinstance(value, list) else [value])}
    ordinary = [i for i in range(min(model.get_output_embeddings().weight.shape[0], 4096)) if i not in special]
    ids = [ordinary[(7 * i * i + 3 * i + 1) % len(ordinary)] for i in range(4 * LENGTH)]
    parts = [ids[LENGTH * i : LENGTH * (i + 1)] for i in range(4)]
    return [parts[0], parts[0][:24] + parts[1][24:], parts[0][:20] + parts[2][20:], parts[3]]


def _own_logprobs(model: Any, sequences: list[list[int]]) -> torch.Tensor:
    """log p of every token but the first by the model's own forward pass, `[sequences, LENGTH - 1]`."""
    whole = torch.tensor(sequences, device=model.device)
    logits = model(whole[:, :-1], use_cache=False).logits.float()
    return F.log_softmax(logits, -1).gather(2, whole[:, 1:, None])[:, :, 0].cpu()


def _decoded_differences(packed: PackedModel, sequences: list[list[int]], own: torch.Tensor) -> list[torch.Tensor]:
    """Fill slots with beginnings of unlike lengths, and decode what follows in each; Δ log p of every predicted token."""
    lengths = [LENGTH // 2 + i for i in range(len(sequences))]
    slots: SlotCache[int] = SlotCache(packed, len(sequences), LENGTH)
    differences: list[torch.Tensor] = []

    def compare(indices: Sequence[int], hidden: torch.Tensor, step: int) -> None:
        logprobs = F.log_softmax(packed.logits(hidden).float(), -1).cpu()
        for row, i in enumerate(indices):
            at = lengths[i] + step
            differences.append((logprobs[row, sequences[i][at]] - own[i, at - 1])[None])

    for prompts in prefilled(
        packed, [ids[:length] for ids, length in zip(sequences, lengths, strict=True)], TRIAL_BUDGET
    ):
        for prompt in prompts:
            slots.add(prompt, prompt.index)
            compare([prompt.index], prompt.hidden[None], 0)
    for step in range(DECODED):
        positions = [lengths[i] + step for i in slots.active]
        newest = [sequences[i][at] for i, at in zip(slots.active, positions, strict=True)]
        compare(slots.active, slots.decode(newest, positions), step + 1)
    return differences
