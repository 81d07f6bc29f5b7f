"""How a step is shown while it goes on: as a bar on a terminal, as a plain line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from minizoo.display.scale import duration, scaled_unit
from minizoo.output import note

VARIABLE = "MINIZOO_PROGRESS_SECONDS"
"""Seconds between two plain lines of a step; 0 for none at all."""
INTERVAL = 30.0
LONGEST = 86_400.0
PATIENCE = 2.0
"""Seconds that a step goes on before it is told: what is over sooner needs no line."""
BYTES = "B"
RATED = (BYTES, "tokens")
"""Units whose rate says something."""


@dataclass
class Step:
    """A step that goes on: how much of it is done, of how much (0: nobody knows), in which unit."""

    name: str
    of: int
    unit: str
    began: float
    done: int = 0
    given: int = 0
    """How much of it was done before it began: that says nothing of its rate."""

    def told(self, now: float) -> str:
        """How far it is: `41,000 of 120,000 tokens, 350 tokens/s, 3 min 46 s left`."""
        rate = (self.done - self.given) / (now - self.began) if now > self.began else 0.0
        parts = [self._amount()] if self.of or self.done else []
        if rate and self.unit in RATED:
            parts.append(f"{self._in_unit(rate)}/s")
        known = rate and self.of > self.done
        parts.append(
            f"{duration((self.of - self.done) / rate)} left" if known else f"{duration(now - self.began)} so far"
        )
        return ", ".join(parts)

    def over(self, now: float) -> str:
        """What is said at its end."""
        whole = f", {self._in_unit(self.done)}" if self.done and self.of != 1 else ""
        return f"done{whole} in {duration(now - self.began)}"

    def _amount(self) -> str:
        if self.unit == BYTES:
            return f"{_bytes(self.done)} of {_bytes(self.of)}" if self.of else _bytes(self.done)
        return f"{self.done:,} of {self.of:,} {self.unit}".rstrip() if self.of else self._in_unit(self.done)

    def _in_unit(self, value: float) -> str:
        if self.unit == BYTES:
            return _bytes(value)
        return (
            f"{value:,.0f} {self.unit}".rstrip() if value >= 10 or value == int(value) else f"{value:.2g} {self.unit}"
        )


def shown(quiet: bool, live: bool) -> Shown:
    """Bars on a terminal that can draw them, unless `quiet`; else lines."""
    draws = not quiet and sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    return Bars(live) if draws else Lines(quiet)


class Shown(Protocol):
    """How steps are shown."""

    def begin(self, step: Step) -> None:
        """This step goes on from now."""
        ...

    def update(self, step: Step) -> None:
        """More of it is done."""
        ...

    def end(self, step: Step, words: str) -> None:
        """It is over, with these words if any."""
        ...

    def close(self) -> None:
        """Show nothing more."""
        ...


class Lines:
    """Plain lines, from a thread of its own: a step that says nothing for minutes is told all the same."""

    def __init__(self, quiet: bool) -> None:
        self._interval = _interval()
        self._patience = self._interval if quiet else min(PATIENCE, self._interval)
        self._due: dict[str, tuple[float, Step]] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def begin(self, step: Step) -> None:
        """See `Shown`."""
        if not self._interval:
            return
        with self._changed:
            self._due[step.name] = (step.began + self._patience, step)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            self._changed.notify()

    def update(self, step: Step) -> None:
        """See `Shown`. Nothing: the thread looks at the step when a line is due."""

    def end(self, step: Step, words: str) -> None:
        """See `Shown`."""
        with self._changed:
            self._due.pop(step.name, None)
        now = time.monotonic()
        if self._interval and now - step.began >= self._interval:
            note(f"{step.name}: {words or step.over(now)}")

    def close(self) -> None:
        """See `Shown`."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for due, step in list(self._due.values()):
                    if due <= now:
                        note(f"{step.name}: {step.told(now)}")
                        self._due[step.name] = (now + self._interval, step)
                nearest = min((due for due, _ in self._due.values()), default=None)
                self._changed.wait(None if nearest is None else max(0.0, nearest - time.monotonic()))


class Bars:
    """Bars of rich, on a terminal. Without `live` no thread draws them."""

    def __init__(self, live: bool) -> None:
        self._live = live
        self._bars: Any = None
        self._drawn: dict[str, Any] = {}

    def begin(self, step: Step) -> None:
        """See `Shown`."""
        if self._bars is None:
            self._bars = _make_bars(self._live)
            self._bars.start()
        if step.name in self._drawn:
            self._bars.reset(self._drawn[step.name], total=step.of or None, completed=step.done, step=step, words="")
        else:
            self._drawn[step.name] = self._bars.add_task(
                step.name, total=step.of or None, completed=step.done, step=step, words=""
            )

    def update(self, step: Step) -> None:
        """See `Shown`."""
        self._bars.update(self._drawn[step.name], completed=step.done, total=step.of or None, refresh=not self._live)

    def end(self, step: Step, words: str) -> None:
        """See `Shown`."""
        whole = max(step.of, step.done, 1)
        told = words or step.over(time.monotonic())
        self._bars.update(self._drawn[step.name], completed=whole, total=whole, words=told, refresh=not self._live)

    def close(self) -> None:
        """See `Shown`."""
        if self._bars is not None:
            self._bars.stop()


def _make_bars(live: bool) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn
    from rich.table import Column
    from rich.text import Text

    class Words(ProgressColumn):
        """A step's name, or how far it is; never read as markup, never folded."""

        def __init__(self, words: Callable[[Any], str], ratio: int) -> None:
            super().__init__(Column(no_wrap=True, overflow="ellipsis", ratio=ratio))
            self._words = words

        def render(self, task: Any) -> Text:
            """The words now."""
            return Text(self._words(task), no_wrap=True, overflow="ellipsis")

    return Progress(
        Words(lambda task: task.description, 1),
        BarColumn(bar_width=16),
        Words(lambda task: task.fields["words"] or task.fields["step"].told(time.monotonic()), 2),
        console=Console(stderr=True),
        auto_refresh=live,
        expand=True,
    )


def _interval() -> float:
    try:
        return min(max(0.0, float(os.environ.get(VARIABLE, INTERVAL))), LONGEST)
    except ValueError:
        return INTERVAL


def _bytes(value: float) -> str:
    return scaled_unit(value, "B") if value >= 1 else f"{value:.0f} B"
