"""What `minizoo prune` shows: the dimensions of a cut beside the parent's, and the ranges of importance scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minizoo.output import Column, Output, note

if TYPE_CHECKING:
    from zoo.prune.request import PruneRequest
    from zoo.prune.run import PruneOutcome


def show_outcome(output: Output, request: PruneRequest, outcome: PruneOutcome) -> None:
    """The scores of a measurement, or the plan of a cut and where it was written."""
    if request.product == "scores":
        _show_scores(output, outcome)
        return
    if outcome.plan is None and request.out is not None:
        note("No plan was written: which units stay is chosen by scores, so give --scores or --calibration.")
    _show_cut(output, request, outcome)


def _show_scores(output: Output, outcome: PruneOutcome) -> None:
    scores = outcome.scores
    if scores is None:
        return
    files = [str(path) for path in outcome.score_files]
    if output.as_json:
        shapes = {name: list(values.shape) for name, values in sorted(scores.arrays.items())}
        output.document("scores", {"digest": scores.digest(), "axes": shapes, "files": files})
        return
    columns = [Column("axis"), *(Column(heading, number=True) for heading in ("scores", "lowest", "highest"))]
    rows = [
        (name, " × ".join(map(str, values.shape)), f"{values.min():.4g}", f"{values.max():.4g}")
        for name, values in sorted(scores.arrays.items())
    ]
    output.table(columns, rows)
    output.text(f"Written: {', '.join(files)}")


def _show_cut(output: Output, request: PruneRequest, outcome: PruneOutcome) -> None:
    from zoo.prune.preview import preview

    written = request.out if request.product in ("child", "virtual") else None
    values = preview(outcome.shape, outcome.plan, with_weights=request.product != "virtual")
    if output.as_json:
        output.document("plan", {**values, "out": None if written is None else str(written)})
        return
    columns = [Column("dimension"), *(Column(heading, number=True) for heading in ("parent", "child", "cut"))]
    output.table(columns, [(row["axis"], row["parent"], row["child"], row["cut"]) for row in values["axes"]])
    output.text()
    output.table([Column("of the child"), Column("")], values["facts"])
    if written is not None:
        backend = "" if outcome.shape.uniform and request.product == "child" else " --backend pruned"
        output.text(f"Written: {written}.  Next: minizoo eval --model {written}{backend}")
