"""Documents as token ids, several at once, by the tokenizer of the models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.distill.data.documents import Chat, Document
from zoo.errors import TokenOutsideVocabulary
from zoo.prune.calibration import Encode

AT_ONCE = 256
"""Documents that the tokenizer gets in one call; it works on them in parallel."""
CHARACTERS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class TextTokenizer:
    """The models' tokenizer as functions: `encode` adds no special tokens, `chat` is None where there is no template.

    `vocabulary` is the models' own number of tokens, `digest` what tells this tokenizer from others.
    """

    encode: Encode
    vocabulary: int
    digest: str
    bos: int | None = None
    eos: int | None = None
    chat: Chat | None = None


def tokenize(documents: Iterator[Document], tokenizer: TextTokenizer) -> Iterator[tuple[Document, NDArray[np.int64]]]:
    """Each document with its ids, none for one without text. Raises TokenOutsideVocabulary, naming the document."""
    waiting: list[Document] = []
    characters = 0
    for document in documents:
        waiting.append(document)
        characters += len(document.text)
        if len(waiting) == AT_ONCE or characters >= CHARACTERS_AT_ONCE:
            yield from _encoded(waiting, tokenizer)
            waiting, characters = [], 0
    yield from _encoded(waiting, tokenizer)


def _encoded(documents: Sequence[Document], tokenizer: TextTokenizer) -> Iterator[tuple[Document, NDArray[np.int64]]]:
    texts = [document.text for document in documents if not document.is_empty]
    rows = iter(tokenizer.encode(texts) if texts else [])
    for document in documents:
        ids = np.array([] if document.is_empty else next(rows), dtype=np.int64)
        if ids.size and not 0 <= ids.min() <= ids.max() < tokenizer.vocabulary:
            wrong = ids.min() if ids.min() < 0 else ids.max()
            raise TokenOutsideVocabulary(
                f"The tokenizer gives token id {wrong} for {document.where}, "
                f"the model has a vocabulary of {tokenizer.vocabulary}.",
                "Take the model's own tokenizer.",
            )
        yield document, ids
