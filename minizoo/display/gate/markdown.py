"""A gate's verdicts as GitHub's Markdown, for $GITHUB_STEP_SUMMARY: the verdict first, details folded, never over the limit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from minizoo.display.compare.render import escaped, prose
from minizoo.display.gate.cells import (
    difference_cells,
    flip_cells,
    gold_cells,
    interval_words,
    metric_words,
    ordered,
    p_cells,
    score_cells,
)
from minizoo.display.gate.terminal import tail

if TYPE_CHECKING:
    from harness.gates.outcome import GateOutcome, Verdict

LIMIT = 1024 * 1024
"""Bytes of a step's summary: GitHub drops the whole of a longer one."""
ROOM = 1024
"""Kept for the note of what was left out."""
LONGEST = 600
"""Characters of a cell or line: what is longer is cut."""
SHOWN = ("status", "model", "task", "metric", "n", "difference", "", "margin", "p adjusted", "lost / gained", "Δ log p")
"""Headings of the table that is not folded; the empty one is the interval's."""


def summary(outcome: GateOutcome, limit: int = LIMIT) -> str:
    """The whole as Markdown of at most `limit` bytes in UTF-8: as many verdicts as there is room for, the gravest first."""
    head = [
        f"## {_text(outcome.headline)}",
        "",
        f"Policy {_text(outcome.policy.name)}, exit code {outcome.exit_code}.",
        "",
    ]
    verdicts = ordered(outcome)
    foot = _folded("How it was decided", [f"- {prose(_cut(line))}" for line in tail(outcome)])
    room = limit - ROOM - _bytes(head)
    table, left_out = _within([_row(verdict) for verdict in verdicts], room)
    if verdicts:
        table = [*_heading([heading or interval_words(outcome) for heading in SHOWN]), *table]
    made = [*head, *table, ""]
    for block in (_reasons(verdicts), foot):
        kept, lost = _within(block, limit - ROOM - _bytes(made))
        made += kept if not lost else []
        left_out += bool(lost)
    if left_out:
        lost = _left_out(len(outcome.verdicts), max(0, len(table) - 2))
        made += ["", f"Cut to GitHub's limit of {limit // 1024:,} KiB: {lost} left out. `--json` has all."]
    return "\n".join(made) + "\n"


def _left_out(verdicts: int, shown: int) -> str:
    missing = verdicts - shown
    return f"{missing:,} of {verdicts:,} verdicts, and the details, are" if missing else "the details are"


def _heading(names: Sequence[str]) -> list[str]:
    return [_line(names), f"|{'|'.join(['---'] * len(names))}|"]


def _row(verdict: Verdict) -> str:
    numbers = verdict.numbers
    flips = " / ".join(flip_cells(numbers))
    cells = [
        f"**{verdict.status}**" if verdict.status != "PASS" else verdict.status,
        *map(_text, (verdict.pair.model, verdict.task, f"{metric_words(verdict)} ({verdict.tier})")),
        score_cells(verdict)[0], *difference_cells(verdict), p_cells(verdict)[1], flips, gold_cells(numbers)[0],
    ]  # fmt: skip
    return _line(cells)


def _reasons(verdicts: Sequence[Verdict]) -> list[str]:
    """Why, a line a verdict, with the numbers that the table has no room for."""
    return _folded("Why, verdict by verdict", [_reason(verdict) for verdict in verdicts]) if verdicts else []


def _reason(verdict: Verdict) -> str:
    told = [f"**{verdict.status}** {_text(verdict.pair.model)}, {_text(verdict.task)}: {prose(_cut(verdict.reason))}"]
    if numbers := verdict.numbers:
        _, reference, candidate = score_cells(verdict)
        told.append(f"{reference} → {candidate}; p {p_cells(verdict)[0]}; {_text(numbers.test)}")
        if numbers.gold:
            told.append("Δ log p {} ({}), adjusted p {}".format(*gold_cells(numbers)))
    return f"- {'. '.join(told)}."


def _folded(title: str, lines: Iterable[str]) -> list[str]:
    return ["<details>", f"<summary>{title}</summary>", "", *lines, "", "</details>", ""]


def _within(lines: Sequence[str], room: int) -> tuple[list[str], int]:
    """As many of the lines as fit into so many bytes, and how many do not."""
    kept: list[str] = []
    for line in lines:
        room -= _bytes([line])
        if room < 0:
            break
        kept.append(line)
    return kept, len(lines) - len(kept)


def _bytes(lines: Iterable[str]) -> int:
    return sum(len(line.encode("utf-8", "replace")) + 1 for line in lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    return escaped(_cut(text))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
