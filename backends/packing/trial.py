"""A trial of a packed model: its scores of a small tree against the model's own forward passes, before it is used.

What the checks of configuration and modules do not show (a softcap, a layer that mixes tokens elsewhere) differs here.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from backends.contract import ScoreRequest
from backends.packing.forward_pass import Unsupported
from backends.packing.packed_model import PackedModel
from backends.packing.score import packed_scores

TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3}
"""Largest |Δ log p| of a token, by the dtype of the weights: fp32 rounding stays below 1e-4, a wrong key costs 1e-2 or more."""
HALF_TOLERANCE = 0.25
"""The same for bf16 and fp16, where the model's own forward pass rounds every activation."""
TRIAL_BUDGET = 17
"""Tokens of a row in the trial: few, so that branches and paths are cut."""
SCORED = 4
"""Tokens scored at the end of each sequence."""


def packed_or_not(model: Any, eager: bool) -> tuple[PackedModel | None, str]:
    """The model ready for packing, or None; and how it will be scored, for the records."""
    if eager:
        return None, "plain"
    try:
        return tried_model(model), "packed"
    except Unsupported as reason:
        return None, f"plain, since {reason}"


def tried_model(model: Any) -> PackedModel:
    """The packed model, once its trial has passed; raises Unsupported where packing does not follow the model."""
    packed = PackedModel(model)
    try:
        worst = _largest_difference(packed, model)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise Unsupported(f"a trial of it failed ({type(error).__name__}: {error})") from error
    if math.isnan(worst) or worst > TOLERANCE.get(model.dtype, HALF_TOLERANCE):
        raise Unsupported(f"a trial of it differs by {worst:.2g} in log p from its own forward pass")
    return packed


def _largest_difference(packed: PackedModel, model: Any) -> float:
    """Score sequences that share prefixes, and compare each token's log p."""
    vocabulary = packed.head.weight.shape[0]
    ids = [(7 * i * i + 3 * i + 1) % vocabulary for i in range(64)]
    trunk = ids[:24]
    sequences = [trunk + ids[24:30], trunk + ids[30:41], trunk[:20] + ids[41:52], ids[52:60]]
    requests = [ScoreRequest(tuple(ids[:-SCORED]), tuple(ids[-SCORED:]), per_token=True) for ids in sequences]
    scores = sorted(packed_scores(requests, packed, TRIAL_BUDGET), key=lambda score: score.index)
    found = torch.tensor([logprob for score in scores for logprob in score.token_logprobs or ()])
    own = torch.cat([_own_logprobs(model, sequence) for sequence in sequences])
    return float((found - own.cpu()).abs().max())


@torch.inference_mode()
def _own_logprobs(model: Any, sequence: list[int]) -> torch.Tensor:
    whole = torch.tensor([sequence], device=model.device)
    logits = model(whole[:, :-1], use_cache=False).logits[0, -SCORED:].float()
    return F.log_softmax(logits, -1).gather(1, whole[0, -SCORED:, None])[:, 0]
