"""The sides of a site's comparisons, read from one state of the results."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from harness.compare.items import Side
from harness.compare.sides.run_side import model_side, run_side, runs_beginning, shown_names, shown_side
from harness.store.query import Reader
from zoo.errors import NotComparable, NothingRecorded, UnknownModel
from zoo.names import unknown
from zoo.registry.loader import Registry

MOST_HELD = 3
"""Sides in memory at once: each holds its answers."""
LISTING = "A side is a model of the results or a run by its id; `minizoo models` lists the registry."


class Sides:
    """Sides by the words that name them: a model's newest results, by its shown name before all; or a run, by its id or the
    beginning of one."""

    def __init__(
        self, results: Path, reader: Reader, registry: Registry, tasks: Iterable[str], took: Callable[[str, Side], None]
    ) -> None:
        """`tasks` are in the order in which they are shown; `took` is told of every side as it is read, again if that is done
        again."""
        self._results = results
        self._reader = reader
        self._registry = registry
        self._took = took
        self._order = {task: at for at, task in enumerate(dict.fromkeys(tasks))}
        self._held: OrderedDict[str, Side] = OrderedDict()

    def of(self, word: str) -> Side:
        """The side of that word. Raises UnknownModel for one that names nothing, NothingRecorded for a known model without
        results, NotComparable for a word that means several."""
        if word not in self._held:
            self._held[word] = self._in_order(self._read(word))
            self._took(word, self._held[word])
            if len(self._held) > MOST_HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(word)
        return self._held[word]

    def _in_order(self, side: Side) -> Side:
        """The side with its tasks in the order asked for."""
        last = len(self._order)
        ordered = sorted(side.results.items(), key=lambda found: self._order.get(found[0].task, last))
        return replace(side, results=dict(ordered))

    def _read(self, word: str) -> Side:
        shown = shown_side(word, self._results, self._reader)
        if shown is not None:
            return shown
        runs = runs_beginning(self._results, word, self._reader)
        if len(runs) > 1:
            raise NotComparable(
                f"{word} is the beginning of {len(runs)} runs: {', '.join(runs[:4])}.", "Give more of it."
            )
        if runs:
            return run_side(word, self._results, runs[0], self._reader)
        side = model_side(word, self._results, self._reader)
        if side is not None:
            return side
        known = self._registry.find(word)
        if known is not None:
            raise NothingRecorded(f"There is no result of {known.id}.", f"Run `minizoo eval --model {known.id}` first.")
        raise unknown(
            UnknownModel, "model or run", word, [*self._registry.names(), *shown_names(self._results)], LISTING
        )
