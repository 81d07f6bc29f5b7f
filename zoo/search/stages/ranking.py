"""The rungs: candidates trained a little, judged, trained twice as long, until the rule says that it is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.errors import AllDiverged
from zoo.prune.parent import Parent
from zoo.search.settings import rung_steps
from zoo.search.stages.distilling import Pupil, School
from zoo.search.stages.scoring import Scored
from zoo.search.stopping import Decision, Rung, StopRule, decide, ranking


@dataclass(frozen=True)
class Ranked:
    """What the rungs found of the candidates that were trained, by their places in the list: all decisions, the ranking, the
    steps that each took, its losses by step, and why a training diverged."""

    decisions: tuple[Decision, ...]
    order: tuple[int, ...]
    steps: dict[int, int]
    losses: dict[int, dict[int, float]]
    diverged: dict[int, str]


def rank(
    kept: Sequence[Scored], parent: Parent, school: School, work: Path, seed: int, rungs: int, rule: StopRule,
    told: Callable[[Decision], None] = lambda _decision: None,
) -> Ranked:  # fmt: skip
    """Train and judge until the rule stops it. What `work` holds already is not computed again.

    Raises StoppedBySignal where a signal came, AllDiverged where no candidate is left.
    """
    tokens, last = school.text.ranking.tokens, school.training.steps
    pupils = [pupil_of(each, parent, work, seed) for each in kept]
    alive: Sequence[int] = range(len(kept))
    seen: list[Rung] = []
    decisions: list[Decision] = []
    steps, losses, diverged = dict[int, int](), {at: dict[int, float]() for at in alive}, dict[int, str]()
    for step in rung_steps(last, rungs):
        nll = np.full((len(kept), len(tokens)), np.nan)
        for at in alive:
            found = pupils[at].learnt(school, school.text.ranking, step)
            steps[at] = step
            if found.nll is None:
                diverged[at] = found.diverged or ""
            else:
                nll[at] = found.nll
                losses[at][step] = float(found.nll.sum() / tokens.sum())
        seen.append(Rung(step, nll))
        decisions.append(decide(seen, tokens, alive, last, rule))
        told(decisions[-1])
        for at in {*decisions[-1].dropped, *decisions[-1].diverged}:
            pupils[at].forget()
        alive = sorted(decisions[-1].alive)
        if not alive:
            raise AllDiverged(
                f"The training of every candidate diverged, the first: {next(iter(diverged.values()))}",
                "Take a smaller --rate, and another --out.",
            )
        if decisions[-1].stop is not None:
            break
    return Ranked(tuple(decisions), ranking(decisions), steps, losses, diverged)


def pupil_of(scored: Scored, parent: Parent, work: Path, seed: int) -> Pupil:
    """A candidate's training by an order of the data, in a folder of its own."""
    folder = work / f"candidate-{scored.number:02d}" / f"seed-{seed}"
    return Pupil(f"candidate {scored.number}", folder, scored.plan, parent, seed)
