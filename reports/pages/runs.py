"""A page a run, and the list of them. Pages of runs are many, so that only those are made of which something changed."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from harness.records.files import folder_name, run_folder
from reports.cells import moment, text
from reports.compare.pairs import pairs
from reports.runs.facts import dtypes, facts_of, origin, seconds, where
from reports.runs.rows import RunRows, RunState, listed, rows_of, states_of
from reports.runs.samples import TaskSamples, read_samples
from reports.runs.scores import failure_lines, score_lines
from reports.runs.speeds import beside_lines, point_lines
from reports.site.addresses import RUNS, comparison_page, model_page, run_page, samples_file, speed_page
from reports.site.frame import page
from reports.site.input import SiteInput
from reports.speed.hardware import page_name

A_PAGE = 250
"""Runs of a page of the list."""
ROOM = 1_200_000
"""Bytes of a run's page for the documents of all its tasks."""
COMPARISONS = 12
"""Links of a run's page; more are on the list of comparisons."""


@dataclass(frozen=True)
class RunLinks:
    """Where a run's page leads to."""

    model: bool
    """Whether the model has a page."""
    comparisons: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class DueRun:
    """A run's page as it has to be: where its files are, and a digest of what they are made from."""

    state: RunState
    links: RunLinks
    digest: str

    @property
    def page(self) -> str:
        """Its address."""
        return run_page(self.state.run_id)

    @property
    def samples(self) -> tuple[str, ...]:
        """The addresses of its tasks' samples."""
        return tuple(samples_file(self.state.run_id, folder_name(task)) for task in self.state.sampled)


@dataclass(frozen=True)
class MadeRun:
    """A run's page, and the files that stand beside it."""

    due: DueRun
    html: str
    samples: tuple[tuple[str, Path], ...]
    """Address, and the record's own file."""


@dataclass(frozen=True)
class TaskDocuments:
    """The documents of a task that a page shows."""

    task: str
    anchor: str
    address: str
    """Of all of them."""
    found: TaskSamples | None
    problem: str = ""


def due_runs(site: SiteInput) -> list[DueRun]:
    """Every run of the results, with what decides whether its page has to be made anew."""
    shown = {row.facts.id for row in site.board.rows}
    own: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for pair in pairs(site.board, site.registry, site.asked_pairs):
        for name in pair:
            own[name].append(pair)
    made_by = code_digest()
    found: list[DueRun] = []
    for state in states_of(site.reader):
        links = RunLinks(state.model in shown, tuple(own[state.model]))
        told = json.dumps([made_by, site.version, state.digest, state.sampled, links.model, links.comparisons])
        found.append(DueRun(state, links, hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]))
    return found


def run_pages(site: SiteInput, due: Sequence[DueRun]) -> Iterator[MadeRun]:
    """The pages of these runs, one by one."""
    by_id = {run.state.run_id: run for run in due}
    for rows in rows_of(site.reader, list(by_id)):
        run = by_id[rows.run["run_id"]]
        yield _made(site.results, run, rows)


def pages(site: SiteInput) -> Iterator[tuple[str, str]]:
    """The list of runs, the newest first, at most A_PAGE a page."""
    in_all = site.reader.rows("SELECT count(DISTINCT run_id) AS runs FROM records")[0]["runs"]
    last = max(1, math.ceil(in_all / A_PAGE))
    shown = {row.facts.id for row in site.board.rows}
    for number in range(1, last + 1):
        runs = listed(site.reader, number - 1, A_PAGE)
        yield (
            list_page(number),
            page(
                "runs.html.j2",
                list_page(number),
                "Runs" if number == 1 else f"Runs, page {number} of {last}",
                styles=("runs.css",),
                description="Every run that was measured, imported or contributed, with what repeats it.",
                lines=[_listed(run, shown) for run in runs],
                in_all=in_all,
                numbers=[(n, list_page(n)) for n in range(1, last + 1)],
                number=number,
            ),
        )


def list_page(number: int) -> str:
    """The address of a page of the list."""
    return RUNS if number == 1 else f"runs/page-{number}.html"


