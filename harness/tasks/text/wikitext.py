"""WikiText-2's test set as the one string that perplexities are computed on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets import Dataset


def whole(pages: Dataset) -> Dataset:
    """One document: the rows of the line-level data set joined by empty lines, `"\\n\\n".join(rows)`.

    The pages, one after the other behind a first blank line, are the raw file (sha256 173c87a5…); a row of the line-level
    set is a line of it, or nothing for a blank one.
    """
    lines = (" \n" + "".join(pages["page"])).split("\n")[:-1]
    return Dataset.from_list([{"text": "\n\n".join(f"{line}\n" if line.strip() else "" for line in lines)}])


def token_perplexity(doc: dict[str, Any], results: Sequence[list[tuple[float, int]]]) -> dict[str, Any]:
    """Each window's log-likelihood and its number of predicted tokens."""
    return {"token_perplexity": results[0]}
