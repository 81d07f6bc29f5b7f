"""How a re-run of identical code may differ: dtype, tokens a row, threads. Each changes the order of sums, so last digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

BUDGETS = (256, 512, 1024, 2048, 3072)
"""Tokens in one row or padded batch."""
OTHER_DTYPE = {"float32": "bfloat16", "bfloat16": "float16", "float16": "bfloat16"}
"""Beside a model's own dtype: one of no more memory."""


@dataclass(frozen=True, order=True)
class Variation:
    """One way to run the same code. In order, models are opened as seldom as can be."""

    dtype: str
    budget: int
    threads: int
    """Of a CPU; a GPU's kernels take no notice."""
    plain: bool = False
    """By the engine's plain form, without shared prefixes: on a CPU the only one whose products are in a half precision."""

    def __str__(self) -> str:
        form = ", plain" if self.plain else ""
        return (
            f"{self.dtype}{form}, rows of {self.budget} tokens, {self.threads} thread{'' if self.threads == 1 else 's'}"
        )


def variations(
    runs: int, dtypes: Sequence[str], threads: Sequence[int], budgets: Sequence[int] = BUDGETS, plain: int = 0
) -> list[Variation]:
    """So many, in the order in which they are run. The first few differ in everything; after all of them they begin again.

    `plain` of those of the last dtype are in the plain form.
    """
    several = len(dtypes)
    made = [
        Variation(dtypes[at % several], budgets[at % len(budgets)], threads[at // several % len(threads)])
        for at in range(runs)
    ]
    of_last_dtype = [at for at, one in enumerate(made) if one.dtype == dtypes[-1]]
    in_plain_form = of_last_dtype[max(0, len(of_last_dtype) - plain) :]
    return sorted(replace(one, plain=at in in_plain_form) for at, one in enumerate(made))
