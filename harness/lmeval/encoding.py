"""From lm-eval's text requests to token requests, with the same tokens as lm-eval's own Hugging Face model makes.

`token_rules` has the rules of texts; here are those of length: what is too long loses tokens on the left, as in HFLM 0.4.13.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from backends.contract import GenerateRequest, ScoreRequest, Tokenizer
from harness.lmeval.loading.generation import normalized, refusal, request_options, stop_strings
from harness.lmeval.loading.tasks import LoadedTask
from harness.lmeval.prompts import Document
from harness.lmeval.token_rules import TokenRules
from zoo.errors import PromptImpossible, PromptTooLong, UnsupportedRequest


@dataclass(frozen=True, slots=True)
class UnitKey:
    """Which piece of a task a unit of work is: the same in every run over the same suite and data."""

    task: str
    """The leaf task; of a further few-shot draw with the draw's seed: `winogrande@1235`."""
    doc_id: int
    """The document's place in its data set."""
    request: int
    """The request's place among the document's, as lm-eval orders them: which ending of a multiple choice."""
    part: int
    """The window of a rolling request, or the repeat of a generation; else 0."""

    def __str__(self) -> str:
        """As it stands in the log of an unfinished run, and in the seed of a sampled generation."""
        return f"{self.task}/{self.doc_id}/{self.request}/{self.part}"


@dataclass(frozen=True, slots=True)
class Unit:
    """The smallest piece of work: one call's worth of tokens, and which of lm-eval's requests it answers."""

    key: UnitKey
    task: str
    """The leaf task that waits for it."""
    request: ScoreRequest | GenerateRequest
    cut: int = 0
    """Tokens that do not fit: cut off on the left under `truncate`."""

    @property
    def tokens(self) -> int:
        """Tokens that go through the model, at most."""
        if isinstance(self.request, ScoreRequest):
            return len(self.request.context) + len(self.request.continuation) - 1
        return len(self.request.prompt) + self.request.max_new_tokens


class Asked(NamedTuple):
    """One of lm-eval's requests, and where it stands: the first four parts are those of its `UnitKey`."""

    task: str
    doc_id: int
    place: int
    """Among the document's requests."""
    part: int
    """The repeat of a generation; else 0."""
    instance: Any

    @property
    def where(self) -> str:
        """As a message names it."""
        return f"Task {self.task}, document {self.doc_id}"


