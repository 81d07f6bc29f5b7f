"""search.json: all that a search was asked, found and is sure of."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.prune.parent import Parent
from zoo.prune.plan import Plan
from zoo.search.planning import Planned
from zoo.search.request import SearchRequest
from zoo.search.space import AXES
from zoo.search.stopping import Decision

if TYPE_CHECKING:
    from zoo.distill.stages.teaching import TeacherFolder
    from zoo.search.stages.confirming import Confirmation
    from zoo.search.stages.ranking import Ranked
    from zoo.search.stages.scoring import Scored
    from zoo.search.stages.text import SearchText

SCHEMA = "minizoo.search/1"


@dataclass(frozen=True)
class Findings:
    """What the stages found. `order` has all candidates, the best first: those that were trained by the ranking, the others by
    their score."""

    scored: Sequence[Scored]
    kept: Sequence[Scored]
    ranked: Ranked
    order: Sequence[Scored]
    median: Scored
    confirmation: Confirmation | None
    text: SearchText
    teacher: TeacherFolder
    seconds: float = 0.0

    @property
    def winner(self) -> Scored:
        """The first of the ranking."""
        return self.order[0]


def document(request: SearchRequest, planned: Planned, parent: Parent, found: Findings) -> dict[str, Any]:
    """The document, plain values alone; numbers that are not finite are null."""
    training = request.training
    assert training is not None, "a search that found something was trained"
    numbers = [each.number for each in found.kept]
    steps = found.ranked.steps
    costs = planned.costs
    content = {
        "schema": SCHEMA,
        "parent": {"name": parent.name, "digest": found.teacher.digest, "shape": _shape_of(parent)},
        "budget": {
            "asked": request.budget.text, "kind": costs.kind, "wanted": costs.wanted, "parent": costs.parent,
            "within": costs.within, "told": costs.told,
        },
        "space": {axis: list(planned.space.values(axis)) for axis in AXES},
        "within_budget": len(planned.within),
        "candidates": [_candidate(each, found, training) for each in found.order],
        "rungs": [_rung(each, numbers, training.tokens_at(each.step)) for each in found.ranked.decisions],
        "stopped": found.ranked.decisions[-1].stop,
        "tokens": {
            "a_candidate": training.tokens_at(found.ranked.decisions[-1].step),
            "at_most": training.tokens_at(training.steps),
            "all_candidates": sum(training.tokens_at(step) for step in steps.values()),
        },
        "rule": asdict(request.rule),
        "winner": found.winner.number,
        "plan_digest": winners_plan(request, found).digest(),
        "median": found.median.number,
        "confirmation": None if found.confirmation is None else asdict(found.confirmation),
        "training": {**asdict(training), "steps": training.steps, "rungs": request.rungs},
        "teacher": {
            "name": found.teacher.name, "digest": found.teacher.digest,
            "cache": "exact" if request.sampled is None else f"sampled:{request.sampled}",
        },
        "text": {
            "sources": list(found.text.names), "rows": len(found.text.in_order(request.seed)),
            "ranking_documents": len(found.text.ranking.documents),
            "confirming_documents": len(found.text.confirming.documents),
        },
        "importance": {"rows": request.calibration, "depth_by": request.depth_by},
        "scored_by": _scored_by(request),
        "seeds": {"search": request.seed, "confirmation": [each.seed for each in _pairs(found)]},
        "seconds": round(found.seconds, 1),
    }  # fmt: skip
    return _plain(content | {"how_sure": how_sure(content)})


def winners_plan(request: SearchRequest, found: Findings) -> Plan:
    """The winner's plan, which says that a search chose its shape, and by which tasks, so that their scores are marked."""
    chosen = found.winner.plan.chosen
    method = f"shape by minizoo search for {request.budget.text}, seed {request.seed}; {chosen.method}"
    tasks = (*chosen.selection_tasks, *request.tasks)
    told = chosen.model_copy(update={"method": method, "selection_tasks": tasks})
    return found.winner.plan.model_copy(update={"chosen": told})


