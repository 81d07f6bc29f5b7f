"""What gpu_rows remembers between two calls: `<results>/gpu_rows.json`, written whole after each step, and a lock beside it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import Field, ValidationError

from zoo.errors import Busy, InvalidFile, NotWritable, OutputExists
from zoo.files import check_writable, write_atomically
from zoo.strict import Frozen

SCHEMA: Literal["minizoo.gpu-rows/1"] = "minizoo.gpu-rows/1"
STATE, LOCK = "gpu_rows.json", "gpu_rows.lock"

Outcome = Literal["done", "invalid", "busy", "time up", "does not fit", "crashed", "stopped", "broken off"]
"""`stopped`: by hand, or by what would stop every other step too; `broken off`: the whole call was killed meanwhile."""
TRIES: Mapping[Outcome, int] = {"crashed": 2, "broken off": 3}
"""How often a step that ends so with nothing valid is begun, before it is left: it would end every call at the same place."""
SAME_MINUTES = 0.5
"""By how much two calls of one length differ."""
SETTLED = ("done", "invalid", "does not fit")


class Attempt(Frozen):
    """One time that a step was begun. `outcome` is None while it goes on, and where nobody lived to see its end."""

    began: datetime
    minutes: float
    """That it was given."""
    seconds: float | None = None
    outcome: Outcome | None = None
    runs: tuple[str, ...] = ()
    """Ids of the runs that it left."""
    valid: int = 0
    """Records of them that are valid."""
    told: str = ""
    """The figure, or what went wrong."""


class Identity(Frozen):
    """What all rows of a folder have in common."""

    product: str
    capability: str | None
    mig: bool
    dtype: str
    trials: int
    seconds: float | None
    minizoo: str
    torch: str | None


class State(Frozen):
    """The attempts of every step by its key, and what the last call left out (sentences for the bundle)."""

    schema_version: Literal["minizoo.gpu-rows/1"] = SCHEMA
    identity: Identity
    attempts: dict[str, tuple[Attempt, ...]] = Field(default={})
    notes: tuple[str, ...] = ()
    command: str = ""
    """Of the last call that measured, without folders of this machine."""
    bundle: str | None = None
    """File name of the bundle that the last call wrote."""

    @property
    def runs(self) -> set[str]:
        """Every run that belongs to a step."""
        return {run for attempts in self.attempts.values() for attempt in attempts for run in attempt.runs}

    def of(self, key: str) -> tuple[Attempt, ...]:
        """The attempts of a step."""
        return self.attempts.get(key, ())

    def with_attempt(self, key: str, attempt: Attempt) -> State:
        """With one more attempt; it takes the place of one that went on."""
        before = tuple(one for one in self.of(key) if one.outcome is not None)
        return self.model_copy(update={"attempts": {**self.attempts, key: (*before, attempt)}})

    def going_on(self) -> list[tuple[str, Attempt]]:
        """Steps whose end nobody saw."""
        return [(key, attempts[-1]) for key, attempts in self.attempts.items() if attempts[-1].outcome is None]


def is_open(attempts: tuple[Attempt, ...], even_if_busy: bool = False) -> bool:
    """Whether a step is still to be run, by this call or a later one."""
    if not attempts:
        return True
    last = attempts[-1].outcome
    if last in SETTLED or (last == "busy" and even_if_busy):
        return False
    fruitless = sum(attempt.outcome == last and not attempt.valid for attempt in attempts)
    return last is None or fruitless < TRIES.get(last, fruitless + 1)


def needs_longer(attempts: tuple[Attempt, ...], minutes: float, goes_on: bool = False) -> bool:
    """Whether the step was not whole after as many minutes as there are now: it would take them from all others again.

    `goes_on`: whether it begins where it ended.
    """
    last = attempts[-1] if attempts else None
    if last is None or last.outcome != "time up" or (goes_on and last.runs):
        return False
    return minutes < last.minutes + SAME_MINUTES


def load(results: Path) -> State | None:
    """The state of a folder; None where there is none. InvalidFile for one that cannot be read."""
    path = results / STATE
    if not path.exists():
        if (results / "runs").is_dir():
            raise OutputExists(
                f"{results} holds records, and no {STATE}: gpu_rows did not make them.",
                "Take another --results, so that a bundle holds the rows of one card alone.",
            )
        return None
    try:
        return State.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise InvalidFile(
            f"{path} cannot be read, or another version of minizoo wrote it ({first}).",
            f"Take another --results; the records are whole, and `minizoo report --results {results}` shows them.",
        ) from None


def save(results: Path, state: State) -> None:
    """Write it, whole or not at all. NotWritable where the disk is full."""
    try:
        write_atomically(results / STATE, (state.model_dump_json(indent=1) + "\n").encode())
    except OSError as error:
        raise NotWritable(
            f"{results / STATE} cannot be written ({error.strerror or error}).",
            "Rows recorded before are kept: free some space and run the same command again.",
        ) from error


def check_same(results: Path, state: State, now: Identity) -> None:
    """OutputExists where the folder's rows were measured otherwise than this call would measure."""
    before: dict[str, Any] = state.identity.model_dump()
    differ = [
        f"{name} {before[name]}, now {value}" for name, value in now.model_dump().items() if before[name] != value
    ]
    if differ:
        raise OutputExists(
            f"{results} holds rows that were measured otherwise: {'; '.join(differ)}.",
            "The rows of a folder are of one card, dtype, rule and version: take another --results, or what it was begun with.",
        )


@contextmanager
def held(results: Path) -> Generator[None]:
    """The folder, made where it is not there, for this call alone. Raises NotWritable, and Busy where another call has it."""
    check_writable(results)
    lock = FileLock(results / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Busy(
            f"Another gpu_rows works in {results}: two on one machine would spoil each other's rows.",
            "Wait for its end, or take another --results on another machine.",
        ) from None
    try:
        yield
    finally:
        lock.release()
        if not (results / STATE).exists():  # nothing was begun: leave nothing
            with suppress(OSError):
                (results / LOCK).unlink(missing_ok=True)
                results.rmdir()
