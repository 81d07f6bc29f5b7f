"""The leaderboard: the home page, and the pages of each task group.

A page shows one task group. A group with more rows than fit a page is cut by hardware, and hardware with more by number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from reports.board.model import BoardRow, ColumnKey, Failure, TaskColumn
from reports.charts.first import Picture, picture
from reports.compare.pairs import pairs
from reports.pages.board_answer import answers, fastest, lead_first, verdicts
from reports.pages.board_cells import Notes, RowText, Ways, clipped, column_id, options, row_text, worse_end
from reports.site.addresses import HOME, board_page, comparison_page, model_page, relative, run_page, speed_page
from reports.site.frame import page
from reports.site.input import SiteInput
from reports.speed.hardware import page_name, pages_of

MOST_ROWS = 250
MOST_FIGURES = 3_900
"""Of a page: a figure takes some 350 bytes, a row as much again, and a page has at most 2 MB."""
MOST_FAILURES = 20
TITLES = {
    "paper": "The Minitron papers' tasks",
    "nano": "The nano suite",
    "instruct": "Tasks of instruct models",
    "other": "Other tasks",
}
KINDS = {"base": "Base models", "instruct": "Instruct models", "reasoning": "Reasoning models"}
STYLES = ("board.css",)
SCRIPTS = (
    "board.js", "board_filters.js", "board_columns.js", "board_pins.js", "board_copy.js", "board_start.js",
)  # fmt: skip


@dataclass(frozen=True)
class Head:
    """A column's heading."""

    id: str
    task: str
    details: str
    arrow: str
    chance: float | None


@dataclass(frozen=True)
class Section:
    """One table: the rows of a task group that fit a page."""

    group: str
    title: str
    heads: tuple[Head, ...]
    kinds: tuple[tuple[str, tuple[RowText, ...]], ...]
    first: int
    of: int
    """Number of its first row, and how many rows the group has."""
    pages: tuple[tuple[str, str, bool], ...]
    """(What it holds, its address, whether it is this one), where the group has several pages."""
    without: int
    """Models that have no figure in this group."""
    left_out: int = 0
    """Rows that no page has, of a file that stands alone."""

    @property
    def rows(self) -> tuple[RowText, ...]:
        """All its rows, in order."""
        return tuple(row for _, rows in self.kinds for row in rows)

    @property
    def known(self) -> tuple[str, ...]:
        """The columns of facts that some row fills; an empty one is left out."""
        told = {"speed": "speedups", "tokens": "tokens", "memory": "memory", "context": "context"}
        return tuple(name for name, of in told.items() if any(getattr(row, of) for row in self.rows))


@dataclass(frozen=True)
class Part:
    """What of a group stands on one page."""

    label: str
    rows: tuple[BoardRow, ...]
    first: int
    figures: int


def pages(site: SiteInput) -> Iterator[tuple[str, str]]:
    """The home page and the board's pages, each with its address."""
    maker = Maker(site)
    yield HOME, maker.home()
    for group in site.board.groups():
        for number in range(1, len(maker.parts(group)) + 1):
            yield board_page(group, number), maker.group_page(group, number)


