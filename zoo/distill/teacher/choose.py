"""Live, exact or sampled: what each takes on a disk and in FLOPs, and from how many uses on a cache pays. Nothing is run.

A use is one pass of one student over the data; two students, or one for two epochs, are two uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.arch.dims import Dense, Hybrid
from zoo.arch.parameters import BITS, Dtype, prefill_flops
from zoo.errors import InvalidOption

Source = Literal["live", "exact", "sampled"]
SAMPLES = 64
"""Token ids a position where nothing else is said."""
BYTES_A_SAMPLE = 4
"""An id and its weight in 32 bits."""
BYTES_OF_ENTROPY = 4


@dataclass(frozen=True)
class Rates:
    """What a machine does a second; where it is unknown, FLOPs alone are compared."""

    flops: float
    read_bytes: float
    write_bytes: float


@dataclass(frozen=True)
class TeacherOption:
    """One way to have a teacher over a data set; FLOPs are the teacher's own."""

    source: Source
    bytes_a_token: int
    bytes: int
    fits: bool
    making_flops: int
    use_flops: int
    making_seconds: float | None = None
    use_seconds: float | None = None
    pays_from: int | None = None
    """Uses from which it takes less than the live teacher, by seconds where they are known, else by FLOPs; None: never,
    or it is the live one."""

    def cost(self, uses: int) -> float:
        """Of making it once and using it so often: seconds where they are known, else FLOPs."""
        if self.making_seconds is None or self.use_seconds is None:
            return self.making_flops + uses * self.use_flops
        return self.making_seconds + uses * self.use_seconds


@dataclass(frozen=True)
class TeacherChoice:
    """The three options, the one to take, and why in a sentence."""

    options: tuple[TeacherOption, ...]
    uses: int
    taken: Source
    why: str

    def option(self, source: Source) -> TeacherOption:
        """The option of that name."""
        return next(option for option in self.options if option.source == source)


def exact_bytes(dims: Dense | Hybrid, dtype: Dtype = "bfloat16", layers: int = 0) -> int:
    """Bytes of one position of an exact cache: the hidden states before the head, and those of so many layers."""
    return dims.hidden_size * BITS[dtype] // 8 * (1 + layers)


def sampled_bytes(k: int = SAMPLES) -> int:
    """Bytes of one position of a sampled cache: its samples, and the teacher's entropy."""
    return BYTES_A_SAMPLE * k + BYTES_OF_ENTROPY


def logit_bytes(dims: Dense | Hybrid, dtype: Dtype = "bfloat16") -> int:
    """Bytes of one position's logits, which no cache here holds; to compare with."""
    return dims.vocab_size * BITS[dtype] // 8


def choose_teacher(
    dims: Dense | Hybrid,
    tokens: int,
    length: int,
    free: int,
    *,
    k: int = SAMPLES,
    dtype: Dtype = "bfloat16",
    layers: int = 0,
    uses: int = 1,
    rates: Rates | None = None,
) -> TeacherChoice:
    """What to take for `tokens` tokens in rows of `length` with `free` bytes of disk, from the teacher's dimensions.

    Taken is the cheapest of what is exact and fits; the live teacher at equal cost, since it needs no disk. Samples, which
    add variance, are taken only where an exact cache would pay and does not fit. Raises InvalidOption for no tokens or uses.
    """
    if min(tokens, length, uses, k) < 1:
        raise InvalidOption("Tokens, row length, uses and samples are counted from 1.", "Give at least 1 of each.")
    body, head = _flops_a_token(dims, length)
    live = _option("live", 0, tokens, free, (0, body + head), rates)
    exact = _option("exact", exact_bytes(dims, dtype, layers), tokens, free, (body, head), rates, live)
    sampled = _option("sampled", sampled_bytes(k), tokens, free, (body + head, 0), rates, live)
    taken, why = _taken(live, exact, sampled, uses)
    return TeacherChoice((live, exact, sampled), uses, taken, why)


def _flops_a_token(dims: Dense | Hybrid, length: int) -> tuple[int, int]:
    """Up to the head, and of the head; the mean over a row."""
    head = 2 * dims.vocab_size * dims.hidden_size
    return prefill_flops(dims, length) // length - head, head


def _option(
    source: Source,
    a_token: int,
    tokens: int,
    free: int,
    flops: tuple[int, int],
    rates: Rates | None,
    live: TeacherOption | None = None,
) -> TeacherOption:
    size = a_token * tokens
    making, use = flops[0] * tokens, flops[1] * tokens
    option = TeacherOption(
        source,
        a_token,
        size,
        size <= free,
        making,
        use,
        making / rates.flops + size / rates.write_bytes if rates else None,
        use / rates.flops + size / rates.read_bytes if rates else None,
    )
    return option if live is None else _with_payoff(option, live)


def _with_payoff(option: TeacherOption, live: TeacherOption) -> TeacherOption:
    from dataclasses import replace

    making = option.cost(0)
    saved = (live.cost(1) - live.cost(0)) - (option.cost(1) - making)
    return replace(option, pays_from=int(making // saved) + 1 if saved > 0 else None)


def _taken(live: TeacherOption, exact: TeacherOption, sampled: TeacherOption, uses: int) -> tuple[Source, str]:
    def pays(option: TeacherOption) -> bool:
        return option.pays_from is not None and uses >= option.pays_from

    times = "once" if uses == 1 else f"{uses} times"
    if not pays(exact):
        from_then = "never" if exact.pays_from is None else f"from {exact.pays_from} uses on"
        return "live", f"the data is used {times}, and an exact cache pays {from_then}"
    if exact.fits:
        return "exact", f"the data is used {times}, and the cache fits the disk"
    if sampled.fits and pays(sampled):
        return "sampled", f"the data is used {times}, an exact cache does not fit the disk, and samples do"
    return "live", "no cache fits the disk"
