"""The leaderboard as one file: all task groups, and the runs behind their figures; it leads to no other page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.records.record import precision
from reports.cells import moment, text
from reports.pages.board import Maker, Section
from reports.pages.board_cells import Notes, Ways, clipped
from reports.site.addresses import HOME, slug
from reports.site.input import SiteInput

LONGEST_COMMAND = 2_000
SHARED_FIGURES = 3_600
"""Of all task groups together, so that the file has at most 2 MB."""
FACTS = (
    ("weights", "weights_digest"),
    ("commit", "git_sha"),
    ("seed", "seed"),
    ("processor", "processor"),
    ("GPU", "gpu"),
)


@dataclass(frozen=True)
class RunText:
    """What of a run a file without its page tells: enough to repeat it."""

    anchor: str
    id: str
    model: str
    finished: str
    command: str
    facts: tuple[tuple[str, str], ...]


def single_file(site: SiteInput) -> str:
    """The leaderboard as one page that needs no other. What would make it larger than 2 MB is left out, and said."""
    maker, notes = Maker(site), Notes()
    known = {text(run["run_id"]): run for run in site.reader.rows("SELECT * FROM runs")}
    asked: dict[str, None] = {}

    def to_run(run_id: str) -> str:
        if run_id not in known:
            return ""
        asked[run_id] = None
        return f"#{anchor(run_id)}"

    ways = Ways(model=_nowhere, run=to_run, comparison=lambda a, b: "", speed=_nowhere)
    each = SHARED_FIGURES // max(1, len(maker.groups))
    sections = tuple(_whole(maker.section(group, 1, ways, notes, each)) for group in maker.groups)
    return maker.render(
        "single.html.j2",
        HOME,
        "Leaderboard",
        sections,
        notes,
        ways,
        plain=True,
        runs=lambda: [_run_text(known[run_id]) for run_id in asked],
        **maker.first(),
    )


def anchor(run_id: str) -> str:
    """Where a run stands in the file."""
    return f"run-{slug(run_id)}"


def _whole(section: Section) -> Section:
    return replace(section, pages=(), left_out=section.of - len(section.rows))


def _nowhere(_: str) -> str:
    return ""


def _run_text(run: Mapping[str, Any]) -> RunText:
    dtype = precision(text(run.get("dtype")), run.get("compute_dtype"))
    way = " · ".join(filter(None, (text(run.get("backend")), text(run.get("device")), dtype)))
    facts = [("backend", way), *((name, text(run.get(column))) for name, column in FACTS)]
    facts.append(("versions", _versions(run.get("versions"))))
    return RunText(
        anchor=anchor(text(run["run_id"])),
        id=clipped(text(run["run_id"]), 200),
        model=clipped(text(run.get("model")), 200),
        finished=moment(run.get("finished_at")),
        command=clipped(text(run.get("command")), LONGEST_COMMAND),
        facts=tuple((name, clipped(value, 500)) for name, value in facts if value),
    )


def _versions(told: object) -> str:
    """The store keeps versions as a JSON object of package names."""
    found = json.loads(told) if isinstance(told, str) and told.startswith("{") else told
    return ", ".join(f"{name} {found[name]}" for name in sorted(found)) if isinstance(found, Mapping) else text(found)
