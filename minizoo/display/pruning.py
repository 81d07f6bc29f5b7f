"""What `minizoo prune` shows: the dimensions of a cut beside the parent's, and the ranges of importance scores."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from minizoo.display.scale import duration, scaled_unit
from minizoo.output import Column, Output, note

if TYPE_CHECKING:
    from zoo.prune.importance.cost import MeasurementCost
    from zoo.prune.request import PruneRequest
    from zoo.prune.run import PruneOutcome


def show_outcome(output: Output, request: PruneRequest, outcome: PruneOutcome, tflops: float | None = None) -> None:
    """The scores of a measurement, or the plan of a cut and where it was written; `tflops` tells a measurement's hours."""
    if request.product == "scores":
        _show_scores(output, outcome)
        return
    if outcome.plan is None and request.out is not None:
        note("No plan was written: which units stay is chosen by scores, so give --scores or --calibration.")
    _show_cut(output, request, outcome, tflops)


def estimate(cost: MeasurementCost, rate: float) -> str:
    """What a measurement is about to take, in one line."""
    how_long = duration(cost.seconds(rate))
    return (
        f"Measuring importance on {cost.rows:,} rows of {cost.length:,} tokens: {_amounts(cost)}. About {how_long} at "
        f"{scaled_unit(rate, 'FLOP/s')}, as a layer takes here, and the files' reading and writing."
    )


def _amounts(cost: MeasurementCost) -> str:
    parts = [
        scaled_unit(cost.flops, "FLOP"),
        f"{scaled_unit(cost.weights_read, 'B')} of weights read",
        f"{scaled_unit(cost.states_read, 'B')} of hidden states read, {scaled_unit(cost.states_written, 'B')} written, at "
        f"most {scaled_unit(cost.states_at_once, 'B')} on the disk at a time",
    ]
    if cost.evaluations:
        parts.append(f"and {cost.evaluations} evaluations of the task, which no FLOPs are counted for")
    return ", ".join(parts)


def _show_scores(output: Output, outcome: PruneOutcome) -> None:
    scores = outcome.scores
    if scores is None:
        return
    files = [str(path) for path in outcome.score_files]
    told = scores.provenance
    if output.as_json:
        shapes = {name: list(values.shape) for name, values in sorted(scores.arrays.items())}
        names = ("calibration", "calibration_digest", "calibration_shape", "calibration_asked", "devices", "dtype")
        values = {"digest": scores.digest(), "axes": shapes, "files": files, **{name: told.get(name) for name in names}}
        output.document("scores", {**values, "measurement": _cost_document(outcome)})
        return
    from zoo.prune.calibration import describe_rows

    columns = [Column("axis"), *(Column(heading, number=True) for heading in ("scores", "lowest", "highest"))]
    rows = [
        (name, " × ".join(map(str, values.shape)), f"{values.min():.4g}", f"{values.max():.4g}")
        for name, values in sorted(scores.arrays.items())
    ]
    output.table(columns, rows)
    output.text(
        f"Calibration: {told['calibration']}, {describe_rows(told['calibration_shape'], told['calibration_asked'])}."
    )
    output.text(f"Computed in {told['dtype']} on {', '.join(told['devices'])}.")
    output.text(f"Written: {', '.join(files)}")


def _show_cut(output: Output, request: PruneRequest, outcome: PruneOutcome, tflops: float | None) -> None:
    from zoo.prune.preview import preview

    written = request.out if request.product in ("child", "virtual") else None
    values = preview(outcome.shape, outcome.plan, with_weights=request.product != "virtual")
    if output.as_json:
        out = None if written is None else str(written)
        output.document("plan", {**values, "measurement": _cost_document(outcome, tflops), "out": out})
        return
    columns = [Column("dimension"), *(Column(heading, number=True) for heading in ("parent", "child", "cut"))]
    output.table(columns, [(row["axis"], row["parent"], row["child"], row["cut"]) for row in values["axes"]])
    output.text()
    output.table([Column("of the child"), Column("")], values["facts"])
    if outcome.plan is None and outcome.cost is not None:
        output.text()
        output.table([Column("of measuring importance"), Column("")], _cost_rows(outcome.cost, tflops))
    if written is not None:
        output.text(f"Written: {written}.  Next: minizoo eval --model {written}")


def _cost_rows(cost: MeasurementCost, tflops: float | None) -> list[tuple[str, str]]:
    """A measurement that is still to be made."""
    how_long = "unknown; --tflops N tells it, and a measurement does, before it begins"
    if tflops is not None:
        how_long = (
            f"about {duration(cost.seconds(tflops * 1e12))} at {tflops:g} TFLOP/s, and the files' reading and writing"
        )
    rows = [
        ("calibration", f"{cost.rows:,} rows of {cost.length:,} tokens: {cost.tokens:,} tokens"),
        ("forward passes", scaled_unit(cost.flops, "FLOP")),
        ("weights read, as bf16", scaled_unit(cost.weights_read, "B")),
        (
            "hidden states",
            f"{scaled_unit(cost.states_read, 'B')} read, {scaled_unit(cost.states_written, 'B')} written",
        ),
        ("hidden states at a time", f"{scaled_unit(cost.states_at_once, 'B')} on the disk of --out"),
        ("time", how_long),
    ]
    if cost.evaluations:
        rows.insert(2, ("evaluations of the task", f"{cost.evaluations}, not counted in the FLOPs"))
    return rows


def _cost_document(outcome: PruneOutcome, tflops: float | None = None) -> dict[str, Any] | None:
    cost = outcome.cost
    if cost is None:
        return None
    seconds = None if tflops is None else cost.seconds(tflops * 1e12)
    return {**asdict(cost), "tokens": cost.tokens, "estimated_seconds": seconds, "made": outcome.scores is not None}
