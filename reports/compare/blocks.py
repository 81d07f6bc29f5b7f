"""What a comparison is shown as: blocks of a table and lines, which terminal, Markdown and page each render in their way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from reports.compare.cells import (
    ABSENT,
    chance,
    gold_cells,
    kept,
    number,
    score,
    shared_cells,
    side_line,
    so,
)

if TYPE_CHECKING:
    from harness.compare.comparison import Comparison
    from harness.compare.factors import Split
    from harness.compare.sides.speed_ratios import SpeedRatio
    from harness.compare.task import TaskComparison


class Column(NamedTuple):
    """A column's heading, and whether its cells are numbers. Where room is short those of less importance go first."""

    heading: str
    number: bool = False
    importance: int = 1


@dataclass(frozen=True)
class Block:
    """A table with its title, and lines below it."""

    title: str
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[str]] = ()
    lines: Sequence[str] = ()


BESIDE = (
    "B − A in each metric's own unit, over the documents that both answered, with its 95 % interval; p two-sided, adjusted "
    "over the rows (Holm). Finds: the smallest true difference that these documents would show (80 % power)."
)
SENSITIVE = (
    "Kept: B's share of A's score above chance, with its 95 % interval. Δ log p: log-probability of the right answers, B − A "
    "in nats an item, p of its own (Holm over tasks). z: lm-eval's own comparison, as if the documents were others."
)


def comparison_blocks(comparison: Comparison, command: str = "") -> Iterator[Block]:
    """The two tables of a comparison: what changed, and how it was tested. `command` shows more, on a page, with an option."""
    a, b = comparison.a, comparison.b
    columns = [Column("task", importance=9), Column("metric", importance=4), Column("n", True, 4), Column("A", True, 6)]
    columns += [Column("B", True, 6), Column("B − A", True, 7), Column("95 % interval", True, 5), Column("p", True, 6)]
    columns += [
        Column("lost", True, 3),
        Column("gained", True, 3),
        Column("finds", True, 2),
        Column("so", importance=8),
    ]
    told = dict.fromkeys((*a.notes, *b.notes))
    lines = [side_line("A", a), side_line("B", b), *(f"{each}." for each in told)]
    lines += [*(BESIDE,) * bool(comparison.compared), *_beside_rows(comparison, command)]
    title = f"{b.name} (B) beside {a.name} (A)"
    yield Block(title, columns if comparison.rows else (), [_row(row) for row in comparison.rows], lines)
    if comparison.compared:
        yield _how_block(comparison)


def _how_block(comparison: Comparison) -> Block:
    columns = [Column("task", importance=9), Column("test", importance=5), Column("effect", True, 2)]
    columns += [
        Column("kept", True, 6),
        Column("B / A", True, 3),
        Column("Δ log p", True, 7),
        Column("95 % interval", True, 6),
    ]
    columns += [Column("p", True, 6), Column("d_z", True, 2), Column("z", True, 4), Column("p of z", True, 2)]
    return Block("How it was tested, and the right answers' log-probability", columns,
                 [_how(row) for row in comparison.compared], [SENSITIVE])  # fmt: skip


def split_block(split: Split) -> Block:
    """A row a level, and what could not be split."""
    columns = [Column("task", importance=9), Column(split.by, importance=8), Column("n", True, 5), Column("A", True, 4)]
    columns += [Column("B", True, 4), Column("B − A", True, 7), Column("95 % interval", True, 5), Column("p", True, 6)]
    columns += [
        Column("effect", True, 3),
        Column("lost", True, 2),
        Column("gained", True, 2),
        Column("Δ log p", True, 3),
    ]
    columns += [Column("p of Δ", True, 2), Column("so", importance=8)]
    rows: list[list[str]] = []
    for level in split.levels:
        found = level.tested
        gold = gold_cells(level.gold)
        rows.append(
            [level.key.task, level.name, *shared_cells(found, level.p_holm), f"{number(found.effect, 2)} {found.effect_name}",
             f"{found.lost:,}", f"{found.gained:,}", gold[0], gold[2], so(level.verdict, found)]
        )  # fmt: skip
    told = f"p adjusted over all {len(rows):,} levels (Holm). Effect: Cohen's g of right and wrong, else d_z."
    lines = [told] * bool(rows) + [f"Not split: {why}." for why in split.refused]
    return Block(f"By {split.by}", columns if rows else (), rows, lines)


