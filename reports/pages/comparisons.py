"""The comparison pages: one for each pair that is compared beforehand, and one on which any other pair is compared."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.compare.comparison import Comparison
from harness.compare.items import ScoreKey, Side
from harness.compare.resolve import refuse_same
from harness.stats import constants
from reports.board.model import ModelFacts
from reports.charts.differences import Change, draw
from reports.compare.beside import Beside, beside, outcome
from reports.compare.blocks import Block, comparison_blocks, speed_block
from reports.compare.cells import kept
from reports.compare.outcomes import Outcomes
from reports.compare.packed import packed
from reports.compare.pairs import Pair, measured_columns, pairs
from reports.compare.sides import Sides
from reports.site.addresses import COMPARE, comparison_page, model_page, relative, run_page
from reports.site.frame import page
from reports.site.input import SiteInput
from zoo.errors import MinizooError

LONGEST_NAME = 80
MOST_SHARES = 6
"""Tasks of which the first sentences say what is kept."""
STYLES = ("compare.css",)
SCRIPTS = ("compare_stats.js", "compare_pair.js", "compare.js")
PERCENT = "\u00a0%"
"""Keeps a number and its sign on one line."""
KINDS = {"base": "base", "instruct": "instruct", "reasoning": "reasoning"}


@dataclass(frozen=True)
class Cell:
    """A cell of a table; `address` is where its number comes from."""

    text: str
    number: bool = False
    address: str = ""


@dataclass(frozen=True)
class Named:
    """A side in words: a name short enough to read, and the model's page where it has one."""

    name: str
    address: str


@dataclass(frozen=True)
class Line:
    """A pair in the list of comparison pages."""

    a: Named
    b: Named
    outcome: str
    address: str


def pages(site: SiteInput) -> Iterator[tuple[str, str]]:
    """A page a pair, then the list of them."""
    maker = Maker(site)
    listed = pairs(site.board, site.registry, site.asked_pairs)
    place = {a: at for at, (a, _) in reversed(list(enumerate(listed)))}
    for pair in sorted(listed, key=lambda pair: place[pair[0]]):  # a parent's children together: it is read once
        yield comparison_page(*pair), maker.comparison(pair)
    yield COMPARE, maker.index()


class Maker:
    """Makes the comparison pages; the list of them knows how each came out."""

    def __init__(self, site: SiteInput) -> None:
        self.site = site
        self.outcomes = Outcomes()
        tasks = (column.key.task for column in site.board.columns)
        self.sides = Sides(site.results, site.reader, site.registry, tasks, self._take)
        self.lines: list[Line] = []
        self.made: list[Pair] = []
        self._measured = tuple(measured_columns(site.board))
        self._facts = {row.facts.id: row.facts for row in site.board.rows}

    def comparison(self, pair: Pair) -> str:
        """The page of one pair; where the two cannot be compared it says why."""
        try:
            a, b = (self.sides.of(word) for word in pair)
            refuse_same(a, b)
        except MinizooError as error:
            return self._impossible(pair, error)
        command = "minizoo compare " + shlex.join(pair)
        found = beside(a, b, self.site.results, self.site.reader, command)
        names = self._named(pair[0], a), self._named(pair[1], b)
        words = outcome(found.comparison)
        address = comparison_page(*pair)
        self.lines.append(Line(*names, words, address))
        self.made.append(pair)
        main, *rest = comparison_blocks(found.comparison, command)
        return page(
            "comparison.html.j2",
            address,
            f"{names[1].name} beside {names[0].name}",
            styles=STYLES,
            description=f"{names[1].name} against {names[0].name}, document by document: {words}.",
            a=names[0],
            b=names[1],
            outcome=words,
            chart=draw(list(_changes(found.comparison))),
            main=main,
            rows=list(_linked_rows(main, found)),
            how=rest[0] if rest else None,
            facts=list(_facts(found, self._facts)),
            flipped=found.flipped,
            runs=lambda key: _runs(found, key),
            speed=speed_block(found.speed, pair[0], pair[1]),
            command=f"{command} --show-flips",
            pieces=self._pieces,
            problem=None,
        )

    def index(self) -> str:
        """The list of pages made so far, and the form that compares any two models."""
        problems = self._take_all()
        found = packed(self.outcomes)
        models = [
            {**model, "label": clipped(model["id"])}
            for model in found.data["models"]
            if model["tasks"] or model["failed"]
        ]
        runs = [relative(COMPARE, run_page(run_id)) for run_id in found.data["runs"]]
        own = [(*pair, relative(COMPARE, comparison_page(*pair))) for pair in self.made]
        level = {"confidence": constants.CONFIDENCE, "quantile": constants.Z}
        return page(
            "comparisons.html.j2",
            COMPARE,
            "Compare two models",
            styles=STYLES,
            scripts=SCRIPTS,
            data={**found.data, **level, "models": models, "runs": runs, "pages": own} if len(models) > 1 else None,
            description="Any two models over the same documents: what one lost and gained beside the other.",
            lines=self.lines,
            kinds=_by_kind([model["id"] for model in models], self._facts),
            left_out=[clipped(task) for task in found.left_out],
            problems=problems,
            pieces=self._pieces,
        )

    def _take(self, word: str, side: Side) -> None:
        """Keep the outcomes of a model's side, once."""
        if word in self._measured and word not in self.outcomes.models:
            self.outcomes.add(word, side)

    def _take_all(self) -> list[str]:
        """Take the outcomes of the models that no page was about, and put all into the board's order; why some have none."""
        problems: list[str] = []
        for model in self._measured:
            try:
                if model not in self.outcomes.models:
                    self.sides.of(model)
            except MinizooError as error:
                problems.append(str(error))
        self.outcomes.models = {
            model: self.outcomes.models[model] for model in self._measured if model in self.outcomes.models
        }
        return problems

    def _impossible(self, pair: Pair, error: MinizooError) -> str:
        names = [Named(clipped(word), model_page(word) if word in self._facts else "") for word in pair]
        address = comparison_page(*pair)
        self.lines.append(Line(names[0], names[1], "not compared", address))
        return page(
            "comparison.html.j2",
            address,
            f"{names[1].name} beside {names[0].name}",
            styles=STYLES,
            a=names[0],
            b=names[1],
            problem=str(error),
            pieces=self._pieces,
        )

    def _pieces(self, line: str) -> list[tuple[str, bool]]:
        """See `pieces`; without the results folder, which is none of the readers'."""
        return pieces(line.replace(f"{self.site.results}/", ""))

    def _named(self, word: str, side: Side) -> Named:
        shown = side.name if word == side.name else f"{side.name}, {side.where}"
        return Named(clipped(shown), model_page(side.name) if side.name in self._facts else "")


