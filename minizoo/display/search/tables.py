"""What `minizoo search` shows: the candidates within a budget, and what it found."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from minizoo.output import Column, Output

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.search.candidates import Candidate
    from zoo.search.costs import Costs
    from zoo.search.planning import Planned
    from zoo.search.run import SearchOutcome

LISTED = 100
"""Candidates that are shown one by one; of more, those that differ in the FFN alone share a line."""


def show_candidates(output: Output, planned: Planned, parent: str, out: Path | None) -> None:
    """Every shape within the budget, and which would be tried."""
    costs = planned.costs
    if output.as_json:
        output.document("search-plan", plan_document(planned, parent))
        return
    numbers = {each.shape: number for number, each in enumerate(planned.tried, 1)}
    heading = (
        f"{len(planned.within):,} shapes cost {costs.words(costs.wanted)} ±{costs.within:.1%}; {parent} costs "
        f"{costs.words(costs.parent)}. {costs.told}"
    )
    axes = [Column(name, number=True) for name in ("layers", "heads", "hidden")]
    if len(planned.within) <= LISTED:
        columns = [
            *axes,
            *(Column(name, number=True) for name in ("ffn", "parameters", "cost", "of the budget", "tried")),
        ]
        rows = [
            (*_shape(each), str(each.shape.ffn), f"{each.parameters:,}", costs.words(each.cost), f"{each.deviation:+.1%}",
             str(numbers.get(each.shape, "")))
            for each in sorted(planned.within, key=lambda each: each.shape, reverse=True)
        ]  # fmt: skip
        output.table(columns, rows, heading)
    else:
        columns = [*axes, Column("ffn"), Column("shapes", number=True), Column("cost"), Column("tried")]
        output.table(columns, list(_grouped(planned.within, costs, numbers)), heading)
    output.text(f"Would be tried: {len(planned.tried)}, far from each other, numbered from the one nearest the budget.")
    if out is not None:
        output.text(f"Written: {out / 'candidates.csv'}")


def plan_document(planned: Planned, parent: str) -> dict[str, Any]:
    """The candidates for a program."""
    costs = planned.costs
    numbers = {each.shape: number for number, each in enumerate(planned.tried, 1)}
    return {
        "parent": parent,
        "budget": {
            "kind": costs.kind, "wanted": costs.wanted, "parent": costs.parent, "within": costs.within, "told": costs.told,
            "lower_bound": costs.times is not None and costs.times.way == "lower bound",
            "chooses_depth": costs.chooses_depth,
        },
        "space": {axis: list(planned.space.values(axis)) for axis in ("layers", "heads", "hidden", "ffn")},
        "head_dim": planned.space.parent.head_dim,
        "kv_heads": planned.space.parent.num_kv_heads,
        "axes": list(planned.axes),
        "candidates": [
            {**asdict(each.shape), "parameters": each.parameters, "cost": each.cost, "deviation": each.deviation,
             "tried": numbers.get(each.shape)}
            for each in planned.within
        ],
    }  # fmt: skip


def show_outcome(output: Output, outcome: SearchOutcome, out: Path) -> None:
    """The ranking, and how sure it is."""
    if outcome.document is None:
        if output.as_json:
            output.document("search-stopped", {"out": str(out), "signal": outcome.stopped})
            return
        output.text(f"Stopped by {outcome.stopped}; all that was done is kept, and the same command goes on.")
        return
    if output.as_json:
        output.document("search", {key: value for key, value in outcome.document.items() if key != "schema"})
        return
    from zoo.search.result.page import candidate_table

    content = outcome.document
    heading, rows = candidate_table(content)
    columns = [Column(name, number=name not in ("cost", "fate")) for name in heading]
    output.table(columns, rows, f"Candidates for {content['budget']['asked']}, the best first; losses in nats a token")
    output.text()
    for sentence in content["how_sure"]:
        output.text(sentence)
    output.text(f"Written: {out}/plan.json, search.md, search.json, candidates.csv.")
    output.text(f"Next: minizoo prune {content['parent']['name']} --plan {out}/plan.json --out DIR")


def _shape(candidate: Candidate) -> tuple[str, str, str]:
    shape = candidate.shape
    return str(shape.layers), str(shape.heads), str(shape.hidden)


def _grouped(within: Sequence[Candidate], costs: Costs, numbers: dict[Any, int]) -> Any:
    """A line for each layers, heads and hidden: the FFNs that go with them."""
    ordered = sorted(within, key=lambda each: each.shape, reverse=True)
    for shape, some in itertools.groupby(ordered, key=_shape):
        group = list(some)[::-1]
        tried = [str(numbers[each.shape]) for each in group if each.shape in numbers]
        cost = " to ".join(dict.fromkeys(costs.words(each.cost) for each in (group[0], group[-1])))
        yield *shape, ", ".join(str(each.shape.ffn) for each in group), str(len(group)), cost, ", ".join(tried)