def text_of(content: Mapping[str, Any]) -> str:
    """The document as JSON."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def how_sure(content: Mapping[str, Any]) -> list[str]:
    """How sure the search is of its winner, in sentences."""
    rungs, rule, winner = content["rungs"], content["rule"], content["winner"]
    tokens, last = content["tokens"], content["rungs"][-1]
    trained = sum(each["steps"] > 0 for each in content["candidates"])
    told = [
        f"Of {content['within_budget']:,} shapes within the budget {len(content['candidates'])} were cut and scored, "
        f"{trained} of these trained; candidate {winner} is first after {tokens['a_candidate']:,} tokens a candidate "
        f"({tokens['all_candidates']:,} in all)."
    ]
    told.append(_why(content["stopped"], last, rule, tokens))
    if (tau := last["tau"]) is not None:
        told.append(
            f"Kendall's τ between the rankings of the last two rungs is {tau['value']:.2f} "
            f"[{tau['lower']:.2f}, {tau['upper']:.2f}]; {_flips(rungs)}."
        )
    told.append(_confirmed(content["confirmation"], winner, content["median"]))
    return told


def _why(stopped: str, last: Mapping[str, Any], rule: Mapping[str, Any], tokens: Mapping[str, Any]) -> str:
    sure = f"with {rule['confidence']:.0%} confidence over the held-out documents"
    if stopped == "one is left":
        return f"The others that were trained are out: {sure} none of them would be ahead after {tokens['at_most']:,} tokens."
    if stopped == "settled":
        return (
            f"The ranking had settled: {sure} no other that was trained would be more than {rule['tolerance']:g} nat ahead "
            f"after {tokens['at_most']:,} tokens, if what it catches up shrinks to {rule['lasting']:g} a doubling."
        )
    open_ones = [each["candidate"] for each in last["standings"][1:] if each["final_lower"] <= -rule["tolerance"]]
    if open_ones:
        return f"All tokens are spent and the ranking is not settled: it is not excluded that {_listed(open_ones)} is better."
    return f"All tokens are spent; {sure} no other is more than {rule['tolerance']:g} nat better at that."


def _flips(rungs: Sequence[Mapping[str, Any]]) -> str:
    leaders = [rung["standings"][0]["candidate"] for rung in rungs if rung["standings"]]
    changes = sum(a != b for a, b in itertools.pairwise(leaders))
    return f"the lead changed {changes} times in {len(leaders)} rungs" if changes else "the lead never changed"


def _confirmed(found: Mapping[str, Any] | None, winner: int, median: int) -> str:
    if found is None:
        return "The winner was not confirmed on other seeds."
    if not found["pairs"]:
        return f"The confirmation came to nothing: {found['told']}"
    seeds = len(found["pairs"])
    told = f"On {seeds} other seed{'s' if seeds > 1 else ''} and documents that ranked nothing, the winner's loss is "
    told += (
        f"{abs(found['difference']):.4f} nat {'lower' if found['difference'] < 0 else 'higher'} than that of candidate "
    )
    told += f"{median}, the median one"
    if found["lower"] is not None:
        told += f" ({found['confidence']:.0%} interval over seeds [{found['lower']:.4f}, {found['upper']:.4f}])"
    return f"{told}: {found['verdict']}.{' ' + found['told'] if found['told'] else ''}"


def _candidate(scored: Scored, found: Findings, training: Any) -> dict[str, Any]:
    at = found.kept.index(scored) if scored in found.kept else None
    shape = scored.candidate.shape
    losses = {} if at is None else found.ranked.losses[at]
    steps = 0 if at is None else found.ranked.steps[at]
    return {
        "rank": list(found.order).index(scored) + 1,
        "number": scored.number,
        "shape": asdict(shape),
        "target": shape.words,
        "parameters": scored.candidate.parameters,
        "cost": scored.candidate.cost,
        "deviation": scored.candidate.deviation,
        "pruned_loss": scored.loss,
        "task": None if scored.task is None else asdict(scored.task),
        "losses": {str(training.tokens_at(step)): loss for step, loss in sorted(losses.items())},
        "steps": steps,
        "tokens": training.tokens_at(steps),
        "diverged": None if at is None else found.ranked.diverged.get(at),
        "plan_digest": scored.plan.digest(),
    }


def _rung(decision: Decision, numbers: Sequence[int], tokens: int) -> dict[str, Any]:
    return {
        "step": decision.step,
        "tokens": tokens,
        "standings": [{**asdict(each), "candidate": numbers[each.candidate]} for each in decision.standings],
        "dropped": [numbers[each] for each in decision.dropped],
        "diverged": [numbers[each] for each in decision.diverged],
        "tau": None if decision.tau is None else asdict(decision.tau),
        "stop": decision.stop,
    }


def _scored_by(request: SearchRequest) -> str:
    if not request.tasks:
        return "the loss on the held-out documents that rank"
    count = "all" if request.task_limit is None else f"{request.task_limit:,}"
    return f"tasks {', '.join(request.tasks)} ({count} documents each)"


def _shape_of(parent: Parent) -> dict[str, int]:
    dims = parent.dims
    return {
        "layers": dims.num_layers, "heads": dims.num_attention_heads, "kv_heads": dims.num_kv_heads,
        "head_dim": dims.head_dim, "hidden": dims.hidden_size, "ffn": dims.ffn_hidden_size,
    }  # fmt: skip


def _pairs(found: Findings) -> Sequence[Any]:
    return () if found.confirmation is None else found.confirmation.pairs


def _listed(numbers: Sequence[int]) -> str:
    words = [f"candidate {number}" for number in numbers]
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _plain(value: Any) -> Any:
    """JSON's own types; what is not finite is None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
