"""How a comparison of two models' speed is shown: both rules, the ratio with its interval, published figures beside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from minizoo.display.speed import BenchNotes
from minizoo.output import Column, Output, note

if TYPE_CHECKING:
    from harness.speed.compare.pairing import Pairing
    from harness.speed.compare.ratios import ComparedMetric
    from harness.speed.compare.run import PairedPoint

GB = 1e9


class PairNotes(BenchNotes):
    """Says on stderr which pair is measured."""

    def pairs(self, pairing: Pairing) -> None:
        """Name the two points and the rules that pair them."""
        self._begin(pairing.point.name)
        if not self.quiet:
            note(f"{pairing.point.name} against {pairing.against.name} ({' and '.join(pairing.modes)}) …")


def show_paired(output: Output, paired: Sequence[PairedPoint], results: Path) -> None:
    """One table over all pairs, then what is to be said of them, then what was published."""
    if not paired:
        output.text("No pair was measured.")
        return
    first = paired[0]
    record = first.ours.record
    rows = [_row(one, c) for one in paired for c in one.comparisons]
    columns = [Column("rule"), Column("in x out", importance=2), Column("batch", True, 6), Column("against", True, 3)]
    columns += [Column("memory GB", True), Column("metric", importance=7)]
    columns += [Column("times as fast (95 % interval)", True, 7), Column("p", True, 2), Column("n", True)]
    columns += [Column("so", importance=5), Column("validity", importance=6)]
    names = " against ".join(one.subject.name or one.subject.id for one in (record, first.theirs.record))
    setting = record.setting
    where = setting.gpu or (record.speed.machine.get("product") if record.speed else None) or setting.device
    output.table(columns, rows, f"{names}, {record.suite} ({setting.backend}, {setting.precision}, {where})")
    for line in _lines(paired):
        output.text(line)
    output.text(f"Records: {results}/runs.  `minizoo db path` finds the view `speed_ratios`.")


def _row(one: PairedPoint, compared: ComparedMetric) -> list[str]:
    from harness.metrics.speed_metrics import load_metrics
    from harness.stats.ratio import verdict

    c, r, shape = compared.recorded, compared.ratio, one.pairing.point.shape
    return [
        c.mode, f"{shape.input}x{shape.output}", f"{c.batch:,}", f"{c.against_batch:,}",
        f"{c.memory_budget / GB:.3g}" if c.memory_budget else "", load_metrics()[c.metric].display,
        f"{r.value:.3f} ({r.lower:.3f} – {r.upper:.3f})", f"{r.p_value:.2g}", f"{r.n} + {r.against_n}",
        verdict(r.value, r.lower, r.upper, r.p_value), "valid" if c.valid else "INVALID",
    ]  # fmt: skip


def _lines(paired: Sequence[PairedPoint]) -> list[str]:
    from harness.stats.ratio import RESAMPLES

    found = [compared.recorded for one in paired for compared in one.comparisons]
    lines = [f"Not compared at {one.pairing.point.name}: {one.refused}." for one in paired if one.refused]
    if not any("equal memory" in one.pairing.modes for one in paired):
        lines.append("No pair of equal memory: a model does not fit, or its bytes are not known.")
    if found:
        lines.append(
            f"Times as fast: median over median of trials taken in turn; interval by {RESAMPLES:,} bootstrap "
            f"resamples (seed {found[0].seed}), p by Mann–Whitney, two-sided. Above 1 is faster, for times too."
        )
        lines.append("Equal memory: weights and caches of each fit into the same bytes; activations are left out.")
    lines += [f"Note: {text}" for text in dict.fromkeys(note for c in found for note in c.notes)]
    return lines + [f"Published: {text}" for text in dict.fromkeys(p for c in found for p in c.published)]
