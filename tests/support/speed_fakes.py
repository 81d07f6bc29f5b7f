"""A clock that a test moves, a backend with known timings, a probe that says what it is told to."""

from dataclasses import dataclass, field

from backends.contract import Capabilities, OutOfMemory, Step
from harness.speed.clock import Clock
from harness.speed.measure import measure
from harness.speed.system import SystemUnderTest
from harness.speed.trials.point_run import PointRun
from harness.speed.workloads.workload import Point, Shape, Workload

LOUD = "--even-if-busy"
"""The word of `minizoo bench` that measures beside other tests."""
QUICK = ("--trials", "6", "--seconds", "0", LOUD)
"""Words of `minizoo bench` that make a point short."""


def records_of(ran):
    """The records of `minizoo bench --json`, by task."""
    return {record["task"]: record for record in ran.json()["records"]}


class Hand:
    """The hand of a clock: it stands where it was put."""

    def __init__(self):
        self.at = 100.0
        self.clock = Clock(lambda: self.at, self.forward)

    def forward(self, seconds):
        self.at += seconds


class FakeTokenizer:
    bos_id, eos_id, vocab_size = 0, 1, 50


class FakeBackend:
    """Takes `prefill` seconds for each batch of prompts and `step` for each decode step (functions of their number)."""

    name, dtype = "fake", "bfloat16"
    versions = {"fake": "1"}  # noqa: RUF012
    tokenizer = FakeTokenizer()

    def __init__(
        self, hand, prefill=0.5, step=0.125, device="cpu", stream=True, room_limit=10**9, tokens=None, breaks=None
    ):
        self.hand, self.device = hand, device
        self.capabilities = Capabilities(score=False, generate=False, stream=stream, max_length=512)
        self._prefill = prefill if callable(prefill) else lambda n: prefill
        self._step = step if callable(step) else lambda n: step
        self._room_limit, self._tokens, self._breaks = room_limit, tokens, breaks
        self.rooms, self.closed = [], False

    def stream(self, feed, room, length, clock):
        self.rooms.append(room)
        if room > self._room_limit:
            raise OutOfMemory(f"tried to allocate slots for {room}")
        if self._breaks and self._breaks(len(self.rooms)):
            raise RuntimeError("CUDA error: unspecified launch failure")
        seated, prefills, steps = [], 0, 0
        while True:
            arrived = feed.take(room - len(seated), not seated)
            if arrived:
                self.hand.forward(self._prefill(prefills))
                prefills += 1
                new = [[r.index, self._tokens or r.new_tokens] for r in arrived]
                seated += new
                yield self._come(new, clock)
            elif arrived is None and not seated:
                return
            seated = [s for s in seated if s[1] > 0]
            if seated:
                self.hand.forward(self._step(steps))
                steps += 1
                yield self._come(seated, clock)
            seated = [s for s in seated if s[1] > 0]

    def _come(self, sequences, clock):
        for sequence in sequences:
            sequence[1] -= 1
        return Step(clock(), tuple((index, 7) for index, _ in sequences))

    def peak_memory(self, reset=False):
        return 123

    def score(self, requests):
        raise NotImplementedError

    def generate(self, requests):
        raise NotImplementedError

    def close(self):
        self.closed = True


@dataclass
class FakeProbe:
    """Draws `watts` all the time; says `about` of the machine and `now` of the moment."""

    hand: Hand
    watts: float = 8.0
    about: dict = field(default_factory=dict)
    now: dict = field(default_factory=dict)
    interval: float = 60.0
    closed: bool = False

    def facts(self):
        return dict(self.about)

    def sample(self):
        return dict(self.now)

    def energy(self):
        return None if self.watts is None else self.watts * self.hand.at

    def close(self):
        self.closed = True


def workload(shape=(8, 5), batches=(1,), rates=(), name="fake", slo=None, **rule):
    rule = {"trials": 9, "seconds": 0, **rule}
    shapes = [{"input": i, "output": o} for i, o in ([shape] if isinstance(shape[0], int) else shape)]
    fields = {"name": name, "shapes": shapes, "batches": batches, "rates": rates, "slo": slo or {}, "rule": rule}
    return Workload.model_validate(fields)


def fake_system(hand=None, probe=None, dims=None, seed=0, **backend):
    hand = hand or Hand()
    made = FakeBackend(hand, **backend)
    return SystemUnderTest(made, probe or FakeProbe(hand), dims, 50, clock=hand.clock, load_s=0.0, seed=seed)


def point(batch=1, rate=None, shape=(8, 5)):
    return Point(Shape(input=shape[0], output=shape[1]), batch if rate is None else None, rate)


def measured(system, batch=1, rate=None, shape=(8, 5), slo=None, **rule):
    """The outcome of one point."""
    words = {"batches": (batch,)} if rate is None else {"batches": (), "rates": (rate,)}
    return measure(system, point(batch, rate, shape), workload(shape, slo=slo, **words, **rule))


def point_run(system, batch=1, energy=True, **rule):
    return PointRun(system, point(batch), workload(batches=(batch,), **rule).rule, energy)
