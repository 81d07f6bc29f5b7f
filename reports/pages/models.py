"""The pages of models: one a model, and the list of all models and tasks with its search."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reports.charts.lineage import ON_PAGE, family_of, lineage_svg
from reports.compare.pairs import Pair, pairs
from reports.models import listing, published, registered, scores
from reports.models.evidence import Evidence, evidence_in
from reports.models.grid import Cell, Column, Grid, Target, counted, grid, short
from reports.models.limits import limits
from reports.models.story import in_short, story
from reports.models.subject import Subject, subjects
from reports.pages.recovery import Section, recovery_sections
from reports.pages.targets import hardware_of, way_from
from reports.site import addresses
from reports.site.frame import page
from reports.site.input import SiteInput
from zoo.arch.parameters import count_parameters
from zoo.registry.lineage import LineageRow, lineage_rows
from zoo.registry.lint import LintFinding
from zoo.registry.loader import Registry


@dataclass(frozen=True)
class _Known:
    """What all pages of models share, made once."""

    site: SiteInput
    evidence: Evidence
    findings: Mapping[str, Sequence[LintFinding]]
    lineage: Sequence[LineageRow]
    pairs: Mapping[str, Sequence[Pair]]
    names: dict[str, str]
    children: Mapping[str, Sequence[str]]
    """By their parent's id."""
    hardware: frozenset[str]
    recovery: Mapping[str, Sequence[Section]]


def pages(site: SiteInput) -> Iterator[tuple[str, str]]:
    """models/index.html, then a page a model of the board, in its order."""
    found = subjects(site.board, site.registry)
    yield addresses.MODELS, list_page(site, found)
    known = _known(site, found)
    for subject in found:
        yield addresses.model_page(subject.facts.id), model_page(subject, known)


def list_page(site: SiteInput, found: Sequence[Subject]) -> str:
    """All models and tasks. Without a script it is a list; the script filters it by words, kept in the address as `#q=`."""
    tables = (listing.models(found, site.registry), listing.tasks(site.board), listing.others(site.registry))
    models = {subject.facts.id for subject in found}
    measured = sum(subject.count(published=False) > 0 for subject in found)
    return page(
        "models.html.j2",
        addresses.MODELS,
        "Models and tasks",
        styles=("models.css",),
        scripts=("models.js",),
        description="Every model and task that minizoo knows, with a search over both.",
        models=tables[0] if found else None,
        tasks=tables[1] if tables[1].lines else None,
        others=tables[2],
        version=site.version,
        counted=(counted(len(found), "model"), counted(len(tables[1].lines), "task"), measured),
        way=way_from(addresses.MODELS, models, ()),
    )


def model_page(subject: Subject, known: _Known) -> str:
    """The page of one model: its story, lineage, scores, what sources disagree about, speed, limits, facts, runs."""
    facts, entry, site = subject.facts, subject.entry, known.site
    here = addresses.model_page(facts.id)
    findings = known.findings.get(entry.id, ()) if entry else ()
    beside = known.evidence.beside.get(facts.id, ())
    origins = {figure.origin for _, _, figure in subject.figures()} | {str(row["origin"]) for row in beside}
    sources = published.sources_of(entry, site.registry, origins) if entry else ()
    return page(
        "model.html.j2",
        here,
        short(facts.display),
        styles=("models.css",),
        description=" ".join(story(subject, known.names, findings))[:300],
        facts=facts,
        registered=entry is not None,
        version=site.version,
        story=story(subject, known.names, findings),
        relatives=_relatives(subject, known),
        lineage=_picture(subject, known),
        scores=scores.scores(subject, site.board),
        failures=scores.failures(subject, site.board),
        recovery=known.recovery.get(facts.id, ()),
        beside=scores.against_published(beside),
        printed=published.side_by_side(entry, findings) if entry else None,
        disagreements=published.disagreements(findings),
        doubts=published.doubts(findings),
        statements=published.statements(entry) if entry else None,
        speedups=scores.speedups([up for row in subject.rows for up in row.speedups]),
        speeds=published.speeds(entry, site.registry) if entry else None,
        limits=limits(entry) if entry else None,
        dimensions=registered.dimensions(entry, site.registry) if entry else None,
        known=registered.facts_of(subject),
        runs=scores.runs(known.evidence.runs.get(facts.id, ())),
        comparisons=_comparisons(known.pairs.get(facts.id, ()), known.names),
        sources=sources,
        models_page=addresses.MODELS,
        runs_page=addresses.RUNS,
        name=short(facts.display),
        command=None if facts.id != short(facts.id) or "\n" in facts.id else facts.id,
        way=way_from(here, known.names, known.hardware, {name for name, _ in sources}),
    )


def _known(site: SiteInput, found: Sequence[Subject]) -> _Known:
    of_model: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs(site.board, site.registry, site.asked_pairs):
        for model in pair:
            of_model[model].append(pair)
    names = {subject.facts.id: subject.facts.display for subject in found}
    children: dict[str, list[str]] = defaultdict(list)
    for subject in found:
        if subject.facts.parent:
            children[subject.facts.parent].append(subject.facts.id)
    return _Known(
        site,
        evidence_in(site.reader),
        published.findings_in(site.registry),
        _sized(site.registry),
        of_model,
        names,
        children,
        hardware_of(site),
        recovery_sections(site),
    )


def _sized(registry: Registry) -> list[LineageRow]:
    """All trees, each model with its size in billions or millions."""
    models = registry.models
    return [
        replace(
            row, label=f"{models[row.id].display} · {in_short(count_parameters(models[row.id].architecture).total)}"
        )
        for row in lineage_rows(registry)
    ]


def _relatives(subject: Subject, known: _Known) -> tuple[tuple[str, tuple[Cell, ...]], ...]:
    """The model's next relatives in words: parent, teacher, and what was made from it. Every list that is not empty."""
    entry, facts = subject.entry, subject.facts
    teacher = entry.lineage.teacher if entry and entry.lineage else None
    own = (facts.id, *((entry.id,) if entry and entry.id != facts.id else ()))
    children = [child for name in own for child in known.children.get(name, ())]
    lists = (
        ("Made from", [facts.parent] if facts.parent else []),
        ("Teacher", [teacher] if teacher and teacher != facts.parent else []),
        ("Made from it", children),
    )
    return tuple((title, tuple(_named(model, known.names) for model in models)) for title, models in lists if models)


def _named(model: str, names: Mapping[str, str]) -> Cell:
    return Cell(short(names.get(model, model)), to=Target("model", model))


def _picture(subject: Subject, known: _Known) -> str:
    """The tree that the model stands in; empty where it has no relatives in the registry."""
    family = family_of(known.lineage, subject.entry.id) if subject.entry else []
    return lineage_svg(family, subject.entry.id if subject.entry else None, ON_PAGE) if len(family) > 1 else ""


def _comparisons(found: Sequence[Pair], names: Mapping[str, str]) -> Grid | None:
    rows: list[list[Cell]] = [
        [
            Cell(f"{short(names.get(b, b))} against {short(names.get(a, a))}", to=Target("comparison", a, b)),
        ]
        for a, b in found
    ]
    return grid("Document by document, with the documents that flipped.", (Column("Comparison"),), rows)
