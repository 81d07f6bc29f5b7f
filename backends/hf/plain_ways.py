"""How a model that packing does not follow may be run: which shortcuts leave its log p as they are.

Batches of unlike prompts are padded and a cache stands for what was read. Some classes count positions over the padding, some
have a cache whose results differ from reading the whole: each way is tried once against the model's own forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F

from backends.generation_settings import NEUTRAL
from backends.packing.packed_model import depends_on_length
from backends.trial.packed_or_not import TOLERANCE, sequences_of
from backends.trial.precise import precisely
from backends.trial.windows import short_windows

CACHES = ("past_key_values", "cache_params", "state")
"""What models call the cache that they return and take."""
PROMPTS, NEW = (31, 4, 1), 3
"""Lengths of the prompts that are tried, and new tokens of each."""

Cache = dict[str, Any]


@dataclass(frozen=True)
class PlainWays:
    """What may be done: padding on the right of what is scored; `generate`, with prompts padded on the left, with a cache;
    a cache in `advance`.
    """

    right_padded: bool
    generates: bool
    left_padded: bool
    cached: bool
    streams_cached: bool

    @property
    def not_taken(self) -> str:
        """What is not done, for the records; empty where all is."""
        told = {
            "scored one at a time": self.right_padded,
            "generated one at a time": self.left_padded,
            "generated without a cache": self.cached,
            "streamed without a cache": self.streams_cached,
        }
        left_out = [words for words, may in told.items() if not may]
        return f"{', '.join(left_out)}, since it changes log p" if left_out else ""


def advance(model: Any, tokens: list[int], cache: Cache, cached: bool = True) -> tuple[torch.Tensor, Cache]:
    """Logits behind the last of a sequence's tokens, `[vocabulary]`, and its cache; an empty one reads the whole sequence."""
    new = tokens[-1:] if cache else tokens
    out = model(input_ids=torch.tensor([new], device=model.device), use_cache=cached, **cache)
    if not cached:
        return out.logits[0, -1], Cache()
    return out.logits[0, -1], {name: out[name] for name in CACHES if out.get(name) is not None}


@torch.inference_mode()
def plain_ways(model: Any) -> PlainWays:
    """Try each way, the quickest first. With RoPE whose angles depend on the longest sequence of a call nothing is padded."""
    prompts = [ids[:length] for ids, length in zip(sequences_of(model), PROMPTS, strict=False)]
    may_pad = not depends_on_length(model)
    with short_windows(model), precisely(model):
        right = may_pad and _holds(lambda: _scored(model, prompts))
        streams = _holds(lambda: _advanced(model, prompts))
        for cached, padded in product((True, False), (True, False) if may_pad else (False,)):
            if _holds(partial(_generated, model, prompts, padded, cached)):
                return PlainWays(right, True, padded, cached, streams)
        return PlainWays(right, False, False, streams, streams)


def _holds(differences: Callable[[], Iterator[float]]) -> bool:
    try:
        return all(difference <= TOLERANCE for difference in differences())
    except torch.OutOfMemoryError:
        raise
    except Exception:  # a model's own code: a way that it does not take is none
        return False


def _scored(model: Any, prompts: list[list[int]]) -> Iterator[float]:
    """|Δ log p| behind the last token of each prompt, from that of the prompt alone."""
    longest = max(map(len, prompts))
    padded = torch.tensor([prompt + [0] * (longest - len(prompt)) for prompt in prompts], device=model.device)
    logits = model(input_ids=padded, use_cache=False).logits
    for row, prompt in enumerate(prompts):
        last = logits[row, len(prompt) - 1]
        yield from _differences(model, prompt, [int(last.argmax())], [last])


def _generated(model: Any, prompts: list[list[int]], padded: bool, cached: bool) -> Iterator[float]:
    """|Δ log p| of every new token of `generate`, from the model's own forward pass over the whole sequence."""
    for batch in [prompts] if padded else [[prompt] for prompt in prompts]:
        longest = max(map(len, batch))
        ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in batch], device=model.device)
        mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in batch], device=model.device)
        settings = {"max_new_tokens": NEW, "min_new_tokens": NEW, "use_cache": cached, "pad_token_id": 0}
        told = {"output_logits": True, "return_dict_in_generate": True}
        out = model.generate(input_ids=ids, attention_mask=mask, **{**NEUTRAL, **settings, **told})
        for row, prompt in enumerate(batch):
            new = out.sequences[row, longest:].tolist()
            yield from _differences(model, prompt, new, [logits[row] for logits in out.logits])


def _advanced(model: Any, prompts: list[list[int]]) -> Iterator[float]:
    """The same of `advance`."""
    for prompt in prompts:
        tokens, cache, found = list(prompt), Cache(), list[torch.Tensor]()
        for _ in range(NEW):
            logits, cache = advance(model, tokens, cache)
            found.append(logits)
            tokens.append(int(logits.argmax()))
        yield from _differences(model, prompt, tokens[len(prompt) :], found)


def _differences(model: Any, prompt: list[int], new: list[int], found: list[torch.Tensor]) -> Iterator[float]:
    """|Δ log p| of each new token between the logits found and those of the model's own forward pass over the whole."""
    whole = torch.tensor([prompt + new[:-1]], device=model.device)
    own = model(input_ids=whole, use_cache=False).logits[0, len(prompt) - 1 :]
    for mine, logits, token in zip(own, found, new, strict=True):
        yield float((F.log_softmax(logits.float(), -1) - F.log_softmax(mine.float(), -1))[token].abs())
