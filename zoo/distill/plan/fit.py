"""Whether a run fits a device's memory: the largest micro-batch that does, or what would have to change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

from zoo.distill.plan.host import host_memory
from zoo.distill.plan.memory import Memory, peak_memory
from zoo.distill.plan.setup import Setup
from zoo.errors import DeviceMemory, InvalidOption

USABLE = 0.95
"""Share of a device's memory that a plan fills; the rest goes to an allocator's gaps. It has not been measured on a GPU."""
MOST_TOKENS = {"cpu": 8192, "cuda": 65_536}
"""Tokens of a micro-batch beyond which no product becomes faster."""
LEAST_CHUNK = 128
"""Rows of logits below which the heads' products become slow."""
MOST_PROCESSES = 1024
RANK = 16
"""The rank of adapters that is named where adapters would fit."""
Lever = Callable[[Setup], Setup]


@dataclass(frozen=True)
class Fit:
    """A run that fits: with the micro-batch and the chunk that were chosen, and its peak."""

    setup: Setup
    memory: Memory
    room: int


@dataclass(frozen=True)
class Way:
    """What would have to change for a run to fit, in words of the command line, and how it then fits."""

    words: tuple[str, ...]
    fit: Fit

    @property
    def told(self) -> str:
        """The words, and what the host must have."""
        host = host_memory(self.fit.setup)
        needed = "" if host is None else f" and {_gb(host.total)} of the host's memory for each process"
        return " with ".join(self.words) + needed


def fit(setup: Setup, memory: int) -> Fit:
    """The run with the largest micro-batch that fits a device of `memory` bytes, whatever micro-batch it names.

    Micro-batches share a process's rows evenly. Where not even one row fits, the loss is computed in smaller chunks, which
    changes nothing but rounding. Raises DeviceMemory, with what would fit.
    """
    if memory < 1:
        raise InvalidOption(f"A device with {memory} bytes of memory holds nothing.", "Give its bytes.")
    found = largest(setup, memory)
    if found is None:
        raise _refused(setup, memory)
    return found


def largest(setup: Setup, memory: int) -> Fit | None:
    """As `fit`; None where nothing fits."""
    room = int(memory * USABLE)
    for tried in _smaller(setup):
        peak = peak_memory(tried)
        if peak.total <= room:
            return Fit(tried, peak, room)
    return None


def ways_to_fit(setup: Setup, memory: int) -> tuple[Way, ...]:
    """What would have to change for the run to fit, in the order in which it should be weighed.

    First the fewest changes that train all weights: recomputed activations and an exact cache change nothing of the result, a
    sample and moments in eight bits do. Then the host's memory in place of the device's, which changes nothing either and is
    slow; adapters in place of the weights; more processes.
    """
    found = _fewest(setup, memory, _levers(setup))
    if _may_offload(setup):
        left = _offloaded(setup)
        found += [Way(("--offload", *way.words), way.fit) for way in _fewest(left, memory, _levers(left))[:1]]
    if not setup.lora:
        adapted = replace(setup, lora=RANK)
        found += [
            Way((f"--lora {RANK}", *way.words), way.fit) for way in _fewest(adapted, memory, _levers(adapted))[:1]
        ]
    more = _more_processes(setup, memory)
    return (*found, *([more] if more else []))


def _fewest(setup: Setup, memory: int, levers: list[tuple[str, Lever]]) -> list[Way]:
    """Every choice of as few levers as can be that fits."""
    found: list[Way] = []
    for count in range(len(levers) + 1):
        for chosen in combinations(levers, count):
            changed = setup
            for _, change in chosen:
                changed = change(changed)
            fitting = largest(changed, memory)
            if fitting is not None:
                found.append(Way(tuple(word for word, _ in chosen), fitting))
        if found:
            break
    return found


def _smaller(setup: Setup) -> Iterator[Setup]:
    """The same run with ever smaller micro-batches, then with ever smaller chunks."""
    most = max(1, MOST_TOKENS[setup.device] // setup.train.length)
    shares = [rows for rows in range(min(setup.rows, most), 0, -1) if setup.rows % rows == 0]
    for rows in shares:
        yield replace(setup, train=replace(setup.train, micro=rows))
    chunk = setup.loss.chunk // 2
    while chunk >= LEAST_CHUNK:
        yield replace(setup, train=replace(setup.train, micro=1), loss=replace(setup.loss, chunk=chunk))
        chunk //= 2


def _levers(setup: Setup) -> list[tuple[str, Lever]]:
    """What of the run could be otherwise, beside what trains fewer weights."""
    plain = setup.loss.divergence == "forward_kl" and not setup.loss.states and not setup.loss.embedding
    sampled = f"--teacher-cache DIR --cache sampled:{setup.draws}"
    levers: list[tuple[str, Lever | None]] = [
        ("--checkpoint-activations", None if setup.train.checkpoint_activations else _recomputed),
        ("--teacher-cache DIR", partial(replace, targets="exact") if setup.targets == "live" else None),
        (sampled, partial(replace, targets="sampled") if setup.targets == "exact" and plain else None),
        ("--optimizer adamw-8bit", _eight_bit if _may_be_eight_bit(setup) else None),
    ]
    return [(words, change) for words, change in levers if change is not None]


def _may_be_eight_bit(setup: Setup) -> bool:
    return setup.device == "cuda" and setup.train.optimizer == "adamw" and not setup.train.offload


def _may_offload(setup: Setup) -> bool:
    train = setup.train
    on_a_gpu = setup.device == "cuda" and not train.offload
    return on_a_gpu and train.optimizer == "adamw" and train.parallel in ("auto", "fsdp")


def _offloaded(run: Setup) -> Setup:
    return replace(run, train=replace(run.train, offload=True))


def _recomputed(run: Setup) -> Setup:
    return replace(run, train=replace(run.train, checkpoint_activations=True))


def _eight_bit(run: Setup) -> Setup:
    return replace(run, train=replace(run.train, optimizer="adamw-8bit"))


def _more_processes(setup: Setup, memory: int) -> Way | None:
    """The fewest processes, a power of two times those that there are, over which the run as it is fits in shards."""
    if setup.train.parallel not in ("auto", "fsdp"):
        return None
    processes = setup.processes * 2
    while processes <= MOST_PROCESSES and setup.train.batch % processes == 0:
        found = largest(replace(setup, processes=processes), memory)
        if found is not None:
            return Way((f"{processes} such devices under torchrun",), found)
        processes *= 2
    return None


def _refused(setup: Setup, memory: int) -> DeviceMemory:
    least = list(_smaller(setup))[-1]
    peak = peak_memory(least)
    parts = ", ".join(f"{part.name} {_gb(part.bytes)}" for part in peak.parts[:4])
    ways = ways_to_fit(setup, memory)
    would = "; or ".join(f"{way.told} ({_gb(way.fit.memory.total)})" for way in ways)
    return DeviceMemory(
        f"One row of {setup.train.length:,} tokens takes {_gb(peak.total)} at its peak ({peak.moment}: {parts}), and "
        f"{_gb(int(memory * USABLE))} of the device's {_gb(memory)} are planned with.",
        f"These would fit: {would}." if would else "Take shorter rows, a smaller model, or a device with more memory.",
    )


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
