"""What is doubtful in the registry without being wrong: sources that contradict each other, models that `eval` cannot run.

Each rule finds its conflicts in the entries; none is written down by hand. `zoo.registry.rules` holds what is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from zoo.arch.dims import Dense
from zoo.registry.loader import Model, PublishedScore, Registry, same_figure
from zoo.registry.runnable import hindrances
from zoo.registry.statements import actual_value, agrees
from zoo.yaml_nodes import YamlPath


@dataclass(frozen=True)
class LintFinding:
    """One doubt: the rule that found it, the model (or protocol) and the fact in question, and the file and line."""

    rule: str
    subject: str
    topic: str
    text: str
    file: str
    line: int


def lint(registry: Registry) -> list[LintFinding]:
    """All findings, rule by rule, in the order of the file within each."""
    return [finding for rule in RULES for finding in rule(registry)]


def value_depends_on_revision(registry: Registry) -> Iterator[LintFinding]:
    """Two revisions of the weights under one name have two values; the name alone does not say which."""
    for model, a, b in _figures(registry):
        if a.revision != b.revision and None not in (a.revision, b.revision):
            text = (
                f"{_value(a)} for the weights '{a.revision}' ({_cite(a)}), {_value(b)} for '{b.revision}' ({_cite(b)})"
            )
            yield _about_score("revision", registry, model, b, text)


def two_values_for_one_protocol(registry: Registry) -> Iterator[LintFinding]:
    """Same weights and nothing stated about how that differs, yet two values."""
    for model, a, b in _figures(registry):
        if a.revision == b.revision and _comparable(a, b):
            silent = [score.source_id for score in (a, b) if score.shots is None]
            why = f"; {' and '.join(silent)} does not say the shots" if silent else ""
            text = f"{_value(a)} in {_cite(a)}, {_value(b)} in {_cite(b)}{why}"
            yield _about_score("conflict", registry, model, b, text)


def same_name_other_measure(registry: Registry) -> Iterator[LintFinding]:
    """One benchmark's name over values that cannot be compared: another metric, scale, filter or number of shots."""
    for model, a, b in _figures(registry):
        told_apart = None not in (a.revision, b.revision) and a.revision != b.revision
        if not told_apart and a.source_id != b.source_id and not _comparable(a, b):
            text = f"{_value(a)} is {_how(a)} ({_cite(a)}), {_value(b)} is {_how(b)} ({_cite(b)}): not comparable"
            yield _about_score("measure", registry, model, b, text)


def same_value_under_different_shots(registry: Registry) -> Iterator[LintFinding]:
    """One figure, two labels: at most one of the numbers of shots can be right. One finding for two tables."""
    for model in registry.models.values():
        tables: dict[tuple[str, str], list[tuple[PublishedScore, PublishedScore]]] = {}
        for a, b in combinations(_originals(model), 2):
            if a.task == b.task and same_figure(a, b) and None not in (a.shots, b.shots) and a.shots != b.shots:
                tables.setdefault((_cite(a), _cite(b)), []).append((a, b))
        for (first, second), pairs in tables.items():
            listed = ", ".join(f"{a.task} {a.value:g} is {a.shots}-shot or {b.shots}-shot" for a, b in pairs)
            text = f"{first} and {second} label the same figures differently: {listed}"
            yield replace(_about_score("shots", registry, model, pairs[0][1], text), topic=f"{len(pairs)} tasks")


def protocol_contradicts_itself(registry: Registry) -> Iterator[LintFinding]:
    """A source that gives two numbers of shots for one column."""
    for name, protocol in registry.protocols.items():
        for task, measure in protocol.measures.items():
            other = measure.contradicted_by
            if other is not None and other.shots != measure.shots:
                title = registry.sources[other.source].title
                text = f'{measure.shots}-shot in the table, but "{other.quote}" in {title}'
                yield _at(registry, ("protocols", name, "measures", task), "shots", name, task, text)


def copies_are_no_evidence(registry: Registry) -> Iterator[LintFinding]:
    """A source that repeats another confirms nothing."""
    for model in registry.models.values():
        for index, table in enumerate(model.published):
            source = registry.sources[table.source]
            if source.copy_of is not None:
                text = f"repeats {source.copy_of}: no independent source"
                yield _finding("copy", registry, model, table.source, text, ("published", index))


def statement_differs(registry: Registry) -> Iterator[LintFinding]:
    """What a source states of size, shape, tokens or licence, where the entry holds something else."""
    for model in registry.models.values():
        for index, said in enumerate(model.stated):
            if said.field != "compressed_axes" and agrees(said, model) is False:
                actual = actual_value(model, said.field)
                shown = f"{actual:,}" if isinstance(actual, int) else actual
                where = f", {said.where}" if said.where else ""
                text = f"{said.source}{where} says {said.value}; the entry has {shown}"
                yield _finding("statement", registry, model, said.field, text, ("stated", index))


def pruned_axis_that_did_not_shrink(registry: Registry) -> Iterator[LintFinding]:
    """A card that counts an axis among the pruned although parent and child are equal on it."""
    for model in registry.models.values():
        parent = registry.models.get(model.lineage.parent or "") if model.lineage else None
        for index, said in enumerate(model.stated if parent else ()):
            for axis in said.value.split(", ") if said.field == "compressed_axes" else ():
                before, after = (getattr(m.architecture, axis, None) for m in (parent, model) if m)
                if before == after:
                    text = f"{said.source} counts it among the pruned; parent and child have {after}"
                    yield _finding("axis", registry, model, axis, text, ("stated", index))


