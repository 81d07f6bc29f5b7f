"""Who is told how a comparison of two models goes on."""

from __future__ import annotations

from typing import Protocol


class DivergenceWatcher(Protocol):
    """Is told how a comparison goes on, e.g. to draw a progress bar."""

    def begins(self, phase: str, unit: str = "") -> None:
        """What is done from now on, and what `advanced` counts in it."""
        ...

    def fetched(self, step: str, done: int, of: int) -> None:
        """So many bytes of the weights are there, of so many."""
        ...

    def noted(self, line: str) -> None:
        """This is to be known, whatever comes of it."""
        ...

    def advanced(self, done: int, of: int) -> None:
        """So much of the phase is done, of so much."""
        ...


class Silent:
    """A watcher that tells nobody."""

    def begins(self, phase: str, unit: str = "") -> None:
        """See `DivergenceWatcher`."""

    def fetched(self, step: str, done: int, of: int) -> None:
        """See `DivergenceWatcher`."""

    def noted(self, line: str) -> None:
        """See `DivergenceWatcher`."""

    def advanced(self, done: int, of: int) -> None:
        """See `DivergenceWatcher`."""
