"""registry.yaml as frozen, checked models: the one way in for everything that asks about a model."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from zoo.errors import EnvironmentIssue, UnknownModel
from zoo.names import unknown
from zoo.registry.published import Benchmark, Decoding, Protocol, Scale, ScoreTable, Source, Unit
from zoo.registry.rules import problems
from zoo.registry.schema import Entry, RegistryFile
from zoo.yaml_source import Located, read_located, validated

LISTING = "`minizoo models` lists them."


@dataclass(frozen=True)
class PublishedScore:
    """One printed number with its protocol and source. None is what the source does not say.

    `value` is as printed, in `unit`; `source_id` names `source` in the registry.
    """

    task: str
    value: float
    unit: Unit
    scale: Scale
    metric: str | None
    filter: str | None
    shots: int | None
    decoding: Decoding | None
    subset: str | None
    protocol: str
    source_id: str
    source: Source
    where: str | None
    quote: str | None
    revision: str | None
    used_for_selection: bool


class Model(Entry):
    """An entry under its id, its published scores resolved to protocol and source."""

    id: str
    published_scores: tuple[PublishedScore, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every name the model answers to: id, aliases, hub id."""
        return (self.id, *self.aliases, *([self.hub.id] if self.hub else []))

    @property
    def weights_folder(self) -> Path | None:
        """The folder of the weights that ship with minizoo; None for a model whose weights do not."""
        return Path(__file__).parent.parent / self.weights if self.weights else None


@dataclass(frozen=True)
class ComparedRow:
    """A row of a published table that is no model of the registry."""

    id: str
    display: str
    parameters: int | None
    note: str | None
    published_scores: tuple[PublishedScore, ...]


@dataclass(frozen=True)
class Registry:
    """All models by id, in the order of the file, with what they cite and are compared with."""

    path: Path
    located: Located
    models: Mapping[str, Model]
    compared: Mapping[str, ComparedRow]
    sources: Mapping[str, Source]
    protocols: Mapping[str, Protocol]
    benchmarks: Mapping[str, Benchmark]

    def names(self) -> list[str]:
        """Every name that some model answers to."""
        return [name for model in self.models.values() for name in model.names]

    def find(self, name: str) -> Model | None:
        """The model of that id, alias or hub id, whatever the case; None when there is none."""
        wanted = name.strip().lower()
        return next((m for m in self.models.values() if any(wanted == n.lower() for n in m.names)), None)

    def resolve(self, name: str) -> Model:
        """As `find`, but an unknown name raises InputError with the closest known one."""
        model = self.find(name)
        if model is None:
            raise unknown(UnknownModel, "model", name, self.names(), LISTING)
        return model

    def children(self, name: str) -> list[Model]:
        """Models whose parent is the model of that id, in the order of the file."""
        return [m for m in self.models.values() if m.lineage is not None and m.lineage.parent == name]

    def ancestors(self, name: str) -> list[Model]:
        """The chain of parents above a model, nearest first."""
        lineage = self.models[name].lineage
        if lineage is None or lineage.parent is None:
            return []
        return [self.models[lineage.parent], *self.ancestors(lineage.parent)]


def load_registry(path: Path | None = None) -> Registry:
    """The registry of `path`, of $MINIZOO_REGISTRY, or the one that ships with minizoo (read once a process,
    and again when it changes).

    Raises InputError naming `registry.yaml:line:column` for anything wrong in the file.
    """
    file = (path or default_path()).resolve()
    state = file.stat() if file.exists() else None
    return _load(file, state and (state.st_mtime_ns, state.st_size))


def same_figure(a: PublishedScore, b: PublishedScore) -> bool:
    """Whether two scores are one at the coarser of their printed precisions: 58.5 and 58.45 are, 58.5 and 58.4 not."""
    if a.scale != b.scale:
        return False
    x, y = (Decimal(repr(score.value)) * (100 if score.unit == "fraction" else 1) for score in (a, b))
    coarser = max(int(number.as_tuple().exponent) for number in (x, y))
    return abs(x - y) <= Decimal(1).scaleb(max(coarser, -4)) / 2


def default_path() -> Path:
    """$MINIZOO_REGISTRY, else zoo/registry.yaml of an installed package, else registry.yaml of the checkout."""
    named = os.environ.get("MINIZOO_REGISTRY")
    if named:
        return Path(named)
    here = Path(__file__).parent.parent
    for candidate in (here / "registry.yaml", here.parent / "registry.yaml"):
        if candidate.is_file():
            return candidate
    raise EnvironmentIssue(f"minizoo's registry.yaml is missing from {here}.", "Install minizoo again.")


@functools.cache
def _load(path: Path, _state: tuple[int, int] | None) -> Registry:
    located = read_located(path)
    file = validated(RegistryFile, located)
    for problem in problems(file):
        raise located.error(problem.path, problem.what, problem.hint, at_key=problem.at_key)
    return Registry(
        path,
        located,
        models=MappingProxyType({name: _model(name, entry, file) for name, entry in file.models.items()}),
        compared=MappingProxyType({name: _row(name, file) for name in file.compared}),
        sources=MappingProxyType(file.sources),
        protocols=MappingProxyType(file.protocols),
        benchmarks=MappingProxyType(file.benchmarks),
    )


def _model(name: str, entry: Entry, file: RegistryFile) -> Model:
    fields = {key: getattr(entry, key) for key in Entry.model_fields}
    selection = entry.lineage.selection if entry.lineage else None
    scores = _scores(entry.published, selection.tasks if selection else (), file)
    return Model.model_construct(id=name, published_scores=scores, **fields)


def _row(name: str, file: RegistryFile) -> ComparedRow:
    row = file.compared[name]
    return ComparedRow(name, row.display, row.parameters, row.note, _scores(row.published, (), file))


def _scores(tables: Sequence[ScoreTable], selected_on: Sequence[str], file: RegistryFile) -> tuple[PublishedScore, ...]:
    scores: list[PublishedScore] = []
    for table in tables:
        for key, value in table.values.items():
            measure = file.protocols[table.protocol].measures[key]
            task = measure.task or key
            scores.append(
                PublishedScore(
                    task=task,
                    value=value,
                    unit=measure.unit,
                    scale=measure.scale,
                    metric=measure.metric,
                    filter=measure.filter,
                    shots=measure.shots,
                    decoding=measure.decoding,
                    subset=measure.subset,
                    protocol=table.protocol,
                    source_id=table.source,
                    source=file.sources[table.source],
                    where=table.where,
                    quote=table.quote,
                    revision=table.revision,
                    used_for_selection=task in selected_on,
                )
            )
    return tuple(scores)
