"""From lm-eval's text requests to token requests, with the same tokens as lm-eval's own Hugging Face model makes.

The rules are those of `lm_eval.api.model.TemplateLM` and `lm_eval.models.huggingface.HFLM` 0.4.13 (read there: trailing
spaces of a context move to the continuation; the continuation is what `enc(context + continuation)` has beyond
`enc(context)`; an empty context is the prefix token; what is too long loses tokens on the left).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from backends.contract import GenerateRequest, ScoreRequest, Tokenizer, Tokens
from harness.lmeval.loading.generation import normalized, refusal, request_options, stop_strings
from harness.lmeval.loading.tasks import LoadedTask
from harness.lmeval.prompts import Document
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
    """One of lm-eval's requests, and where it stands."""

    doc_id: int
    place: int
    """Among the document's requests."""
    instance: Any


class Encoder:
    """Turns a task's documents into units for one tokenizer and context length."""

    def __init__(self, tokenizer: Tokenizer, max_length: int, seed: int = 0) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._seed = seed
        self.prefix = tokenizer.bos_id if tokenizer.bos_id is not None else tokenizer.eos_id
        self._bos_text = tokenizer.decode([self.prefix], skip_special_tokens=False) if self.prefix is not None else None

    def units(self, loaded: LoadedTask, documents: Sequence[Document]) -> list[Unit]:
        """Every unit of the task, in document order; a document may ask for several kinds of request.

        Raises PromptTooLong and PromptImpossible for a request that no rule can make fit, UnsupportedRequest for one that
        minizoo does not run.
        """
        make = {
            "loglikelihood": self._loglikelihood,
            "loglikelihood_rolling": self._rolling,
            "generate_until": self._generation,
        }
        asked: dict[str, list[Asked]] = {}
        for document in documents:
            for place, instance in enumerate(document.instances):
                asked.setdefault(instance.request_type, []).append(Asked(document.doc_id, place, instance))
        made = [unit for kind, listed in asked.items() for unit in make[kind](loaded, listed)]
        order = {document.doc_id: place for place, document in enumerate(documents)}
        return sorted(made, key=lambda unit: (order[unit.key.doc_id], unit.key.request, unit.key.part))

    def stops(self, gen_kwargs: Mapping[str, Any]) -> list[str]:
        """The stop strings of a generation: the task's own and the end-of-text token's text, as in lm-eval."""
        eos = None if self._tokenizer.eos_id is None else self._tokenizer.decode([self._tokenizer.eos_id], False)
        return stop_strings(gen_kwargs, eos)

    def _loglikelihood(self, loaded: LoadedTask, asked: Sequence[Asked]) -> Iterator[Unit]:
        pairs = self._encode_pairs([each.instance.args for each in asked])
        for (doc_id, place, instance), (context, continuation) in zip(asked, pairs, strict=True):
            if not continuation or not context:
                part = f"the ending {instance.args[1]!r}" if context else f"the context {instance.args[0]!r}"
                raise PromptImpossible(
                    f"Task {loaded.name}, document {doc_id}: {part} has no token of its own.",
                    "The tokenizer merges it into its context; such a request has no score.",
                )
            if len(continuation) > self._max_length:
                raise PromptTooLong(
                    f"Task {loaded.name}, document {doc_id}: an ending of {len(continuation)} tokens is longer than the "
                    f"context of {self._max_length}.",
                    "No truncation makes it fit: leave the task out for this model.",
                )
            cut = max(0, len(context) + len(continuation) - (self._max_length + 1))
            request = ScoreRequest(tuple(context[cut:]), tuple(continuation))
            yield Unit(UnitKey(loaded.name, doc_id, place, 0), loaded.name, request, cut)

    def _rolling(self, loaded: LoadedTask, asked: Sequence[Asked]) -> Iterator[Unit]:
        from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

        texts = self._encode([each.instance.args[0] for each in asked])
        if window := window_of(loaded):
            yield from self._windows(loaded, asked, texts, window)
            return
        prefix = self._needed_prefix(loaded.name)
        for (doc_id, place, _), tokens in zip(asked, texts, strict=True):
            windows = get_rolling_token_windows(list(tokens), prefix, self._max_length, context_len=1)
            for part, (context, continuation) in enumerate(map(make_disjoint_window, windows)):
                request = ScoreRequest(tuple(context), tuple(continuation))
                yield Unit(UnitKey(loaded.name, doc_id, place, part), loaded.name, request)

    def _windows(
        self, loaded: LoadedTask, asked: Sequence[Asked], texts: Sequence[Tokens], window: int
    ) -> Iterator[Unit]:
        """Windows of `window` tokens that see nothing of each other, their first token given; what is left over is left out."""
        if window > self._max_length:
            raise PromptTooLong(
                f"Task {loaded.name} needs windows of {window} tokens, and the model's context is {self._max_length}.",
                "Leave the task out for this model.",
            )
        for (doc_id, place, _), tokens in zip(asked, texts, strict=True):
            if len(tokens) < window:
                raise PromptImpossible(
                    f"Task {loaded.name}, document {doc_id}: its text has {len(tokens)} tokens, less than one window of "
                    f"{window}.",
                    "Take the whole test set.",
                )
            for part in range(len(tokens) // window):
                cut = tokens[part * window : (part + 1) * window]
                request = ScoreRequest(tuple(cut[:1]), tuple(cut[1:]))
                yield Unit(UnitKey(loaded.name, doc_id, place, part), loaded.name, request)

    def _generation(self, loaded: LoadedTask, asked: Sequence[Asked]) -> Iterator[Unit]:
        prompts = self._encode([each.instance.args[0] for each in asked])
        for (doc_id, place, instance), tokens in zip(asked, prompts, strict=True):
            if not tokens:
                raise PromptImpossible(
                    f"Task {loaded.name}, document {doc_id}: its prompt has no token, so nothing can follow it.",
                    "Check doc_to_text in the task's YAML, or leave the task out for this model.",
                )
            if reason := refusal(instance.args[1]):
                raise UnsupportedRequest(f"Task {loaded.name} is not run: {reason}.", "Leave the task out.")
            stop = tuple(self.stops(instance.args[1]))
            cut = max(0, len(tokens) - self._room(loaded.name, normalized(instance.args[1])["max_gen_toks"]))
            options = request_options(instance.args[1], len(tokens) - cut)
            new = options["max_new_tokens"]
            if not 0 < new <= self._max_length - (len(tokens) - cut):
                raise PromptTooLong(
                    f"Task {loaded.name}, document {doc_id}: max_length leaves {new} tokens after a prompt of "
                    f"{len(tokens) - cut}, in a context of {self._max_length}.",
                    "Leave the task out, or give it max_gen_toks instead.",
                )
            for part in range(instance.repeats or 1):
                key = UnitKey(loaded.name, doc_id, place, part)
                seed = self._seed if options["temperature"] == 0 else _seed_of(self._seed, key)
                request = GenerateRequest(tuple(tokens[cut:]), stop=stop, seed=seed, **options)
                yield Unit(key, loaded.name, request, cut)

    def _room(self, task: str, new_tokens: int) -> int:
        room = self._max_length - new_tokens
        if room <= 0:
            raise PromptTooLong(
                f"Task {task} generates {new_tokens} tokens, which leaves no room for a prompt in a context of "
                f"{self._max_length}.",
                "Leave the task out for this model.",
            )
        return room

    def _encode_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[Tokens, Tokens]]:
        shifted = [_shift_spaces(context, continuation) for context, continuation in pairs]
        contexts = self._encode([context for context, _ in shifted if context])
        wholes = self._encode([context + continuation for context, continuation in shifted if context])
        bare = self._encode([continuation for context, continuation in shifted if not context], special=False)
        full, alone = iter(zip(contexts, wholes, strict=True)), iter(bare)
        result: list[tuple[Tokens, Tokens]] = []
        for context, _ in shifted:
            if context:
                head, whole = next(full)
                result.append((head, whole[len(head) :]))
            else:
                result.append(self._after_prefix(next(alone)))
        return result

    def _after_prefix(self, continuation: Tokens) -> tuple[Tokens, Tokens]:
        prefix = self._needed_prefix("with an empty context")
        return (continuation[:1], continuation[1:]) if continuation[:1] == (prefix,) else ((prefix,), continuation)

    def _encode(self, texts: Sequence[str], special: bool | None = None) -> list[Tokens]:
        """Token ids of each text; equal texts are encoded once, and a text that already starts with BOS gets no second."""
        rule = {t: False if special is None and self._starts_with_bos(t) else special for t in dict.fromkeys(texts)}
        known: dict[str, Tokens] = {}
        for flag in (None, False):
            group = [text for text, wanted in rule.items() if wanted is flag]
            known.update(zip(group, map(tuple, self._tokenizer.encode(group, flag)), strict=True))
        return [known[text] for text in texts]

    def _starts_with_bos(self, text: str) -> bool:
        return self._bos_text is not None and text.startswith(self._bos_text)

    def _needed_prefix(self, task: str) -> int:
        if self.prefix is None:
            raise PromptImpossible(
                f"Task {task} needs a first token to condition on, and the tokenizer has neither BOS nor EOS.",
                "Name one in tokenizer_config.json.",
            )
        return self.prefix


def window_of(loaded: LoadedTask) -> int | None:
    """The window of a perplexity a token, which the task's YAML gives as `metadata: {window: N}`; None for lm-eval's rule."""
    metadata = loaded.task.config.metadata
    return metadata.get("window") if isinstance(metadata, dict) else None


def overflowing(units: Iterable[Unit]) -> list[Unit]:
    """The units that do not fit into the context whole."""
    return [unit for unit in units if unit.cut]


def _shift_spaces(context: str, continuation: str) -> tuple[str, str]:
    bare = context.rstrip()
    return bare, context[len(bare) :] + continuation


def _seed_of(seed: int, key: UnitKey) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}|{key}".encode()).digest()[:7], "big")