class Encoder:
    """Turns lm-eval's requests into units for one tokenizer and context length. `seed` is that of sampled generations;
    `prefix` and `add_bos` are those of `TokenRules`."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        max_length: int,
        seed: int = 0,
        prefix: int | None = None,
        add_bos: bool | None = None,
    ) -> None:
        self.seed = seed
        self._max_length = max_length
        self._rules = TokenRules(tokenizer, prefix, add_bos)

    @property
    def prefix(self) -> int | None:
        """The token that an empty context stands for; None where the tokenizer has none."""
        return self._rules.prefix

    def units(self, loaded: LoadedTask, documents: Sequence[Document]) -> list[Unit]:
        """Every unit of the task, in document order; a document may ask for several kinds of request. Raises as `encode`."""
        asked = [
            Asked(loaded.name, document.doc_id, place, part, instance)
            for document in documents
            for place, instance in enumerate(document.instances)
            for part in range((instance.repeats or 1) if instance.request_type == "generate_until" else 1)
        ]
        rolling = any(each.instance.request_type == "loglikelihood_rolling" for each in asked)
        made = self.encode(asked, window_of(loaded) if rolling else None)
        return [unit for units in made for unit in units]

    def encode(self, asked: Sequence[Asked], window: int | None = None) -> list[list[Unit]]:
        """The units of each request, in the order in which they are asked: one, or of a rolling request its windows.

        `window` is that of a task's metadata. Raises PromptTooLong and PromptImpossible for a request that no rule can make
        fit, UnsupportedRequest for one that minizoo does not run.
        """
        make: Mapping[str, Callable[[list[Asked]], Iterator[list[Unit]]]] = {
            "loglikelihood": self._loglikelihood,
            "loglikelihood_rolling": self._rolling if window is None else partial(self._windows, window=window),
            "generate_until": self._generation,
        }
        by_kind: dict[str, list[int]] = {}
        for at, each in enumerate(asked):
            by_kind.setdefault(each.instance.request_type, []).append(at)
        made: dict[int, list[Unit]] = {}
        for kind, places in by_kind.items():
            made.update(zip(places, make[kind]([asked[at] for at in places]), strict=True))
        return [made[at] for at in range(len(asked))]

    def stops(self, gen_kwargs: Mapping[str, Any]) -> list[str]:
        """The stop strings of a generation: the task's own and the end-of-text token's text, as in lm-eval."""
        return stop_strings(gen_kwargs, self._rules.eos_text)

    def _loglikelihood(self, asked: Sequence[Asked]) -> Iterator[list[Unit]]:
        pairs = self._rules.pairs([each.instance.args for each in asked])
        for each, (context, continuation) in zip(asked, pairs, strict=True):
            if not continuation or not context:
                part = f"the ending {each.instance.args[1]!r}" if context else f"the context {each.instance.args[0]!r}"
                raise PromptImpossible(
                    f"{each.where}: {part} has no token of its own.",
                    "The tokenizer merges it into its context; such a request has no score.",
                )
            if len(continuation) > self._max_length:
                raise PromptTooLong(
                    f"{each.where}: an ending of {len(continuation)} tokens is longer than the context of "
                    f"{self._max_length}.",
                    "No truncation makes it fit: leave the task out for this model.",
                )
            cut = max(0, len(context) + len(continuation) - (self._max_length + 1))
            yield [_unit(each, 0, ScoreRequest(tuple(context[cut:]), tuple(continuation)), cut)]

    def _rolling(self, asked: Sequence[Asked]) -> Iterator[list[Unit]]:
        from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

        texts = self._rules.scored([each.instance.args[0] for each in asked])
        for each, tokens in zip(asked, texts, strict=True):
            windows = get_rolling_token_windows(
                list(tokens), self._rules.needed_prefix(each.task), self._max_length, context_len=1
            )
            pairs = map(make_disjoint_window, windows)
            yield [_unit(each, part, ScoreRequest(tuple(c), tuple(e))) for part, (c, e) in enumerate(pairs)]

    def _windows(self, asked: Sequence[Asked], window: int) -> Iterator[list[Unit]]:
        """Windows of `window` tokens that see nothing of each other, their first token given; what is left over is left out."""
        texts = self._rules.scored([each.instance.args[0] for each in asked])
        for each, tokens in zip(asked, texts, strict=True):
            if window > self._max_length:
                raise PromptTooLong(
                    f"Task {each.task} needs windows of {window} tokens, and the model's context is {self._max_length}.",
                    "Leave the task out for this model.",
                )
            if len(tokens) < window:
                raise PromptImpossible(
                    f"{each.where}: its text has {len(tokens)} tokens, less than one window of {window}.",
                    "Take the whole test set.",
                )
            cuts = [tokens[part * window : (part + 1) * window] for part in range(len(tokens) // window)]
            yield [_unit(each, part, ScoreRequest(cut[:1], cut[1:])) for part, cut in enumerate(cuts)]

    def _generation(self, asked: Sequence[Asked]) -> Iterator[list[Unit]]:
        prompts = self._rules.prompts([each.instance.args[0] for each in asked])
        for each, tokens in zip(asked, prompts, strict=True):
            given = each.instance.args[1]
            if not tokens:
                raise PromptImpossible(
                    f"{each.where}: its prompt has no token, so nothing can follow it.",
                    "Check doc_to_text in the task's YAML, or leave the task out for this model.",
                )
            if reason := refusal(given):
                raise UnsupportedRequest(f"Task {each.task} is not run: {reason}.", "Leave the task out.")
            stop = tuple(self.stops(given))
            cut = max(0, len(tokens) - self._room(each.task, normalized(given)["max_gen_toks"]))
            options = request_options(given, len(tokens) - cut)
            new = options["max_new_tokens"]
            if not 0 < new <= self._max_length - (len(tokens) - cut):
                raise PromptTooLong(
                    f"{each.where}: max_length leaves {new} tokens after a prompt of {len(tokens) - cut}, in a context of "
                    f"{self._max_length}.",
                    "Leave the task out, or give it max_gen_toks instead.",
                )
            key = UnitKey(*each[:4])
            seed = self.seed if options["temperature"] == 0 else _seed_of(self.seed, key)
            yield [Unit(key, each.task, GenerateRequest(tokens[cut:], stop=stop, seed=seed, **options), cut)]

    def _room(self, task: str, new_tokens: int) -> int:
        room = self._max_length - new_tokens
        if room <= 0:
            raise PromptTooLong(
                f"Task {task} generates {new_tokens} tokens, which leaves no room for a prompt in a context of "
                f"{self._max_length}.",
                "Leave the task out for this model.",
            )
        return room


def window_of(loaded: LoadedTask) -> int | None:
    """The window of a perplexity a token, which the task's YAML gives as `metadata: {window: N}`; None for lm-eval's rule."""
    metadata = loaded.task.config.metadata
    return metadata.get("window") if isinstance(metadata, dict) else None


def overflowing(units: Iterable[Unit]) -> list[Unit]:
    """The units that do not fit into the context whole."""
    return [unit for unit in units if unit.cut]


def _unit(each: Asked, part: int, request: ScoreRequest, cut: int = 0) -> Unit:
    return Unit(UnitKey(each.task, each.doc_id, each.place, part), each.task, request, cut)


def _seed_of(seed: int, key: UnitKey) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}|{key}".encode()).digest()[:7], "big")
