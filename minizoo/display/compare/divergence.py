"""How the divergence of two models, and the cost of each axis of a plan, are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from minizoo.display.compare.render import show_blocks
from minizoo.display.progress import StepBar
from minizoo.output import Output, note
from reports.compare.blocks import Block, Column
from reports.compare.cells import ABSENT, chance, interval, number, signed

if TYPE_CHECKING:
    from harness.divergence.axis_loss import AxisLoss, AxisLosses
    from harness.divergence.figures import Diverged, Divergence, Mean, Percentiles

HOW_FAR = (
    "KL in nats a position, over every position of the suite's requests, each once; A is the reference. Errors and 95 % "
    "intervals count documents: a position belongs to the first that asks for it. Top-1: share of positions with the same most "
    "probable token. Δp: p_B − p_A of the token that the request goes on with."
)
VOLUME = (
    "KL says how much changed, not whether for the worse: the right answers' log-probability, paired by document, does."
)
WHAT_IT_COSTS = (
    "Each axis of the plan cut alone, the others whole, from the parent's own weights, beside the parent: log-probability of "
    "the right answers, nats an item, with 95 % intervals over documents; p two-sided, adjusted over the rows (Holm)."
)


class DivergenceProgress(StepBar):
    """The DivergenceWatcher of `minizoo compare --kl` and `--axes`: a step a phase."""

    def __init__(self, quiet: bool) -> None:
        super().__init__(quiet)
        self._phase = ""

    def begins(self, phase: str, unit: str = "") -> None:
        """What is done from now on."""
        self.finished()
        self._phase = phase
        self.show(phase, 0, 0, unit)

    def noted(self, line: str) -> None:
        """Tell it at once, on stderr."""
        note(line)

    def advanced(self, done: int, of: int) -> None:
        """So much of the phase is done."""
        self.show(self._phase, done, of)

    def finished(self) -> None:
        """The last phase is over."""
        if self._phase:
            self.end(self._phase)
        self._phase = ""


def show_divergence(output: Output, divergence: Divergence) -> None:
    """The tables of `--kl` on a terminal."""
    show_blocks(output, divergence_blocks(divergence))


def show_axes(output: Output, losses: AxisLosses) -> None:
    """The tables of `--axes` on a terminal."""
    show_blocks(output, axes_blocks(losses))


def divergence_blocks(found: Divergence) -> Iterator[Block]:
    """Means and percentiles, then a row a task."""
    figures: Sequence[tuple[str, Mean, Percentiles]] = (
        ("KL(A‖B)", found.kl, found.kl_percentiles),
        ("KL(B‖A)", found.reverse_kl, found.reverse_kl_percentiles),
        ("Δp", found.delta_p, found.delta_p_percentiles),
        ("Δp, root mean square", found.delta_p_rms, {}),
        ("Δ log p", found.logprob, {}),
        ("same top-1", found.top1, {}),
    )
    columns = [Column("figure", importance=9), Column("mean", True, 9), Column("± error", True, 7)]
    columns += [Column("95 % interval", True, 8)]
    title = f"How far {found.b.name} (B) is from {found.a.name} (A) on {found.suite}"
    lines = [_side("A", found.a), _side("B", found.b)]
    lines += [
        f"{found.positions:,} positions, {found.tokens:,} next tokens, {found.vocabulary:,} tokens of vocabulary."
    ]
    yield Block(
        title, columns, [[name, *_mean(mean)] for name, mean, _ in figures], [*lines, HOW_FAR, VOLUME, *found.notes]
    )
    names = list(dict.fromkeys(name for _, _, percentiles in figures for name in percentiles))
    names.sort(key=_place)
    yield Block(
        "Percentiles over positions",
        [Column("figure", importance=9), *(Column(name, True, 2 + (name in found.kl_percentiles)) for name in names)],
        [[name, *(number(percentiles.get(each)) for each in names)] for name, _, percentiles in figures if percentiles],
    )
    columns = [Column("task", importance=9), Column("positions", True, 4), Column("KL(A‖B)", True, 8)]
    columns += [Column("95 % interval", True, 6), Column("same top-1", True, 7), Column("95 % interval", True, 3)]
    rows = [
        [
            each.task,
            f"{each.positions:,}",
            number(each.kl.value),
            _both(each.kl),
            number(each.top1.value),
            _both(each.top1),
        ]
        for each in found.tasks
    ]
    yield Block("By task, of the documents that ask first", columns, rows)


def axes_blocks(losses: AxisLosses) -> Iterator[Block]:
    """A row an axis, then the tasks one by one."""
    columns = [Column("axis", importance=9), Column("cut", importance=5), Column("parameters saved", True, 6)]
    columns += [
        Column("n", True, 2),
        Column("Δ log p", True, 9),
        Column("95 % interval", True, 8),
        Column("p", True, 7),
    ]
    columns += [Column("lost a million saved", True, 8), Column("accuracy", True, 4)]
    rows = [_axis(row) for row in losses.rows]
    lines = [
        f"{losses.parent} itself: {losses.parameters:,} parameters, log p {number(losses.gold)} an item, accuracy "
        f"{number(losses.accuracy)}.",
        WHAT_IT_COSTS,
        *_together(losses),
        *(f"{row.axis} has no numbers: {row.refused}" for row in losses.rows if row.refused),
        *losses.notes,
    ]
    yield Block(f"What each cut of the plan costs {losses.parent} on {losses.suite}", columns, rows, lines)
    told = [row for row in losses.rows if row.tasks]
    tasks = [each.task for each in told[0].tasks] if told else []
    heads = [Column("axis", importance=9)]
    heads += [column for task in tasks for column in (Column(f"{task}: Δ log p", True, 5), Column("accuracy", True, 2))]
    cells = [
        [row.axis, *(cell for each in row.tasks for cell in (signed(each.difference.value), number(each.accuracy)))]
        for row in told
    ]
    if len(tasks) > 1:
        yield Block("By task", heads, cells)


def _axis(row: AxisLoss) -> list[str]:
    beside = [row.axis, row.cut, f"{row.saved:,}"]
    if row.difference is None:
        return [*beside, *[ABSENT] * 6]
    found = row.difference
    return [
        *beside, f"{row.n:,}", signed(found.value), interval(found.lower, found.upper), chance(row.p_holm),
        number(row.lost_per_million), number(row.accuracy),
    ]  # fmt: skip


def _together(losses: AxisLosses) -> Iterator[str]:
    """What the axes cost together, beside their sum."""
    found = losses.interaction
    if found is None or losses.sum_of_axes is None:
        return
    apart = found.lower is not None and found.upper is not None and not found.lower <= 0 <= found.upper
    words = (
        ("the cuts make each other worse" if found.value < 0 else "they share a part of it")
        if apart
        else "not resolved"
    )
    yield (
        f"The axes add up to {signed(losses.sum_of_axes)} an item; the whole plan differs from that by {signed(found.value)} "
        f"({interval(found.lower, found.upper)}): {words}."
    )


def _side(letter: str, model: Diverged) -> str:
    how = ", ".join(filter(None, (model.backend, model.device, model.precision, model.scoring)))
    return f"{letter}: {model.name} ({how}), perplexity {number(model.perplexity)} on the same tokens."


def _mean(mean: Mean) -> list[str]:
    return [number(mean.value, 6), number(mean.stderr, 6), _both(mean)]


def _both(mean: Mean) -> str:
    if mean.lower is None or mean.upper is None:
        return ABSENT
    return f"{number(mean.lower)} – {number(mean.upper)}"


def _place(name: str) -> float:
    return {"min": -1.0, "max": 101.0}.get(name) or float(name.removeprefix("p"))