def code_digest() -> str:
    """A digest of everything that shapes a page: a newer minizoo makes all of them anew."""
    whole = hashlib.sha256()
    for name in sorted(_sources(resources.files("reports"), "")):
        whole.update(name.encode() + resources.files("reports").joinpath(*name.split("/")).read_bytes())
    return whole.hexdigest()[:16]


def _sources(folder: Any, above: str) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name not in ("__pycache__", "published"):
            yield from _sources(entry, f"{above}{entry.name}/")
        elif entry.name.endswith((".py", ".j2", ".css", ".js")):
            yield f"{above}{entry.name}"


def _made(results: Path, due: DueRun, rows: RunRows) -> MadeRun:
    run = rows.run
    record: Mapping[str, Any] = json.loads(rows.records[0]["record"]) if rows.records else {}
    order = {record["task"]: place for place, record in enumerate(rows.records)}
    files = sorted(_files(results, due.state), key=lambda file: order[file[0]])
    documents = _documents(due.state, files)
    failures = failure_lines(rows)
    html = page(
        "run.html.j2",
        due.page,
        f"{text(run['model'])}, {text(run['suite'])}",
        styles=("runs.css",),
        description=f"A run of {text(run['suite'])} by {text(run['model'])}: its command, its scores, its answers.",
        run=run,
        when=moment(run["finished_at"], "%Y-%m-%d %H:%M UTC"),
        where=where(run),
        hardware=speed_page(page_name(where(run))),
        how=" · ".join(filter(None, (text(run["backend"]), dtypes(run)))),
        took=seconds(run["wall_s"]) if run["source"] != "imported" else "",
        origin=origin(run, record),
        facts=facts_of(run, record),
        scores=score_lines(rows),
        failures=failures,
        points=point_lines(rows),
        beside=beside_lines(rows),
        documents=documents,
        anchors={found.task: found.anchor for found in documents},
        model=model_page(due.state.model) if due.links.model else "",
        comparisons=[(a, b, comparison_page(a, b)) for a, b in due.links.comparisons[:COMPARISONS]],
        runs=RUNS,
        run_page=run_page,
    )
    return MadeRun(due, html, tuple((address, path) for _, address, path in files if path.is_file()))


def _files(results: Path, state: RunState) -> Iterator[tuple[str, str, Path]]:
    """(Task, address, the record's own file) of each task with samples."""
    for task, address in zip(state.sampled, DueRun(state, RunLinks(False, ()), "").samples, strict=True):
        yield task, address, run_folder(results, state.run_id) / folder_name(task) / "samples.parquet"


def _documents(state: RunState, files: Sequence[tuple[str, str, Path]]) -> list[TaskDocuments]:
    found: list[TaskDocuments] = []
    for place, (task, address, path) in enumerate(files, 1):
        anchor = f"task-{place}"
        try:
            samples = read_samples(path, ROOM // len(files))
        except ValueError as error:
            found.append(TaskDocuments(task, anchor, address, None, f"Its samples cannot be read ({error})."))
            continue
        problem = "" if samples else "Its samples are in the database, and no longer beside the record."
        found.append(TaskDocuments(task, anchor, address, samples, problem))
    return found


def _listed(run: Mapping[str, Any], shown: Iterable[str]) -> dict[str, Any]:
    tasks, failed = run["tasks"], run["failed"] or 0
    model = text(run["model"])
    return {
        "address": run_page(run["run_id"]),
        "when": moment(run["finished_at"]),
        "iso": moment(run["finished_at"], "%Y-%m-%dT%H:%M:%SZ"),
        "model": model,
        "model_page": model_page(model) if model in shown else "",
        "suite": text(run["suite"]),
        "tasks": f"{tasks:,} task{'' if tasks == 1 else 's'}",
        "failed": ", ".join(f"{n:,} {how}" for n, how in ((failed, "failed"), (run["unverified"], "unverified")) if n),
        "where": where(run),
        "how": " · ".join(filter(None, (text(run["backend"]), dtypes(run)))),
        "source": text(run["source"]),
        "by": text(run["contributed_by"]) if run["source"] == "contributed" else "",
    }
