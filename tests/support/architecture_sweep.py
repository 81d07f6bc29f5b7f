"""One tiny model of a class through the hf backend, packed and plain, beside the model's own forward passes.

The reference is the model alone: a sequence at a time, no cache, no padding. What the backend scores must be its log p;
what it generates or streams must be the tokens that it puts first, given the tokens before them.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from backends.contract import GenerateRequest, Options, ScoreRequest, StreamRequest
from backends.hf.backend import HfBackend
from support.tiny_architectures import VOCABULARY, causal_lm_classes, made_types, tiny_config, tiny_model
from support.tiny_shapes import NO_REFERENCE, VARIANTS
from support.tolerances import TOKEN
from zoo.checkpoint.locate import Checkpoint
from zoo.checkpoint.model_ref import ModelRef

BUDGET = 48
"""Tokens of a row: few, so that branches and paths are cut, and more than a padded batch of two."""
ALLOWED = 5 * TOKEN
"""Largest |Δ log p| of a token: linear attention and experts add in more orders than the models of `tolerances`."""
TIE = 2 * ALLOWED
"""Logits that are nearer than this may change places when they are computed in another order."""
EOS = 2
LENGTH = 160
"""Tokens of the longest sequence: several windows of every class."""


def token_ids(count: int, seed: int) -> tuple[int, ...]:
    """Ids above those that a configuration may name."""
    drawn = torch.randint(8, VOCABULARY, (count,), generator=torch.Generator().manual_seed(seed))
    return tuple(drawn.tolist())


def score_requests() -> list[ScoreRequest]:
    """A chain, branches of it and of each other, a context of one token, and one request twice."""
    trunk = token_ids(70, 1)
    chain = trunk + token_ids(LENGTH - 70, 2)
    branch = trunk[:33] + token_ids(60, 3)
    asked = [
        (chain[:1], chain[1:]), (chain[:100], chain[100:]), (trunk, token_ids(3, 4)), (trunk, token_ids(25, 5)),
        (branch[:70], branch[70:]), (branch[:70], token_ids(1, 6)), (trunk[:5], token_ids(60, 7)), ((9,), token_ids(2, 8)),
        (trunk, token_ids(3, 4)),
    ]  # fmt: skip
    return [ScoreRequest(context, continuation, per_token=True) for context, continuation in asked]


def prompts() -> list[tuple[int, ...]]:
    """Prompts that share a beginning, one longer than any window, one of a single token."""
    trunk = token_ids(70, 1)
    return [trunk, trunk[:30] + token_ids(5, 9), (11,), trunk + token_ids(60, 10), token_ids(44, 11)]


NEW = (10, 7, 12, 9, 8)
"""New tokens of each prompt."""


PACKED_BEFORE = {
    "afmoe", "apertus", "arcee", "aria_text", "biogpt", "bitnet", "cohere_compass_text", "cwm", "dots1", "emu3",
    "ernie4_5", "ernie4_5_moe", "exaone4", "exaone_moe", "flex_olmo", "fuyu", "gemma", "gemma3", "gemma3_text",
    "gemma4", "gemma4_text", "gemma4_unified", "gemma4_unified_text", "glm", "glm4", "glm4_moe", "gpt_neox",
    "granite", "granitemoe", "granitemoeshared", "helium", "hunyuan_v1_dense", "hunyuan_v1_moe", "hy_v3",
    "hyperclovax", "internlm3", "iquestcoder", "jais2", "jetmoe", "kolibri1", "laguna", "llama", "mellum",
    "minimax_m2", "minimax_m3_vl_text", "ministral", "ministral3", "mistral", "mixtral", "moss_transcribe_diarize",
    "nemotron", "olmo", "olmo2", "olmo3", "olmoe", "opt", "persimmon", "phi", "phi3", "phi4_multimodal", "phimoe",
    "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "seed_oss", "smollm3", "solar_open", "stablelm", "starcoder2",
    "whisper",
}  # fmt: skip
"""Model types that were packed, and rightly, before other attention than that of a plain decoder was followed: none of them
may fall to plain scoring.
"""


def swept_names() -> list[str]:
    """Everything that is swept: each model type that is made, and the variants."""
    return made_types() + sorted(name for name, (kind, _) in VARIANTS.items() if kind in causal_lm_classes())


@dataclass
class Swept:
    """What became of one class."""

    name: str
    how: str = ""
    """How it is scored, in the backend's words."""
    ways: str = ""
    """Which plain ways it does not take, in the backend's words."""
    score: float = 0.0
    """Largest |Δ log p| of a token from the model's own."""
    eager: float = 0.0
    """The same without packing."""
    faults: list[str] = field(default_factory=list[str])

    @property
    def packed(self) -> bool:
        return self.how == "packed"