def speed_block(ratios: Sequence[SpeedRatio], a: str, b: str) -> Block:
    """Ratios of trials taken in turn, or how to take them."""
    if not ratios:
        how = f"Speed: no trials of the two taken in turn are recorded. `minizoo bench {b} --against {a}` takes them."
        return Block("", lines=[how])
    from harness.metrics.speed_metrics import load_metrics

    columns = [Column("point", importance=9), Column("rule", importance=4), Column("metric", importance=7)]
    columns += [
        Column("B times as fast as A (95 % interval)", True, 8),
        Column("p", True, 6),
        Column("trials", True, 2),
    ]
    columns += [Column("on", importance=1), Column("validity", importance=6)]
    rows = [
        [f"{r.workload} {r.point}", f"{r.mode} ({r.b_batch:,} / {r.a_batch:,})", load_metrics()[r.metric].display,
         f"{r.ratio:.3f} ({number(r.lower, 3)} – {number(r.upper, 3)})", chance(r.p_holm), f"{r.b_n} + {r.a_n}",
         f"{r.gpu or r.device}, {r.dtype}" + (", random weights" if r.weights == "random" else ""),
         "valid" if r.valid else "INVALID"]
        for r in ratios
    ]  # fmt: skip
    told = "Trials of the two taken in turn; above 1 B is faster, for times too. p by Mann–Whitney, Holm over the rows."
    return Block("Speed", columns, rows, [told])


def _row(row: TaskComparison) -> list[str]:
    metric = row.key.metric + (f" ({row.key.filter})" if row.key.filter not in ("", "none") else "")
    if row.tested is None:
        return [row.key.task, metric, ABSENT, score(row.a_value), score(row.b_value), *[ABSENT] * 6, "refused"]
    found = row.tested
    return [
        row.key.task, metric, *shared_cells(found, row.p_holm), f"{found.lost:,}", f"{found.gained:,}",
        number(found.detectable), so(row.verdict, found),
    ]  # fmt: skip


def _how(row: TaskComparison) -> list[str]:
    if row.tested is None:
        return [row.key.task, *[ABSENT] * 10]
    found, z = row.tested, row.unpaired
    ratio = found.b_value / found.a_value if found.a_value > 0 else None
    return [
        row.key.task, found.test, f"{number(found.effect, 2)} {found.effect_name}", kept(row.retained), number(ratio, 3),
        *gold_cells(row.gold), number(row.gold.effect if row.gold else None, 2), number(z.z if z else None, 2),
        chance(z.p_value if z else None),
    ]  # fmt: skip


def _beside_rows(comparison: Comparison, command: str) -> Iterator[str]:
    """What is to be said of rows, and of what has none."""
    for row in comparison.rows:
        if row.refused:
            z = row.unpaired
            unpaired = f" Unpaired, as lm-eval compares: z {z.z:.2f}, p {chance(z.p_value)}." if z else ""
            yield f"{row.key.task} refused: {row.refused}.{unpaired}"
        for told in row.notes:
            yield f"{row.key.task}: {told}."
    for name, tasks in (("A", comparison.only_a), ("B", comparison.only_b)):
        if tasks:
            yield f"Only {name} has {', '.join(tasks)}."
    if comparison.further:
        shows = with_option(command, "--every-metric")
        yield f"{comparison.further:,} further metrics of the same answers: {shows} shows them."


def with_option(command: str, option: str) -> str:
    """The option alone where the reader has just typed the command; else both, as code."""
    return f"`{command} {option}`" if command else option
