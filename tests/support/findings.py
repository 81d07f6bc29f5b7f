"""Arms of an experiment made by hand: losses as a function of arm and seed, over a few documents."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from harness.findings.finding import rules_digest
from harness.findings.folder import NAMES, ExperimentFolder
from harness.findings.record import FindingsRecord, record_of
from zoo.reproduce.arms import planned_tokens
from zoo.reproduce.record import ArmResult, Losses, write_result
from zoo.reproduce.scale import NANO, Scale

DOCUMENTS = 6


def result(
    arm: str, seed: int = 1, loss: float = 2.0, spread: float = 0.0, scale: Scale = NANO, wall: float = 2.0
) -> ArmResult:
    """An arm that loses `loss` nats a token on both texts, document by document `spread` more or less."""
    tokens = tuple(range(10, 10 + DOCUMENTS))
    dice = random.Random(f"{arm} {seed}")
    nll = tuple(count * (loss + spread * dice.uniform(-1, 1)) for count in tokens)
    losses = {"own": Losses(tokens, nll), "shifted": Losses(tokens, nll)}
    return ArmResult(arm, seed, losses, 1000, planned_tokens(scale)[arm], 1.5, wall)


def whole_seed(seed: int, loss_of: Callable[[str], float] = lambda _arm: 2.0, **how: float) -> Mapping[str, ArmResult]:
    """Every arm of a seed."""
    return {name: result(name, seed, loss_of(name), **how) for name in NAMES}  # pyright: ignore[reportArgumentType]


def made_record(seeds: int = 8) -> FindingsRecord:
    """A record in which the papers' arms are better by 0.1 nat, give or take a hundredth, and curves fall with tokens."""

    def loss(arm: str, seed: int) -> float:
        noise = random.Random(f"{arm} of {seed}").gauss(0, 0.01)
        steps = planned_tokens(NANO)[arm] / 10_000
        if arm.startswith("scratch"):
            return 4.0 / (1 + steps) ** 0.2 + noise
        return (1.2 if arm == "teacher" else 1.25 if arm.startswith("l2-mean") else 1.35) + 0.5 / (1 + steps) + noise

    found = {seed: whole_seed(seed, lambda arm, s=seed: loss(arm, s)) for seed in range(1, seeds + 1)}
    return record_of(NANO, found, NAMES, rules_digest())


def write_seed(folder: ExperimentFolder, seed: int, wall: float = 2.0, leave_out: int = 0) -> None:
    """Put a seed into the folder of an experiment, without its last `leave_out` arms. Its arms all lose about the same: between
    such as are equal to the last bit no spread is known, and nothing is resolved."""
    place = folder.seed(seed)
    place.mkdir(parents=True)
    for name in NAMES[: len(NAMES) - leave_out]:
        write_result(place, result(name, seed, spread=1e-3, scale=folder.scale, wall=wall), folder.scale.digest)
