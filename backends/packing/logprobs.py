"""log p of chosen tokens from hidden states, without the `[positions, vocabulary]` matrix; or, for few positions, of all.

The vocabulary is taken in blocks with a running maximum and a running sum (the online softmax of Milakov and Gimelshein
2018, arXiv 1805.02867, algorithm 3), always in fp32, in one buffer of a stated size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from backends.packing.head import Finish, OutputHead

BUDGET = {"cpu": 8 << 20, "cuda": 256 << 20}
"""Bytes of fp32 logits that exist at a time. On a CPU the block stays in the cache."""
POSITIONS = 512
"""Positions of one matrix product with the head: enough for full matrix speed."""


@dataclass
class _Running:
    """Per position: the largest logit so far and the sum of exponentials below it; per question: its logit, and whether
    its token is the first of the largest.
    """

    largest: torch.Tensor
    total: torch.Tensor
    logit: torch.Tensor
    greedy: torch.Tensor


def target_logprobs(
    hidden: torch.Tensor,
    head: Any,
    asked: torch.Tensor,
    targets: torch.Tensor,
    budget: int | None = None,
    finish: Finish | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """log p(targets[i]) at hidden[asked[i]], and whether that token is the most probable one (the first among equals).

    `hidden` is `[positions, width]`, `head` a Linear over the vocabulary, `asked` ascending; `finish` is what the model does
    to the head's logits. Returns fp32 `[questions]` and bool `[questions]`. Logits are computed in fp32 from whatever the
    weights are held in.
    """
    budget = budget or BUDGET[hidden.device.type]
    logprobs = torch.empty(len(asked), dtype=torch.float32, device=hidden.device)
    greedy = torch.empty(len(asked), dtype=torch.bool, device=hidden.device)
    for start in range(0, len(hidden), POSITIONS):
        part = hidden[start : start + POSITIONS]
        low, high = torch.searchsorted(asked, torch.tensor([start, start + len(part)], device=asked.device)).tolist()
        done = _run(part, head, asked[low:high] - start, targets[low:high], budget, finish)
        of = asked[low:high] - start
        logprobs[low:high] = done.logit - done.largest[of] - done.total[of].log()
        greedy[low:high] = done.greedy
    return logprobs, greedy


@torch.inference_mode()
def all_logprobs(hidden: torch.Tensor, head: OutputHead) -> torch.Tensor:
    """log p of every token of the vocabulary at each hidden state, fp32 `[positions, vocabulary]`.

    Weights that are held in less than fp32 are widened a BUDGET at a time.
    """
    vocabulary, width = head.linear.weight.shape
    logits = torch.empty(len(hidden), vocabulary, dtype=torch.float32, device=hidden.device)
    whole = head.linear.weight.dtype == torch.float32
    step = vocabulary if whole else max(1, BUDGET[hidden.device.type] // (4 * width))
    for low in range(0, vocabulary, step):
        high = min(low + step, vocabulary)
        head_logits(widened(hidden), head.linear, low, high, logits[:, low:high])
    return torch.log_softmax(logits if head.finish is None else head.finish(logits).float(), -1)


def _run(
    hidden: torch.Tensor, head: Any, asked: torch.Tensor, targets: torch.Tensor, budget: int, finish: Finish | None
) -> _Running:
    vocabulary, rows = head.weight.shape[0], len(hidden)
    width = max(1, min(vocabulary, budget // (4 * rows)))
    buffer = torch.empty(rows * width, dtype=torch.float32, device=hidden.device)
    state = _Running(
        torch.full((rows,), float("-inf"), device=hidden.device),
        torch.zeros(rows, device=hidden.device),
        torch.empty(len(asked), device=hidden.device),
        torch.zeros(len(asked), dtype=torch.bool, device=hidden.device),
    )
    hidden = widened(hidden)
    for low in range(0, vocabulary, width):
        high = min(low + width, vocabulary)
        logits = buffer[: rows * (high - low)].view(rows, high - low)
        head_logits(hidden, head, low, high, logits)
        _take_in(state, logits if finish is None else finish(logits).float(), low, asked, targets)
    return state


def _take_in(state: _Running, logits: torch.Tensor, low: int, asked: torch.Tensor, targets: torch.Tensor) -> None:
    """Add a block of logits, `[positions, block]`, that begins at token `low`; the block is destroyed."""
    largest = logits.amax(-1)
    exceeded = largest > state.largest
    state.greedy &= ~exceeded[asked]
    inside = ((targets >= low) & (targets < low + logits.shape[1])).nonzero()[:, 0]
    of, token = asked[inside], targets[inside] - low
    values = logits[of, token]
    state.logit[inside] = values
    leading = ((values == largest[of]) & exceeded[of]).nonzero()[:, 0]
    if len(leading):  # an equal logit with a smaller index would be the greedy one
        state.greedy[inside[leading]] = logits[of[leading]].argmax(-1) == token[leading]
    new = torch.maximum(largest, state.largest)
    state.total *= (state.largest - new).exp()
    state.total += logits.sub_(new[:, None]).exp_().sum(-1)
    state.largest = new


def _mixed(hidden: torch.Tensor) -> bool:
    """Whether the device multiplies half-precision numbers into fp32 itself."""
    return hidden.device.type == "cuda" and hidden.dtype in (torch.bfloat16, torch.float16)


def widened(hidden: torch.Tensor) -> torch.Tensor:
    """Hidden states as `head_logits` takes them: in fp32, unless the device itself multiplies half precision into it."""
    return hidden if _mixed(hidden) else hidden.float()


def head_logits(hidden: torch.Tensor, head: Any, low: int, high: int, out: torch.Tensor) -> None:
    """The head's fp32 output for the tokens `low` to `high` of the vocabulary, into `out`, `[positions, high - low]`."""
    weight = head.weight[low:high]
    if _mixed(hidden):
        torch.mm(hidden, weight.T, out_dtype=torch.float32, out=out)
    else:
        torch.mm(hidden, weight.float().T, out=out)
    if head.bias is not None:
        out += head.bias[low:high].float()
