"""What others have printed of a model: scores side by side by their sources, where these disagree, statements, speeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from reports.models.grid import Cell, Column, Grid, Target, grid
from reports.models.registered import UNKNOWN
from zoo.registry.lint import RULES, LintFinding, eval_cannot_run, eval_finds_out
from zoo.registry.loader import Model, PublishedScore, Registry
from zoo.registry.published import Source
from zoo.registry.statements import actual_value, agrees

UNITS = {"percent": "", "fraction": "of 1", "points": "points"}
DISAGREEMENT = {"conflict", "revision", "shots", "measure"}
"""Rules of the linter whose findings are about two printed scores."""
STATED = {"statement", "axis", "width", "speed", "copy", "selection"}
"""Rules whose findings are about what else is said of a model."""
VERDICTS = {True: "agrees", False: "differs", None: "cannot be told"}

Table = tuple[str, str, str | None, str | None]
"""What one column of printed scores has in common: source, protocol, where in the source, which weights."""


def findings_in(registry: Registry) -> dict[str, list[LintFinding]]:
    """What the linter finds in the sources, by the model (or protocol) that it is about.

    Without what `eval` cannot run: that asks the installed transformers, and a page is the same on every machine.
    """
    found: dict[str, list[LintFinding]] = defaultdict(list)
    for rule in RULES:
        if rule not in (eval_cannot_run, eval_finds_out):
            for finding in rule(registry):
                found[finding.subject].append(finding)
    return found


def side_by_side(model: Model, findings: Sequence[LintFinding]) -> Grid | None:
    """A row a task, a column a table of a source. A task of which two sources disagree is marked."""
    tables = list(dict.fromkeys(_table(score) for score in model.published_scores))
    tasks = dict.fromkeys(score.task for score in model.published_scores)
    rows = [
        [
            _task(task, {found.rule for found in findings if found.topic == task}),
            *(
                _printed([s for s in model.published_scores if s.task == task and _table(s) == table])
                for table in tables
            ),
        ]
        for task in tasks
    ]
    columns = (
        Column("Task"),
        *(Column(_heading(table), number=True, to=Target("source", table[0])) for table in tables),
    )
    notes = (
        "As printed, in percent where nothing else is said; under each figure what the source says of shots and metric.",
        *(
            ("† The task was used to choose the shape.",)
            if any(s.used_for_selection for s in model.published_scores)
            else ()
        ),
    )
    return grid("Published scores, source by source.", columns, rows, notes)


def disagreements(findings: Iterable[LintFinding]) -> tuple[LintFinding, ...]:
    """Findings about printed scores that contradict each other, or that only look as if they could be compared."""
    return tuple(found for found in findings if found.rule in DISAGREEMENT)


def doubts(findings: Iterable[LintFinding]) -> tuple[LintFinding, ...]:
    """Findings about everything else that is said of a model."""
    return tuple(found for found in findings if found.rule in STATED)


def statements(model: Model) -> Grid | None:
    """What sources state of sizes and shapes beside the entry's own, what differs first."""
    told = sorted(model.stated, key=lambda said: agrees(said, model) is not False)
    rows: list[list[Cell]] = []
    for said in told:
        actual, verdict = actual_value(model, said.field), agrees(said, model)
        shown = f"{actual:,}" if isinstance(actual, int) else UNKNOWN if actual is None else actual
        rows.append(
            [
                Cell(said.field.replace("_", " ").replace("tokens.", "tokens, ")),
                Cell(said.value),
                Cell(shown),
                Cell(VERDICTS[verdict], mark="bad" if verdict is False else ""),
                Cell(said.source, said.where or "", Target("source", said.source)),
                Cell(f"“{said.quote}”" if said.quote else ""),
            ]
        )
    columns = (
        Column("Stated"),
        Column("As printed", number=True),
        Column("Here", number=True),
        Column("Verdict"),
        Column("Source"),
        Column("In its words", wide=True),
    )
    return grid("What sources state, against the registry's own numbers at the printed precision.", columns, rows)


def speeds(model: Model, registry: Registry) -> Grid | None:
    """Published speed-ups, with what the source held equal and what it did not."""
    rows = [
        [
            Cell(f"{said.ratio:g}×"),
            Cell(registry.models[said.against].display, to=Target("model", said.against)),
            Cell(said.metric),
            Cell(said.gpu, f"{said.engine} · {said.dtype}"),
            Cell(_batches(said.batch, said.against_batch), mark="bad" if said.batch != said.against_batch else ""),
            Cell(said.source, said.where or "", Target("source", said.source)),
            Cell(f"“{said.quote}”" if said.quote else ""),
        ]
        for said in model.speeds
    ]
    columns = (
        Column("Speed-up"),
        Column("Over"),
        Column("Of what", wide=True),
        Column("On"),
        Column("Batch"),
        Column("Source"),
        Column("In its words", wide=True),
    )
    return grid("Speed as published.", columns, rows)


def sources_of(model: Model, registry: Registry, further: Iterable[str] = ()) -> tuple[tuple[str, Source], ...]:
    """Every source that the entry cites, once, in the order of the registry."""
    cited = {
        *further,
        *(score.source_id for score in model.published_scores),
        *(said.source for said in (*model.stated, *model.speeds, *model.revisions.values())),
        *(part.source for part in (model.licence, model.lineage, model.tokens, model.training, model.claimed) if part),
        *([model.lineage.selection.source] if model.lineage and model.lineage.selection else []),
        *([model.hub.files.source] if model.hub and model.hub.files else []),
        model.architecture_source,
    }
    return tuple((name, source) for name, source in registry.sources.items() if name in cited)


def _task(task: str, rules: set[str]) -> Cell:
    """A task's name, and whether printed figures of it contradict each other: of the same weights, or of two sets of them."""
    if "conflict" in rules:
        return Cell(task, "sources disagree", mark="contested")
    return Cell(task, "differs between weights" if "revision" in rules else "")


def _table(score: PublishedScore) -> Table:
    return score.source_id, score.protocol, score.where, score.revision


def _heading(table: Table) -> str:
    source, _, where, revision = table
    return " · ".join(filter(None, (source, where, f"weights “{revision}”" if revision else "")))


def _printed(scores: Sequence[PublishedScore]) -> Cell:
    """All figures of one task in one table: mostly one, but a harness prints two filters of one answer."""
    values = " / ".join(f"{s.value!r}{' †' if s.used_for_selection else ''}" for s in scores)
    details = dict.fromkeys(filter(None, (_how(score) for score in scores)))
    return Cell(values, "; ".join(details))


def _how(score: PublishedScore) -> str:
    shots = "" if score.shots is None else f"{score.shots}-shot"
    scale = "normalised for chance" if score.scale == "chance_normalised" else ""
    told = (shots, score.metric, score.filter, score.subset, UNITS[score.unit], scale)
    return ", ".join(part for part in told if part)


def _batches(own: int | None, theirs: int | None) -> str:
    if own is None and theirs is None:
        return "not stated"
    return f"{own or UNKNOWN} against {theirs or UNKNOWN}" if own != theirs else f"{own}, both"
