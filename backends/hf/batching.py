"""Which sequences share a padded batch: arithmetic on lengths alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

WINDOW = 2048
"""Sequences are sorted by length inside windows of this many, so that the first tasks of a long schedule end first."""


def length_batches(lengths: Sequence[int], token_budget: int, window: int = WINDOW) -> Iterator[list[int]]:
    """Yield batches of indices whose padded size (rows × longest) stays within `token_budget` tokens.

    Inside a window the longest come first: too little memory shows at once, and estimates of time err on the long side.
    A single sequence longer than the budget makes a batch of its own.
    """
    for start in range(0, len(lengths), window):
        order = sorted(range(start, min(start + window, len(lengths))), key=lambda i: -lengths[i])
        batch: list[int] = []
        for index in order:
            longest = lengths[batch[0]] if batch else lengths[index]
            if batch and longest * (len(batch) + 1) > token_budget:
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch
