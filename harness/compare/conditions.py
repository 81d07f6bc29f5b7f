"""Whether two results are of one measurement at all: shots, version of the task, chat template, decoding, data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.compare.items import TaskResult
from harness.compare.pairing import Paired
from harness.records.record import Record

DIGITS = 8
"""Of a template's digest, in messages."""


def other_conditions(a: Record, b: Record) -> str | None:
    """Why two records are not of one measurement, in words; None where nothing speaks against it.

    What a record does not tell (another tool's, of before it was kept) is not held against it: its prompts still are.
    """
    for words, told in CONDITIONS.items():
        ours, theirs = told(a), told(b)
        if ours is not None and theirs is not None and ours != theirs:
            return f"{words}: {ours} against {theirs}"
    return None


def other_data(a: TaskResult, b: TaskResult, paired: Paired) -> str | None:
    """Why the task's documents themselves are others: a side that ran all of them lacks some of the other's."""
    for whole, other, missing, names in ((a, b, paired.only_b, "AB"), (b, a, paired.only_a, "BA")):
        if missing and ran_whole_task(whole):
            return (
                f"the task's data differ: {missing:,} documents of {names[1]} are none of {names[0]}'s, "
                f"which ran the whole task ({other.key.task})"
            )
    return None


def cut_unlike(a: Record, b: Record) -> str | None:
    """A note where prompts were cut to fit on one side and not, or less, on the other."""
    cut = [record.counts.truncated if record.counts else 0 for record in (a, b)]
    return f"prompts were cut to fit the context: {cut[0]:,} of A, {cut[1]:,} of B" if cut[0] != cut[1] else None


def ran_whole_task(result: TaskResult) -> bool:
    """Whether the side asked every document of the task, as far as its record tells."""
    total = result.score.total
    return result.score.n >= total if total is not None else result.record.limit is None


def _version(record: Record) -> str | None:
    """As text, whole numbers without their point: lm-eval writes 1, 1.0 and "1.0"."""
    text = record.task_version.strip()
    try:
        return f"{float(text):g}"
    except ValueError:
        return text or None


def _template(record: Record) -> str | None:
    """An import does not tell whether there was one."""
    if record.source == "imported":
        return None
    return record.chat_template[:DIGITS] if record.chat_template else "none"


def _decoding(record: Record) -> str | None:
    if not record.decoding:
        return None
    return ", ".join(f"{name} {value}" for name, value in sorted(record.decoding.items()))


CONDITIONS: dict[str, Callable[[Record], Any]] = {
    "other shots": lambda record: record.shots,
    "another version of the task": _version,
    "another chat template": _template,
    "answers were generated otherwise": _decoding,
}
"""What is said where they differ, and what is compared; None is not known."""
