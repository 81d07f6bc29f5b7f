"""The table of findings: what the papers found, what was found here, with its interval, and what comes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.findings.finding import AnyFinding, Contrast
from harness.findings.judge import Judged
from harness.findings.record import FindingsRecord
from harness.findings.seeds import MOST
from reports.cells import ABSENT, writable
from reports.tables.table import Heading, Table

HEADINGS = (
    Heading("Finding", importance=4), Heading("Paper", importance=1), Heading("Here", number=True, importance=3),
    Heading("95 % interval", number=True, importance=3), Heading("Verdict", importance=4),
    Heading("Seeds", number=True, importance=2),
)  # fmt: skip
UNITS = {"nats": " nat", "percent": " %"}


def findings_table(judged: Sequence[Judged]) -> Table:
    """A row a finding; the notes say how the figures are to be read, and of which seeds something is missing."""
    rows = tuple(
        (
            writable(each.finding.sentence),
            writable(f"{each.finding.paper.says} ({each.finding.paper.source}, {each.finding.paper.place})"),
            here(each),
            interval(each),
            verdict(each),
            str(each.seeds),
        )
        for each in judged
    )
    keys = [(None, None, each.value, None, each.word, float(each.seeds)) for each in judged]
    return Table("What the papers found, and what was found here", HEADINGS, rows, keys, tuple(_notes(judged)))


def arms_table(record: FindingsRecord) -> Table:
    """A row an arm: its size, its tokens, its loss over the seeds, and what it took."""
    headings = (
        Heading("Arm"), Heading("Parameters", number=True), Heading("Tokens", number=True),
        Heading("Held-out loss, nats a token", number=True), Heading("Lowest to highest seed", number=True),
        Heading("CPU minutes", number=True),
    )  # fmt: skip
    rows = [
        (
            arm.name if text == "own" or text in arm.name else f"{arm.name}, on {text} text",
            f"{arm.parameters:,}", f"{arm.tokens:,}",
            f"{sum(found.values()) / len(found):.4f}", f"{min(found.values()):.4f} to {max(found.values()):.4f}",
            f"{arm.cpu_seconds / 60:.1f}" if text == next(iter(arm.losses)) else "",
        )
        for arm in record.arms
        for text, found in arm.losses.items()
        if found
    ]  # fmt: skip
    notes = tuple(f"{arm.name}, seed {seed}: {why}" for arm in record.arms for seed, why in arm.diverged.items())
    return Table("Every model, over the seeds", headings, tuple(rows), notes=tuple(map(writable, notes)))


def here(judged: Judged) -> str:
    """The mean over seeds with its unit and sign: above 0, or a factor above 1, is the papers' way."""
    if judged.value is None:
        return ABSENT
    return f"{judged.bound} {figure(judged, judged.value)}".lstrip()


def interval(judged: Judged) -> str:
    """Its interval; open where curves ended before they came to the loss; a dash where there is none."""
    ends = judged.lower, judged.upper
    if ends == (None, None):
        return ABSENT
    lower, upper = (None if end is None else figure(judged, end) for end in ends)
    if upper is None:
        return f"from {lower}"
    return f"up to {upper}" if lower is None else f"{lower} to {upper}"


def figure(judged: Judged, value: float) -> str:
    """One figure of a finding, in its unit."""
    if not isinstance(judged.finding, Contrast):
        return f"{value:.3g}×" if math.isfinite(value) else ABSENT
    digits = 4 if judged.finding.unit == "nats" else 2
    told = f"{value:+.{digits}f}"
    told = told if told.strip("+-0.") else told[1:]  # no sign where nothing is left to show
    return f"{told}{UNITS[judged.finding.unit]}".replace("-", "−")


def verdict(judged: Judged) -> str:
    """The word, and of one that is not resolved the seeds that it would take."""
    if judged.word == "too few seeds":
        return f"too few seeds: {judged.finding.least_seeds} at least"
    if judged.word != "not resolved":
        return judged.word
    if any(pair.bound for pair in judged.pairs):
        return "not resolved: curves end before they come to the loss"
    return (
        f"not resolved: {f'{judged.needed:,} seeds' if judged.needed else f'more than {MOST:,} seeds'} would be needed"
    )


def margin(finding: AnyFinding) -> str:
    """What was fixed beforehand to count."""
    if isinstance(finding, Contrast):
        return f"{finding.margin:g}{UNITS[finding.unit]}"
    return f"a factor of {finding.factor if finding.kind == 'at-least' else finding.margin:g}"


def _notes(judged: Sequence[Judged]) -> list[str]:
    told = [
        "Here: by how much the arm that the papers prefer loses less on held-out text (nats a token, or percent), or how many "
        "times fewer tokens it takes; mean over paired seeds with Student's 95 % interval.",
        "same: the interval lies on the papers' side (no worse, alike: one-sided tests at 95 % exclude the margin). different: "
        "it lies below the margin that was fixed beforehand. Each row is judged for itself.",
    ]
    told += [f"{each.finding.id}: {why}" for each in judged for why in each.notes[:3]]
    return [writable(line) for line in told]