class Maker:
    """Makes the board's pages; what several of them need is found out once."""

    def __init__(self, site: SiteInput) -> None:
        self.site = site
        self.board = site.board
        self.groups = lead_first(site.board)
        self._columns = {
            group: tuple(column for column in self.board.columns if column.group == group) for group in self.groups
        }
        self._parts = {group: _parts(self._rows(group), self._keys(group)) for group in self.groups}
        self._pairs = frozenset(pairs(site.board, site.registry, site.asked_pairs))
        self._speed = frozenset(each.name for each in pages_of(site.reader))

    def parts(self, group: str) -> tuple[Part, ...]:
        """What stands on each page of a group."""
        return self._parts[group]

    def home(self) -> str:
        """The first screen, then the lead group's table and those of other groups as long as they are small."""
        shown: list[tuple[str, int]] = []
        rows, figures = 0, 0
        for group in self.groups:
            part = self._parts[group][0]
            rows, figures = rows + len(part.rows), figures + part.figures
            whole = len(self._parts[group]) == 1 and rows <= MOST_ROWS and figures <= MOST_FIGURES
            if not shown or (whole and not group.startswith("other")):
                shown.append((group, 1))
        notes = Notes()
        ways = self.ways(lambda address: relative(HOME, address))
        sections = tuple(self.section(group, number, ways, notes) for group, number in shown)
        return self.render("board.html.j2", HOME, "Leaderboard", sections, notes, ways, **self.first())

    def group_page(self, group: str, number: int) -> str:
        """One page of one group."""
        here = board_page(group, number)
        notes = Notes()
        ways = self.ways(lambda address: relative(here, address))
        section = self.section(group, number, ways, notes)
        pictures = self.pictures([group]) if number == 1 else ()
        return self.render("board_group.html.j2", here, title_of(group), (section,), notes, ways, pictures=pictures)

    def ways(self, link: Callable[[str], str]) -> Ways:
        """Links of cells, on a page from which `link` leads elsewhere."""
        return Ways(
            model=lambda model: link(model_page(model)),
            run=lambda run_id: link(run_page(run_id)),
            comparison=lambda a, b: link(comparison_page(a, b)) if (a, b) in self._pairs else "",
            speed=lambda name: link(speed_page(page_name(name))) if page_name(name) in self._speed else "",
        )

    def section(self, group: str, number: int, ways: Ways, notes: Notes, figures: int = MOST_FIGURES) -> Section:
        """The table of one page of a group, as far as it has no more figures than that."""
        parts, columns = self._parts[group], self._columns[group]
        part = parts[number - 1]
        rows = cut(part.rows, self._keys(group), figures)[0]
        kinds: dict[str, list[RowText]] = {}
        for row in rows:
            kinds.setdefault(row.facts.kind, []).append(row_text(row, columns, ways, notes))
        shown = {row.facts.id for each in parts for row in each.rows}
        return Section(
            group=group,
            title=title_of(group),
            heads=tuple(_head(column) for column in columns),
            kinds=tuple((kind, tuple(rows)) for kind, rows in kinds.items()),
            first=part.first,
            of=sum(len(each.rows) for each in parts),
            pages=tuple((each.label, board_page(group, at), at == number) for at, each in enumerate(parts, 1))
            if len(parts) > 1
            else (),
            without=len({row.facts.id for row in self.board.rows} - shown),
        )

    def render(
        self,
        template: str,
        here: str,
        title: str,
        sections: Sequence[Section],
        notes: Notes,
        ways: Ways,
        **more: object,
    ) -> str:
        """A page of the board."""
        rows = [row for section in sections for row in section.rows]
        return page(
            template,
            here,
            title,
            styles=STYLES,
            scripts=SCRIPTS if rows else (),
            description="Which small language model keeps how much of its parent, at what speed, and how sure that is.",
            board=self.board,
            version=self.site.version,
            sections=tuple(sections),
            notes=notes,
            options=options(rows),
            groups=tuple((title_of(group), board_page(group), group) for group in self.board.groups()),
            failures=[self._lost(failure, ways) for failure in self.board.failures[:MOST_FAILURES]],
            models=len({row.facts.id for row in self.board.rows}),
            kind_titles=KINDS,
            **{"plain": False, **more},
        )  # fmt: skip

    def first(self) -> dict[str, object]:
        """What only the first screen has: sentences, pictures, and how published figures fared."""
        claims = answers(self.board, self.groups)
        return {
            "claims": claims,
            "quickest": fastest(self.board, claims),
            "pictures": self.pictures(self.groups),
            "verdicts": verdicts(self.board),
            "model_page": model_page,
        }

    def pictures(self, groups: Sequence[str]) -> tuple[tuple[str, Picture], ...]:
        """The pictures of the first two of these groups that know shares of parents; of scores where none does."""
        found = [(title_of(group), drawn) for group in groups if (drawn := picture(self.board, group)) is not None]
        return tuple([each for each in found if each[1].kept][:2] or found[:1])

    def _lost(self, failure: Failure, ways: Ways) -> dict[str, str]:
        told = {name: clipped(getattr(failure, name), 300) for name in ("model", "task", "reason")}
        return {**told, "href": ways.run(failure.run_id)}

    def _rows(self, group: str) -> tuple[BoardRow, ...]:
        """Rows with a figure in the group: by kind, then by the worse end of its first column, what is missing last."""
        keys, first = self._keys(group), self._columns[group][0]
        kinds = list(dict.fromkeys(row.facts.kind for row in self.board.rows))

        def place(row: BoardRow) -> tuple[int, bool, float]:
            told = next((worse_end(figure, first.higher_is_better) for figure in row.figures.get(first.key, ())), None)
            return (
                kinds.index(row.facts.kind),
                told is None,
                (told or 0.0) * (1 if first.higher_is_better is False else -1),
            )

        return tuple(sorted((row for row in self.board.rows if any(row.figures.get(key) for key in keys)), key=place))

    def _keys(self, group: str) -> tuple[ColumnKey, ...]:
        return tuple(column.key for column in self._columns[group])