def query_width_is_not_hidden(registry: Registry) -> Iterator[LintFinding]:
    """heads × head_dim ≠ hidden_size: loaders that derive one from the other break."""
    for model in registry.models.values():
        dims = model.architecture
        width = dims.num_attention_heads * dims.head_dim
        if isinstance(dims, Dense) and width != dims.hidden_size:
            text = (
                f"{dims.num_attention_heads} heads × {dims.head_dim} = {width}, but hidden_size is {dims.hidden_size}"
            )
            yield _finding("width", registry, model, "head_dim", text, ("architecture",))


def chosen_on_a_scored_task(registry: Registry) -> Iterator[LintFinding]:
    """The shape was chosen by a task whose score is published too."""
    for model in registry.models.values():
        for task in sorted({score.task for score in model.published_scores if score.used_for_selection}):
            text = "the model's shape was chosen by this task, so its score was not blind to the choice"
            yield _finding("selection", registry, model, task, text, ("lineage", "selection"))


def speeds_differ(registry: Registry) -> Iterator[LintFinding]:
    """Two ratios for one comparison, or one taken at different batch sizes."""
    for model in registry.models.values():
        for index, speed in enumerate(model.speeds):
            if speed.batch != speed.against_batch:
                text = f"{speed.ratio:g}× over {speed.against} at batch {speed.batch} against {speed.against_batch}"
                yield _finding("speed", registry, model, "throughput", text, ("speeds", index))
        for a, b in combinations(model.speeds, 2):
            if a.against == b.against and a.ratio != b.ratio:
                text = f"{a.ratio:g}× ({a.where}) and {b.ratio:g}× ({b.where}) over {a.against}"
                yield _finding("speed", registry, model, "throughput", text, ("speeds", model.speeds.index(b)))


def eval_cannot_run(registry: Registry) -> Iterator[LintFinding]:
    """A model that `minizoo eval` cannot run, and why."""
    for model in registry.models.values():
        for found in hindrances(model):
            if found.stands:
                yield _finding("eval", registry, model, found.topic, f"cannot run: {found.why}", found.path)


def eval_finds_out(registry: Registry) -> Iterator[LintFinding]:
    """What is to be done before `minizoo eval` runs a model, or what it only finds out on the way."""
    for model in registry.models.values():
        for found in hindrances(model):
            if not found.stands:
                yield _finding("eval", registry, model, found.topic, found.why, found.path)


RULES: tuple[Callable[[Registry], Iterator[LintFinding]], ...] = (
    eval_cannot_run,
    eval_finds_out,
    value_depends_on_revision,
    two_values_for_one_protocol,
    same_value_under_different_shots,
    protocol_contradicts_itself,
    same_name_other_measure,
    statement_differs,
    pruned_axis_that_did_not_shrink,
    query_width_is_not_hidden,
    speeds_differ,
    chosen_on_a_scored_task,
    copies_are_no_evidence,
)


def _originals(model: Model) -> list[PublishedScore]:
    return [score for score in model.published_scores if score.source.copy_of is None]


def _figures(registry: Registry) -> Iterator[tuple[Model, PublishedScore, PublishedScore]]:
    """Every two different figures that one model has under one task's name.

    Sources that print the same figure for the same weights count once, through the one that says most of how.
    """
    for model in registry.models.values():
        figures: list[PublishedScore] = []
        for score in sorted(_originals(model), key=_silence):
            if not any(
                f.task == score.task and f.revision == score.revision and same_figure(f, score) for f in figures
            ):
                figures.append(score)
        for a, b in combinations(sorted(figures, key=model.published_scores.index), 2):
            if a.task == b.task and not same_figure(a, b):
                yield model, a, b


def _silence(score: PublishedScore) -> int:
    return sum(said is None for said in (score.metric, score.filter, score.shots))


def _comparable(a: PublishedScore, b: PublishedScore) -> bool:
    """Whether nothing that both sources state of how they measured differs."""
    stated = ((a.metric, b.metric), (a.filter, b.filter), (a.shots, b.shots), (a.subset, b.subset))
    return a.scale == b.scale and all(x is None or y is None or x == y for x, y in stated)


def _value(score: PublishedScore) -> str:
    return f"{score.value:g}" + {"percent": "", "fraction": " (of 1)", "points": " points"}[score.unit]


def _how(score: PublishedScore) -> str:
    shots = "shots unknown" if score.shots is None else f"{score.shots}-shot"
    parts: Sequence[str | None] = (score.metric, score.filter, shots)
    scale = "normalised for chance" if score.scale == "chance_normalised" else None
    return ", ".join(part for part in (*parts, scale) if part)


def _cite(score: PublishedScore) -> str:
    return f"{score.source_id}{', ' + score.where if score.where else ''}"


def _about_score(rule: str, registry: Registry, model: Model, score: PublishedScore, text: str) -> LintFinding:
    tables = [i for i, t in enumerate(model.published) if t.source == score.source_id and t.protocol == score.protocol]
    return _finding(rule, registry, model, score.task, text, ("published", tables[0], "values", score.task))


def _finding(rule: str, registry: Registry, model: Model, topic: str, text: str, path: YamlPath) -> LintFinding:
    return _at(registry, ("models", model.id, *path), rule, model.id, topic, text)


def _at(registry: Registry, path: YamlPath, rule: str, subject: str, topic: str, text: str) -> LintFinding:
    located = registry.files.holding(path)
    line, _ = located.position(path)
    return LintFinding(rule, subject, topic, text, located.name, line)
