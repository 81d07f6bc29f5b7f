"""What a shape costs by a budget: parameters, bytes or seconds, from its dimensions alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zoo.arch.dims import Dense
from zoo.arch.gpus import Gpu, load_gpus
from zoo.arch.parameters import count_parameters
from zoo.arch.roofline import memory_bytes
from zoo.errors import InvalidBudget
from zoo.search.budget import CPU, LATENCY_CONTEXT, Budget, Kind
from zoo.search.latency import Load, StepTimes

SCALES: dict[Kind, tuple[tuple[float, str], ...]] = {
    "params": ((1e9, "B parameters"), (1e6, "M parameters"), (1e3, "k parameters"), (1, "parameters")),
    "memory": ((1e9, "GB"), (1e6, "MB"), (1, "B")),
    "latency": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")),
}


@dataclass(frozen=True)
class Costs:
    """The cost of any dimensions, the parent's, what is wanted, and how far from it a shape may be."""

    kind: Kind
    of: Callable[[Dense], float]
    parent: float
    wanted: float
    within: float
    """Relative: 0.05 is ±5 %."""
    told: str
    """How a cost comes about, in one sentence."""
    chooses_depth: bool = True
    times: StepTimes | None = None

    def deviation(self, cost: float) -> float:
        """How far from what is wanted: 0.01 is one percent more."""
        return cost / self.wanted - 1

    def is_within(self, cost: float) -> bool:
        """Whether a shape of that cost is a candidate."""
        return abs(self.deviation(cost)) <= self.within

    def words(self, cost: float) -> str:
        """A cost with its unit."""
        return amount(self.kind, cost)


def amount(kind: Kind, value: float) -> str:
    """A cost with the unit in which a person says it.

    >>> amount("params", 8414105600), amount("memory", 18170961920), amount("latency", 0.0052)
    ('8.414 B parameters', '18.17 GB', '5.2 ms')
    """
    size, unit = next((each for each in SCALES[kind] if value >= each[0]), SCALES[kind][-1])
    return f"{value / size:.4g} {unit}"


def load_of(budget: Budget, parent: Dense) -> Load:
    """The step that a latency is of. Raises InvalidBudget for a context that the parent has not."""
    longest = parent.max_context
    context = budget.context or min(LATENCY_CONTEXT, (longest or LATENCY_CONTEXT + 1) - 1)
    if longest is not None and context > longest:
        raise InvalidBudget(
            f"'{budget.text}' asks for a context of {context:,} tokens, and the parent has {longest:,}.",
            "Give a shorter context.",
        )
    return Load(budget.batch, context, budget.weights, budget.kv)


def gpu_of(budget: Budget) -> Gpu | None:
    """The GPU of a latency; None for this machine's processor."""
    return None if budget.device in (None, CPU) else load_gpus()[budget.device]


def costs_of(budget: Budget, parent: Dense, within: float, times: StepTimes | None = None) -> Costs:
    """The costs of a parent's children by this budget; `times` are of a latency."""
    if budget.kind == "latency":
        assert times is not None, "a latency comes with the times of steps"
        whole = times.seconds(parent)
        load = load_of(budget, parent)
        told = f"A decode step of batch {load.batch} with {load.context:,} tokens cached; {times.told}."
        return Costs("latency", times.seconds, whole, budget.wanted(whole), within, told, times.chooses_depth, times)
    if budget.kind == "params":
        of: Callable[[Dense], float] = _parameters
        told = "All parameters, embeddings and head included; a tied head counts once."
    else:
        of, told = _memory(budget, parent)
    whole = of(parent)
    return Costs(budget.kind, of, whole, budget.wanted(whole), within, told)


def _parameters(dims: Dense) -> float:
    return count_parameters(dims).total


def _memory(budget: Budget, parent: Dense) -> tuple[Callable[[Dense], float], str]:
    load = load_of(budget, parent)

    def of(dims: Dense) -> float:
        return memory_bytes(dims, load.batch, load.context, load.weights, load.kv)

    sequences = "1 sequence" if load.batch == 1 else f"{load.batch} sequences"
    told = (
        f"Weights in {load.weights} and the KV cache in {load.kv} of {sequences} of {load.context:,} tokens; activations are "
        "left out."
    )
    return of, told