def title_of(group: str) -> str:
    """What a task group is called."""
    name, _, number = group.rpartition("-")
    if name in TITLES and number.isdigit():
        return f"{TITLES[name]}, part {number}"
    return TITLES.get(group, group)


def _parts(rows: Sequence[BoardRow], keys: Sequence[ColumnKey]) -> tuple[Part, ...]:
    """All rows where they fit a page; else those of each hardware apart, by its name."""
    whole = cut(rows, keys, MOST_FIGURES)
    if len(whole) == 1:
        return (Part("", tuple(rows), 1, _figures(rows, keys)),)
    by_hardware: dict[str, list[BoardRow]] = {}
    for row in rows:
        by_hardware.setdefault(row.hardware, []).append(row)
    # Hardware of a row or two gets no page of its own.
    if len(by_hardware) > len(rows) / 8:
        by_hardware = {"": list(rows)}
    parts: list[Part] = []
    done = 0
    for hardware, its in sorted(by_hardware.items()):
        name = clipped(hardware, 60) or ("not run here" if len(by_hardware) > 1 else "rows")
        pieces, start = cut(its, keys, MOST_FIGURES), 1
        for piece in pieces:
            span = f" {start}–{start + len(piece) - 1}" if len(pieces) > 1 else ""
            parts.append(Part(name + span, piece, done + 1, _figures(piece, keys)))
            done, start = done + len(piece), start + len(piece)
    return tuple(parts)


def cut(rows: Sequence[BoardRow], keys: Sequence[ColumnKey], figures: int) -> list[tuple[BoardRow, ...]]:
    """The rows in pieces of at most 250, with at most so many figures each; a piece has at least one row."""
    pieces: list[tuple[BoardRow, ...]] = []
    piece: list[BoardRow] = []
    held = 0
    for row in rows:
        more = _figures([row], keys)
        if piece and (len(piece) == MOST_ROWS or held + more > figures):
            pieces.append(tuple(piece))
            piece, held = [], 0
        piece.append(row)
        held += more
    return [*pieces, tuple(piece)]


def _figures(rows: Sequence[BoardRow], keys: Sequence[ColumnKey]) -> int:
    return sum(len(row.figures.get(key, ())) for row in rows for key in keys)


def _head(column: TaskColumn) -> Head:
    key = column.key
    details = [
        clipped(key.metric, 40) or "metric not said",
        clipped(key.filter, 30) if key.filter not in ("", "none") else "",
        "shots not said" if key.shots is None else f"{key.shots}-shot",
    ]
    arrow = {True: "↑", False: "↓", None: ""}[column.higher_is_better]
    return Head(column_id(key), clipped(key.task, 60), " · ".join(filter(None, details)), arrow, column.chance)
