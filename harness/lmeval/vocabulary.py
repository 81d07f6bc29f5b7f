"""Token ids against the rows of the model's embedding, looked at before any weights are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backends.contract import ScoreRequest, Tokenizer, Tokens
from harness.lmeval.encoding import Unit
from zoo.arch.config_keys import ConfigView
from zoo.errors import TokenOutsideVocabulary


def rows_of(config: Mapping[str, Any]) -> int | None:
    """Rows of the embedding by config.json; None where it does not tell (the weights then do, in the backend)."""
    stated = ConfigView(config).value("vocab_size")
    return stated if isinstance(stated, int) and not isinstance(stated, bool) else None


def check_vocabulary(units: Sequence[Unit], rows: int | None, tokenizer: Tokenizer) -> None:
    """Raise TokenOutsideVocabulary where a request has a token id below 0, or beyond the embedding's `rows`.

    A tokenizer that has such ids and never uses them is fine: added tokens that no prompt holds.
    """
    if rows is None:
        return
    inside = _Inside(rows)
    found = [unit for unit in units if not all(map(inside, _parts(unit)))]
    if not found:
        return
    unit = found[0]
    wrong = next(token for part in _parts(unit) for token in part if not 0 <= token < rows)
    largest = max(max(part) for unit in found for part in _parts(unit) if part)
    text = tokenizer.decode([wrong], skip_special_tokens=False) if wrong >= 0 else ""
    raise TokenOutsideVocabulary(
        f"The tokenizer makes token ids that the model's embedding of {rows:,} rows (config.json: vocab_size) does not have: "
        f"in {len(found):,} of {len(units):,} requests, the largest {largest:,}; first in task "
        f"{unit.key.task}, document {unit.key.doc_id}, token {wrong:,} ({text!r}). Nothing was run.",
        "Either the tokenizer is another model's, or tokens were added to it and the embedding was not resized "
        "(`model.resize_token_embeddings(len(tokenizer))`, then train).",
    )


class _Inside:
    """Whether all ids of a part are; equal parts of requests are one object, and looked at once."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._known: dict[int, tuple[Tokens, bool]] = {}

    def __call__(self, part: Tokens) -> bool:
        known = self._known.get(id(part))
        if known is None:
            known = part, not part or (min(part) >= 0 and max(part) < self._rows)
            self._known[id(part)] = known  # the part too, so that its id stays its own
        return known[1]


def _parts(unit: Unit) -> Iterator[Tokens]:
    if isinstance(unit.request, ScoreRequest):
        yield unit.request.context
        yield unit.request.continuation
    else:
        yield unit.request.prompt
