"""How a comparison of two models' speed is shown: both rules, the ratio with its interval, published figures beside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from minizoo.display.speed import BenchNotes
from minizoo.output import Column, Output, note

if TYPE_CHECKING:
    from harness.records.speed_record import Comparison
    from harness.speed.against import Compared
    from harness.speed.comparison import Pairing

GB = 1e9


class PairNotes(BenchNotes):
    """Says on stderr which pair is measured."""

    def pairs(self, pairing: Pairing) -> None:
        """Name the two points and the rules that pair them."""
        if not self.quiet:
            note(f"{pairing.point.name} against {pairing.against.name} ({' and '.join(pairing.modes)}) …")


def show_compared(output: Output, compared: list[Compared], results: Path) -> None:
    """One table over all pairs, then what is to be said of them, then what was published."""
    first = compared[0]
    rows = [_row(one, c) for one in compared for c in _comparisons(one)]
    columns = [
        Column("rule"),
        Column("in x out"),
        Column("batch", True),
        Column("against", True),
        Column("memory GB", True),
    ]
    columns += [Column("metric"), Column("times as fast (95 % interval)", True), Column("p", True), Column("n", True)]
    columns += [Column("so"), Column("validity")]
    names = f"{first.record.subject.id} against {first.against.subject.id}"
    setting = first.record.setting
    where = setting.gpu or (first.record.speed.facts.get("product") if first.record.speed else None) or setting.device
    output.table(columns, rows, f"{names}, {first.record.suite} ({setting.backend}, {setting.dtype}, {where})")
    for line in _lines(compared):
        output.text(line)
    output.text(f"Records: {results}/runs.  `minizoo db path` finds the view `speed_ratios`.")


def as_document(compared: list[Compared]) -> dict[str, Any]:
    """Both records of each pair, and why one has no comparison."""
    return {
        "pairs": [
            {
                "modes": list(one.pairing.modes),
                "record": one.record.model_dump(mode="json"),
                "against": one.against.model_dump(mode="json"),
                "refused": one.refused,
            }
            for one in compared
        ]
    }


def _comparisons(one: Compared) -> tuple[Comparison, ...]:
    return one.record.speed.comparisons if one.record.speed else ()


def _row(one: Compared, comparison: Comparison) -> list[str]:
    from harness.metrics.speed_metrics import load_metrics
    from harness.stats.ratio import verdict

    c, shape = comparison, one.pairing.point.shape
    return [
        c.mode, f"{shape.input}x{shape.output}", f"{c.batch:,}", f"{c.against_batch:,}",
        f"{c.memory_budget / GB:.3g}" if c.memory_budget else "", load_metrics()[c.metric].display,
        f"{c.ratio:.3f} ({c.lower:.3f} – {c.upper:.3f})", f"{c.p_value:.2g}", f"{c.n} + {c.against_n}",
        verdict(c.ratio, c.lower, c.upper, c.p_value), "valid" if c.valid else "INVALID",
    ]  # fmt: skip


def _lines(compared: list[Compared]) -> list[str]:
    found = [c for one in compared for c in _comparisons(one)]
    lines = [f"Not compared at {one.pairing.point.name}: {one.refused}." for one in compared if one.refused]
    if not any("equal memory" in one.pairing.modes for one in compared):
        lines.append("No pair of equal memory: a model does not fit, or its bytes are not known.")
    if found:
        lines.append(
            f"Times as fast: median over median of trials taken in turn; interval by {found[0].resamples:,} bootstrap "
            f"resamples (seed {found[0].seed}), p by Mann–Whitney, two-sided. Above 1 is faster, for times too."
        )
        lines.append("Equal memory: weights and caches of each fit into the same bytes; activations are left out.")
    lines += [f"Note: {text}" for text in dict.fromkeys(note for c in found for note in c.notes)]
    return lines + [f"Published: {text}" for text in dict.fromkeys(p for c in found for p in c.published)]