class Own:
    """The model alone."""

    def __init__(self, model: Any) -> None:
        self._model = model

    @torch.inference_mode()
    def logits(self, tokens: Sequence[int]) -> torch.Tensor:
        """After each of the tokens, `[tokens, vocabulary]` in fp32."""
        return self._model(torch.tensor([tokens]), use_cache=False).logits[0].float()

    def logprobs(self, request: ScoreRequest) -> torch.Tensor:
        """log p of each token of the continuation."""
        whole = request.context + request.continuation
        logp = self.logits(whole[:-1])[len(request.context) - 1 :].log_softmax(-1)
        return logp.gather(1, torch.tensor(request.continuation)[:, None])[:, 0]

    def noncausal(self) -> float:
        """How far log p of earlier tokens moves with what follows them: 0 but for rounding, or there is no reference."""
        tokens = token_ids(LENGTH, 12)
        whole = self.logits(tokens).log_softmax(-1)
        return max(
            float((whole[:stop] - self.logits(tokens[:stop]).log_softmax(-1)).abs().max())
            for stop in (1, 37, LENGTH - 1)
        )

    def unlike_greedy(self, prompt: Sequence[int], tokens: Sequence[int]) -> str | None:
        """Where these new tokens leave greedy decoding, None if nowhere (or at a tie)."""
        logits = self.logits([*prompt, *tokens])[len(prompt) - 1 :]
        for at, token in enumerate(tokens):
            short = float(logits[at].max() - logits[at, token])
            if not short < TIE:
                return f"token {at} of {len(tokens)} is {short:.2g} below the greedy one"
        return None

    def ends(self, prompt: Sequence[int], tokens: Sequence[int], eos: Iterable[int]) -> bool:
        """Whether one of `eos` is the greedy token behind them."""
        last = self.logits([*prompt, *tokens])[-1]
        return any(float(last.max() - last[token]) < TIE for token in eos)


class NoTokenizer:
    """The backend needs its special tokens alone, since nothing stops at a string."""

    bos_id, eos_id, vocab_size = 1, EOS, VOCABULARY

    def encode(self, texts: Sequence[str], add_special_tokens: bool | None = None) -> list[list[int]]:
        return [[ord(c) for c in text] for text in texts]

    def decode(self, tokens: Sequence[int], skip_special_tokens: bool = True) -> str:
        return " ".join(str(token) for token in tokens if token > EOS or not skip_special_tokens)


class Arrivals:
    """A feed that has everything at once, as far as there is room."""

    def __init__(self, requests: Sequence[StreamRequest]) -> None:
        self._waiting = list(requests)

    def take(self, room: int, idle: bool) -> list[StreamRequest] | None:
        if not self._waiting:
            return None
        taken, self._waiting = self._waiting[:room], self._waiting[room:]
        return taken


def opened(model: Any, eager: bool, name: str) -> HfBackend:
    """The backend over a model in memory, with the configuration that its folder would have."""
    folder = Path("/nonexistent") / name
    config = json.loads(tiny_config(name).to_json_string(use_diff=False))
    checkpoint = Checkpoint(ModelRef("folder", name, folder=folder), folder, config)
    options = Options(device="cpu", token_budget=BUDGET, eager=eager)
    return HfBackend(checkpoint, options, load=lambda *_: model, tokenizer=NoTokenizer())


def swept(name: str) -> Swept:
    """The class of that name through score, generate and stream: packed and, where it is packed, plain too."""
    model = tiny_model(name)
    own, outcome = Own(model), Swept(name)
    expected = [own.logprobs(request) for request in score_requests()]
    backend = opened(model, False, name)
    outcome.how, outcome.ways = backend.versions["scoring"], backend.versions.get("plain", "")
    outcome.score = _run(outcome, backend, own, expected)
    # What is not packed is run just so whether packing was asked for or not.
    outcome.eager = (
        _run(outcome, opened(model, True, name), own, expected, "plain ") if outcome.packed else outcome.score
    )
    return outcome


def _run(outcome: Swept, backend: HfBackend, own: Own, expected: list[torch.Tensor], how: str = "") -> float:
    """Add what is wrong to the outcome's faults; returns the largest |Δ log p|."""
    apart = largest_difference(backend, expected)
    if not apart <= ALLOWED:
        outcome.faults.append(f"{how}score differs by {apart:.2g}")
    checks = {"generate": generate_fault, "stream": stream_fault} if outcome.name not in NO_REFERENCE else {}
    for what, check in checks.items():
        if fault := check(backend, own):
            outcome.faults.append(f"{how}{what}, {fault}")
    return apart


def largest_difference(backend: HfBackend, expected: list[torch.Tensor]) -> float:
    """Largest |Δ log p| of a token of `score_requests`; infinite where one is NaN."""
    scores = sorted(backend.score(score_requests()), key=lambda score: score.index)
    found = torch.cat([torch.tensor(score.token_logprobs) for score in scores])
    return float((found - torch.cat(expected)).abs().nan_to_num(float("inf")).max())


def generate_fault(backend: HfBackend, own: Own) -> str | None:
    """Where the greedy generations of `prompts` are not the model's own."""
    asked = [GenerateRequest(prompt, new) for prompt, new in zip(prompts(), NEW, strict=True)]
    found = {generation.index: generation.tokens for generation in backend.generate(asked)}
    for index, request in enumerate(asked):
        fault = own.unlike_greedy(request.prompt, found[index])
        if len(found[index]) < request.max_new_tokens and not own.ends(request.prompt, found[index], [EOS]):
            fault = fault or f"ended after {len(found[index])} tokens"
        if fault:
            return f"prompt {index}: {fault}"
    return None


def stream_fault(backend: HfBackend, own: Own) -> str | None:
    """Where the streams of `prompts`, three at a time, are not the model's own greedy tokens, as many as were asked."""
    asked = [StreamRequest(i, prompt, new) for i, (prompt, new) in enumerate(zip(prompts(), NEW, strict=True))]
    found: dict[int, list[int]] = {request.index: [] for request in asked}
    ticks = itertools.count()
    for step in backend.stream(Arrivals(asked), 3, LENGTH, lambda: float(next(ticks))):
        for index, token in step.tokens:
            found[index].append(token)
    for request in asked:
        tokens = found[request.index]
        if len(tokens) != request.new_tokens:
            return f"prompt {request.index}: {len(tokens)} of {request.new_tokens} tokens"
        if fault := own.unlike_greedy(request.prompt, tokens):
            return f"prompt {request.index}: {fault}"
    return None