def clipped(name: str) -> str:
    """A name, or its beginning."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def pieces(line: str) -> list[tuple[str, bool]]:
    """A line in pieces, and of each whether it is code: what stands between two backquotes, where they come in pairs."""
    parts = re.split("`", line)
    if len(parts) % 2 == 0:
        return [(line, False)]
    return [(part, at % 2 == 1) for at, part in enumerate(parts) if part]


def _by_kind(models: Sequence[str], facts: Mapping[str, ModelFacts]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Models with the names that they are chosen by, under their kind; those of unknown kind last."""
    kinds: dict[str, list[tuple[str, str]]] = {kind: [] for kind in KINDS}
    for model in models:
        kinds.setdefault(facts[model].kind, []).append((model, clipped(model)))
    return [(KINDS.get(kind, f"{kind} kind"), found) for kind, found in kinds.items() if found]


def _linked_rows(block: Block, found: Beside) -> Iterator[list[Cell]]:
    """The rows of the first table; the scores of A and B lead to their runs."""
    for cells, row in zip(block.rows, found.comparison.rows, strict=True):
        line: list[Cell] = []
        for column, text in zip(block.columns, cells, strict=True):
            side = {"A": found.a, "B": found.b}.get(column.heading)
            known = side.results.get(row.key) if side else None
            line.append(Cell(text, column.number, run_page(known.record.run_id) if known else ""))
        yield line


def _facts(found: Beside, facts: Mapping[str, ModelFacts]) -> Iterator[str]:
    """What B keeps of A, in sentences: of its scores above chance, and of its parameters."""
    shares = [
        f"{kept(row.retained).replace(' %', PERCENT)} on {clipped(row.key.task)}"
        for row in found.comparison.compared
        if row.retained is not None and row.retained.lower is not None and row.chance is not None
    ]
    if shares:
        more = f" and {len(shares) - MOST_SHARES:,} more tasks below" if len(shares) > MOST_SHARES else ""
        yield f"Of A's score above chance B keeps {', '.join(shares[:MOST_SHARES])}{more}."
    a, b = (facts.get(side.name) for side in (found.a, found.b))
    if a is not None and b is not None and a.parameters and b.parameters:
        share = 100 * b.parameters / a.parameters
        yield f"It has {share:.0f}{PERCENT} of A's parameters ({b.parameters:,} of {a.parameters:,})."


def _runs(found: Beside, key: ScoreKey) -> list[tuple[str, str]]:
    """(Letter, page of its run) of a row."""
    both = (("A", found.a.results.get(key)), ("B", found.b.results.get(key)))
    return [(letter, run_page(result.record.run_id)) for letter, result in both if result is not None]


def _changes(comparison: Comparison) -> Iterator[Change]:
    several = _tasks_with_several(comparison)
    for row in comparison.compared:
        tested = row.tested
        if tested is None or row.higher_is_better is not True or tested.lower is None or tested.upper is None:
            continue
        if row.evidence is not None and row.evidence.in_unit_interval:
            name = f"{row.key.task}, {row.key.metric}" if row.key.task in several else row.key.task
            yield Change(name, tested.difference, tested.lower, tested.upper, row.verdict)


def _tasks_with_several(comparison: Comparison) -> set[str]:
    tasks: Sequence[str] = [row.key.task for row in comparison.rows]
    return {task for task in tasks if tasks.count(task) > 1}
