"""A progress bar for long steps: on a terminal a bar on stderr, elsewhere nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self


class TerminalBar:
    """A context manager that draws while it is open; `_bar` is None where nothing is to be drawn."""

    def __init__(self, quiet: bool, make: Callable[[], Any]) -> None:
        self._bar: Any = None if quiet or not sys.stderr.isatty() else make()

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()


class StepBar(TerminalBar):
    """Call it with what is being done, how much is done, and of how much."""

    def __init__(self, quiet: bool) -> None:
        super().__init__(quiet, _make)
        self._steps: dict[str, Any] = {}

    def __call__(self, step: str, done: int, of: int) -> None:
        """Show that `done` of `of` is done of this step."""
        if self._bar:
            if step not in self._steps:
                self._steps[step] = self._bar.add_task(step, total=of)
            self._bar.update(self._steps[step], completed=done, total=of)


def _make() -> Any:
    from rich.console import Console
    from rich.progress import Progress

    return Progress(console=Console(stderr=True))
