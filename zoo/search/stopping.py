"""When a search knows enough: candidates out, and the end, by held-out losses at growing numbers of tokens.

Training is short first, then twice as long, and again (rungs). Short training flips rankings (arXiv 2407.14679, practice 9), so
neither the ranking of a rung nor its distance to the next one decides alone. For each candidate the gap to the leader is
carried on to the last rung: what it caught up in the last doubling it may catch up in the next, `lasting` times as much, and so
on. A candidate goes once that gap is above 0, and the search ends once no gap is below minus the tolerance, each by a one-sided
bound whose error over all comparisons together is at most 1 − confidence (Bonferroni). Bounds come of resampled documents, the
same draws for every candidate and rung. What another seed or another order of the data would do is not in them: a search
confirms its winner for that.

Pure functions of losses: `decide` for one rung, `replay` for a whole matrix of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Losses = NDArray[np.float64]
Reason = Literal["one is left", "settled", "tokens spent"]


@dataclass(frozen=True)
class StopRule:
    """How sure, and how fine. `tolerance` is in nats a token: candidates that end as near as that are as good as each other."""

    confidence: float = 0.95
    tolerance: float = 0.01
    lasting: float = 0.7
    """Of what a candidate caught up in a doubling of its tokens, so much it may catch up in the next."""
    replicates: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Rung:
    """Losses after the same tokens for all: `nll` is Σ −log p of each held-out document, [candidates, documents]; a row of
    NaN is a candidate that was out already, or whose training diverged. `step` counts the optimizer's steps.
    """

    step: int
    nll: Losses


@dataclass(frozen=True)
class Standing:
    """A candidate at a rung. All but `loss` are against the leader, in nats a token; the leader's own are 0.

    `lower` and `upper` bound the gap now (two-sided at the rule's confidence, for this pair alone), `final` is the gap carried
    on to the last rung, `final_lower` its one-sided bound.
    """

    candidate: int
    loss: float
    gap: float = 0.0
    lower: float = 0.0
    upper: float = 0.0
    final: float = 0.0
    final_lower: float = 0.0


@dataclass(frozen=True)
class Tau:
    """Kendall's τ between the rankings of two rungs, with the interval of resampled documents."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Decision:
    """What a rung decides: standings by loss, who goes, who diverged, and why the search ends (None: it does not)."""

    step: int
    standings: tuple[Standing, ...]
    dropped: tuple[int, ...]
    diverged: tuple[int, ...]
    tau: Tau | None
    stop: Reason | None

    @property
    def leader(self) -> int:
        """The candidate of the lowest loss."""
        return self.standings[0].candidate

    @property
    def alive(self) -> tuple[int, ...]:
        """Those that go on, by loss."""
        return tuple(each.candidate for each in self.standings if each.candidate not in self.dropped)


@dataclass(frozen=True)
class Replayed:
    """A whole search over known losses: every rung's decision, the ranking, and the steps that each candidate took."""

    decisions: tuple[Decision, ...]
    ranking: tuple[int, ...]
    steps: dict[int, int]

    @property
    def winner(self) -> int:
        """The first of the ranking."""
        return self.ranking[0]

    @property
    def stop(self) -> Reason | None:
        """Why it ended; None where it has not."""
        return self.decisions[-1].stop


def decide(
    rungs: Sequence[Rung], tokens: Losses, alive: Sequence[int], last_step: int, rule: StopRule = StopRule()
) -> Decision:
    """What the last of the rungs decides of the candidates that are alive; `tokens` are of each document.

    The first rung drops nobody: nothing is known yet of how gaps close. All that diverged are out at once; where that leaves
    none, `standings` is empty.
    """
    now = rungs[-1]
    finite = [each for each in alive if np.isfinite(now.nll[each]).all()]
    diverged = tuple(each for each in alive if each not in finite)
    if not finite:
        return Decision(now.step, (), (), diverged, None, "tokens spent")
    draws = _draws(len(tokens), rule)
    losses = point_losses(now.nll, tokens)
    order = sorted(finite, key=lambda each: (losses[each], each))
    leader = order[0]
    before = rungs[-2] if len(rungs) > 1 else None
    bound = 1 - (1 - rule.confidence) / (2 * max(1, (len(now.nll) - 1) * max(1, _doublings(rungs[0].step, last_step))))
    standings = (
        Standing(leader, float(losses[leader])),
        *(_standing(each, leader, now, before, tokens, draws, last_step, rule, bound) for each in order[1:]),
    )
    dropped = tuple(each.candidate for each in standings[1:] if before is not None and each.final_lower > 0)
    left = [each for each in standings if each.candidate not in dropped]
    tau = None if before is None else _tau(before, now, order, tokens, draws, rule)
    return Decision(now.step, standings, dropped, diverged, tau, _stop(left, before, now, tokens, last_step, rule))


def replay(
    rungs: Sequence[Rung], tokens: Losses, rule: StopRule = StopRule(), last_step: int | None = None
) -> Replayed:
    """The search that these losses give, rung by rung, until it stops. `last_step` is the search's, the last rung's if not
    given. Rows of candidates that are out are not looked at, so a matrix that was trained to the end may be given.
    """
    last = rungs[-1].step if last_step is None else last_step
    alive: Sequence[int] = range(len(rungs[0].nll))
    decisions: list[Decision] = []
    for count in range(1, len(rungs) + 1):
        decisions.append(decide(rungs[:count], tokens, alive, last, rule))
        alive = decisions[-1].alive
        if decisions[-1].stop is not None:
            break
    steps = {each: decision.step for decision in decisions for each in (*_ranked(decision), *decision.diverged)}
    return Replayed(tuple(decisions), ranking(decisions), steps)


def ranking(decisions: Sequence[Decision]) -> tuple[int, ...]:
    """All candidates, the best first: those alive at the end by loss, then those that went, the later ones first, by their loss
    when they went; those that diverged last, the later ones first."""
    found: list[int] = list(decisions[-1].alive)
    for decision in reversed(decisions):
        found += [each.candidate for each in decision.standings if each.candidate in decision.dropped]
    for decision in reversed(decisions):
        found += decision.diverged
    return tuple(found)


def point_losses(nll: Losses, tokens: Losses) -> Losses:
    """Nats a token of each candidate, [candidates]: all documents' Σ −log p over all their tokens."""
    return nll.sum(axis=1) / tokens.sum()


def resampled_losses(nll: Losses, tokens: Losses, draws: Losses) -> Losses:
    """The same for each resampling, [draws, candidates]; `draws` [draws, documents] counts how often each was drawn."""
    return (draws @ nll.T) / (draws @ tokens)[:, None]


def interval_of(
    first: Losses, second: Losses, tokens: Losses, rule: StopRule = StopRule()
) -> tuple[float, float, float]:
    """first − second in nats a token, and its interval at the rule's confidence, paired by document."""
    both = np.stack([first, second])
    value = point_losses(both, tokens)
    made = resampled_losses(both, tokens, _draws(len(tokens), rule))
    difference, spread = float(value[0] - value[1]), float((made[:, 0] - made[:, 1]).std(ddof=1))
    z = NormalDist().inv_cdf(0.5 + rule.confidence / 2)
    return difference, difference - z * spread, difference + z * spread


def _standing(
    candidate: int, leader: int, now: Rung, before: Rung | None, tokens: Losses, draws: Losses, last_step: int, rule: StopRule,
    bound: float,
) -> Standing:  # fmt: skip
    pair = [candidate, leader]
    value, made = _gaps(now, pair, tokens, draws)
    carried, carried_made = value, made
    if before is not None:
        closed, closed_made = _gaps(before, pair, tokens, draws)
        share = _share(before.step, now.step, last_step, rule.lasting)
        # what it lost against the leader is not carried on: a gap that opens is taken to stay as it is
        if closed > value:
            carried, carried_made = value - share * (closed - value), made - share * (closed_made - made)
    z, one_sided = NormalDist().inv_cdf(0.5 + rule.confidence / 2), NormalDist().inv_cdf(bound)
    spread = float(made.std(ddof=1))
    return Standing(
        candidate,
        float(point_losses(now.nll[[candidate]], tokens)[0]),
        value,
        value - z * spread,
        value + z * spread,
        carried,
        carried - one_sided * max(spread, float(carried_made.std(ddof=1))),
    )


def _gaps(rung: Rung, pair: Sequence[int], tokens: Losses, draws: Losses) -> tuple[float, Losses]:
    """The gap of the pair, and in each resampling."""
    nll = rung.nll[pair]
    value, made = point_losses(nll, tokens), resampled_losses(nll, tokens, draws)
    return float(value[0] - value[1]), made[:, 0] - made[:, 1]


def _share(before: int, now: int, last: int, lasting: float) -> float:
    """Of what was caught up between two rungs, how much may still be, until the last: lasting + lasting² + … by doublings."""
    doublings = math.log2(last / now)
    a_doubling = 1 / math.log2(now / before)
    whole = int(doublings)
    series = sum(lasting**n for n in range(1, whole + 1)) + (doublings - whole) * lasting ** (whole + 1)
    return a_doubling * series


def _stop(
    left: Sequence[Standing], before: Rung | None, now: Rung, tokens: Losses, last_step: int, rule: StopRule
) -> Reason | None:
    if len(left) == 1:
        return "one is left"
    if now.step >= last_step:
        return "tokens spent"
    if before is None:
        return None
    nobody_wins = all(each.final_lower > -rule.tolerance for each in left[1:])
    return "settled" if nobody_wins and _same_order(before, now, left, tokens, rule.tolerance) else None


def _same_order(before: Rung, now: Rung, left: Sequence[Standing], tokens: Losses, tolerance: float) -> bool:
    """Whether every two that are apart by more than the tolerance in both rungs stand in one order: the ranking, near ones
    counted as ties, has a Kendall τ of 1."""
    who = [each.candidate for each in left]
    then, here = (point_losses(rung.nll[who], tokens) for rung in (before, now))
    for a in range(len(who)):
        for b in range(a):
            apart = [each[a] - each[b] for each in (then, here)]
            if min(abs(gap) for gap in apart) > tolerance and apart[0] * apart[1] < 0:
                return False
    return True


def _tau(before: Rung, now: Rung, who: Sequence[int], tokens: Losses, draws: Losses, rule: StopRule) -> Tau | None:
    """Of the candidates that both rungs have; None for one alone."""
    if len(who) < 2:
        return None
    both = [rung.nll[list(who)] for rung in (before, now)]
    value = _tau_of(*(point_losses(nll, tokens) for nll in both))
    made = [resampled_losses(nll, tokens, draws[: rule.replicates // 4]) for nll in both]
    found = np.array([_tau_of(a, b) for a, b in zip(*made, strict=True)])
    tail = (1 - rule.confidence) / 2
    return Tau(value, float(np.quantile(found, tail)), float(np.quantile(found, 1 - tail)))


def _tau_of(first: Losses, second: Losses) -> float:
    from scipy.stats import kendalltau

    found: Any = kendalltau(first, second)  # the stub has no name for what it returns
    return float(found.statistic)


def _draws(documents: int, rule: StopRule) -> Losses:
    """How often each document is drawn, [replicates, documents]: as many as there are, with replacement (Efron 1979)."""
    chances = np.full(documents, 1 / documents)
    return np.random.default_rng(rule.seed).multinomial(documents, chances, size=rule.replicates).astype(float)


def _doublings(first: int, last: int) -> int:
    return max(1, round(math.log2(last / first)))


def _ranked(decision: Decision) -> tuple[int, ...]:
    return tuple(each.candidate for each in decision.standings)
