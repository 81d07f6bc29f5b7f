"""The token sequences that checks ask about: text where there is a tokenizer, and ids drawn by seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from backends.contract import Backend, ScoreRequest, Tokens
from zoo.arch.config_keys import ConfigView
from zoo.checkpoint.locate import ModelFolder
from zoo.errors import InputError, InvalidConfig

TEXT = (
    "The river ran through the town, and the children played beside the bridge until the sun had gone down behind the hills. "
    "Tom has 13 apples and buys 24 more, so now he has 37 apples. Mara put the red lamp on the table, and then she took it "
    "away again. Nobody knew where the old baker kept his keys, but everyone liked the bread that he sold in the morning."
)
ROOM = 160
"""Tokens of the longest ordinary sequence: enough for several blocks of any prefix cache, and few beside an evaluation."""
ENDINGS = (1, 2, 5, 11)
"""Lengths of the endings of a question: a call mixes them, so that padding would show."""


class Sequences:
    """Sequences of one model: the same on every run of one draw."""

    def __init__(self, backend: Backend, checkpoint: ModelFolder, draw: int = 0) -> None:
        self._draw = draw
        self.vocabulary = vocabulary_of(checkpoint.config, checkpoint.name)
        """Rows of the embedding: ids from here on do not exist."""
        self.known_ids = min(self.vocabulary, backend.tokenizer.vocab_size)
        self.longest = backend.capabilities.max_length + 1
        """Tokens of the longest sequence that can be scored: the last is only predicted."""
        self.special = _special(checkpoint.config, backend)
        self._ordinary = [i for i in range(min(self.known_ids, 1 << 16)) if i not in self.special]
        self.text = self._encoded(backend)

    def drawn(self, length: int, seed: int) -> Tokens:
        """So many ordinary ids, no two neighbours alike, cut to what the model takes."""
        rng = random.Random(f"conformance {seed}" + f", draw {self._draw}" * (self._draw > 0))
        tokens = [rng.choice(self._ordinary)]
        while len(tokens) < min(length, self.longest):
            token = rng.choice(self._ordinary)
            if token != tokens[-1] or len(self._ordinary) == 1:
                tokens.append(token)
        return tuple(tokens)

    def whole(self, short: bool) -> list[Tokens]:
        """Sequences whose every token is scored: text, text after drawn ids, and drawn ids."""
        size = min(ROOM, self.longest)
        mixed = [(self.drawn(24, 90 + i) + self.text[17 * i :])[:size] for i in range(2 if short else 6)]
        return [self.text[:size], *mixed, *(self.drawn(size, i) for i in range(1 if short else 5))]

    def questions(self, count: int) -> list[list[ScoreRequest]]:
        """Contexts of unlike lengths, each with endings of unlike lengths; two and two share a beginning."""
        asked: list[list[ScoreRequest]] = []
        most = min(ROOM, self.longest) - max(ENDINGS)
        for i in range(count):
            start = self.text[: 20 + 4 * (i // 2)]
            context = (start + self.drawn(3 + 7 * (i % 5), 200 + i))[: max(1, most)]
            asked.append([ScoreRequest(context, self.drawn(n, 300 + 7 * i + n)) for n in ENDINGS])
        return asked

    def prompts(self, count: int, new: int) -> list[Tokens]:
        """Beginnings of text of unlike lengths that leave room for `new` tokens."""
        room = max(1, self.longest - 1 - new)
        return [self.text[7 * i : 7 * i + 5 + 13 * (i % 4)][:room] for i in range(count)]

    def _encoded(self, backend: Backend) -> Tokens:
        """The ids of TEXT without special tokens, lengthened by drawn ones to ROOM; drawn ones alone without a tokenizer."""
        try:
            (found,) = backend.tokenizer.encode([TEXT], add_special_tokens=False)
        except InputError:
            found = []
        known = tuple(i for i in found if i < self.known_ids)
        return (known + self.drawn(ROOM, 100))[: max(ROOM, len(known))]


def vocabulary_of(config: Mapping[str, Any], name: str) -> int:
    """Rows of the embedding. Raises InvalidConfig where config.json does not say."""
    size = ConfigView(config).value("vocab_size")
    if not isinstance(size, int) or size < 2:
        raise InvalidConfig(f"The config.json of {name} has no usable vocab_size ({size!r}).", "Write it again.")
    return size


def end_ids(config: Mapping[str, Any], backend: Backend) -> set[int]:
    """The ids that end a text."""
    return {*_ids(config.get("eos_token_id")), *_ids(backend.tokenizer.eos_id)}


def _special(config: Mapping[str, Any], backend: Backend) -> set[int]:
    """Ids to which the configuration or the tokenizer gives a meaning."""
    named = [value for key, value in config.items() if key.endswith(("token_id", "token_index"))]
    return {i for value in [*named, backend.tokenizer.bos_id, backend.tokenizer.eos_id] for i in _ids(value)}


def _ids(value: Any) -> Sequence[int]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, int)]
