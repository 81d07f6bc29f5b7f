"""A seed's texts: what its teacher reads, what its students read, what both are measured on, each drawn anew by the seed."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.distill.data.packing import Framing
from zoo.distill.data.rows import TokenRows, rows_in_memory
from zoo.nano import corpus
from zoo.nano.corpus import KINDS, LONG_SUMS, Kind
from zoo.nano.kinds import cloze, code, endings, prose, words
from zoo.nano.students import TEACHER, WEIGHTS
from zoo.nano.tokenizer import BOS_ID, EOS_ID
from zoo.prune.calibration import Calibration, CalibrationText, Sampling, read_calibration
from zoo.reproduce.arms import ARMS, Text
from zoo.reproduce.scale import Scale

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SHIFTED: Mapping[str, Kind] = {
    "words": Kind(words.make, 1.0, (1, 4), as_tested=0.7),
    "endings": Kind(endings.make, 1.0, (1, 3), as_tested=0.8),
    "cloze": Kind(cloze.make, 0.5, (1, 6)),
    "sums": Kind(LONG_SUMS, 2.0, (1, 4), as_tested=0.5),
    "prose": Kind(prose.make, 6.0, (1, 1)),
    "code": Kind(code.make, 6.0, (1, 3)),
}
"""What the teacher has read little of: mostly prose and code, and longer sums than it knows."""
MIXTURES: Mapping[Text, Mapping[str, Kind]] = {"own": KINDS, "shifted": SHIFTED}
AT_ONCE = 512
"""Documents encoded at a time."""


class SeedTexts:
    """The texts of one seed. Each is drawn by a number of its own, made from the seed and the text's purpose."""

    def __init__(self, seed: int, scale: Scale) -> None:
        self.seed, self.scale = seed, scale
        self._tokenizer = tokenizer()
        self._students: dict[Text, TokenRows] = {}

    @functools.cached_property
    def teacher_rows(self) -> TokenRows:
        """What the teacher is trained on: the own mixture."""
        return self._rows("own", "teacher", self.scale.teacher_tokens)

    def student_rows(self, text: Text) -> TokenRows:
        """What all students of a text read: the same rows in the same order, of which an arm takes the first that it needs."""
        if text not in self._students:
            longest = max((arm.share for arm in ARMS if arm.text == text), default=1.0)
            tokens = max(round(longest * self.scale.tokens), self.scale.correction_tokens)
            self._students[text] = self._rows(text, "students", tokens)
        return self._students[text]

    def held_out(self, text: Text) -> list[list[int]]:
        """Documents of items that no training text has, cut to a row's length, as token ids with their BOS and EOS."""
        drawn = self._documents(text, "held out", test=True)
        framing = self._framing
        return [
            framing.framed(ids).tolist()[: self.scale.length] for ids in itertools.islice(drawn, self.scale.held_out)
        ]

    def calibration(self, scratch: Path) -> Calibration:
        """Rows of the teacher's own mixture, by which its units are ranked; the text is left in the folder `scratch`."""
        stream = corpus.documents(stream_of(self.seed, "calibration"), mixture=MIXTURES["own"])
        rows, length = self.scale.calibration_rows, self.scale.length
        file = scratch / f"calibration-{self.seed}.jsonl"
        texts: list[str] = []
        letters = 0
        while letters < 8 * rows * length:  # a token of this text has fewer letters than eight
            texts.append(next(stream))
            letters += len(texts[-1])
        file.write_text("".join(json.dumps({"text": each}) + "\n" for each in texts))
        source = CalibrationText(file, self._encode, *self._ends)
        return read_calibration(source, len(self._tokenizer), Sampling(rows, length, self.seed))

    @property
    def _ends(self) -> tuple[int, int]:
        """The nano tokenizer's ids of BOS and EOS."""
        return BOS_ID, EOS_ID

    @property
    def _framing(self) -> Framing:
        return Framing(self.scale.length, *self._ends)

    def _rows(self, text: Text, purpose: str, tokens: int) -> TokenRows:
        order = stream_of(self.seed, f"order of {purpose}")
        return rows_in_memory(self._enough(text, purpose, tokens), self._framing, len(self._tokenizer), order)

    def _enough(self, text: Text, purpose: str, tokens: int) -> Iterator[list[int]]:
        """Documents of so many tokens, their BOS and EOS counted, and of a row more."""
        left = tokens + self.scale.length
        for ids in self._documents(text, purpose):
            yield ids
            left -= len(ids) + 2
            if left <= 0:
                return

    def _documents(self, text: Text, purpose: str, *, test: bool = False) -> Iterator[list[int]]:
        drawn = corpus.documents(stream_of(self.seed, f"{text} {purpose}"), test=test, mixture=MIXTURES[text])
        while some := list(itertools.islice(drawn, AT_ONCE)):
            yield from self._encode(some)

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        return self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]


def stream_of(seed: int, purpose: str) -> int:
    """The number by which something of a seed is drawn: of 31 bits, from both words, so that no two purposes share one.

    >>> stream_of(0, "students") == stream_of(0, "held out")
    False
    """
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:4], "big") >> 1


@functools.cache
def tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer of the shipped nano family; the experiments' models have its vocabulary."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(WEIGHTS / TEACHER, local_files_only=True, trust_remote_code=False)
