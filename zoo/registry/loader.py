"""Loading the registry: checked, frozen models with their published scores resolved."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from zoo.errors import BrokenInstallation, UnknownModel
from zoo.names import unknown
from zoo.registry.merging import RegistryFiles, read_registry_files
from zoo.registry.published import Benchmark, Protocol, PublishedDecoding, Scale, ScoreTable, Source, Unit
from zoo.registry.rules import problems
from zoo.registry.schema import Entry, RegistryFile

LISTING = "`minizoo models` lists them."
VARIABLE = "MINIZOO_REGISTRY"
"""Environment variable: files to add to the shipped registry, separated as in PATH."""


@dataclass(frozen=True)
class PublishedScore:
    """One printed score with its protocol and source. None is what the source does not say.

    `value` is as printed, in `unit`; `source_id` names `source` in the registry.
    """

    task: str
    value: float
    unit: Unit
    scale: Scale
    metric: str | None
    filter: str | None
    shots: int | None
    decoding: PublishedDecoding | None
    subset: str | None
    protocol: str
    source_id: str
    source: Source
    where: str | None
    quote: str | None
    revision: str | None
    used_for_selection: bool
    trained_on: bool = False
    """Whether the model was trained on the task's own text."""


class Model(Entry):
    """An entry under its id, its published scores resolved to protocol and source."""

    id: str
    published_scores: tuple[PublishedScore, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every name of the model: id, aliases, hub id."""
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
    """All models by id, in the order of the files, with what they cite and are compared with.

    `paths` are the files it was read from, the shipped one first; `state` changes when one of them changes.
    """

    paths: tuple[Path, ...]
    state: str
    files: RegistryFiles
    models: Mapping[str, Model]
    compared: Mapping[str, ComparedRow]
    sources: Mapping[str, Source]
    protocols: Mapping[str, Protocol]
    benchmarks: Mapping[str, Benchmark]

    def names(self) -> list[str]:
        """Every id, alias and hub id."""
        return [name for model in self.models.values() for name in model.names]

    def find(self, name: str) -> Model | None:
        """The model of that id, alias or hub id, whatever the case; None when there is none."""
        wanted = name.strip().lower()
        return next((m for m in self.models.values() if any(wanted == n.lower() for n in m.names)), None)

    def resolve(self, name: str) -> Model:
        """As `find`, but an unknown name raises UnknownModel with the closest known one."""
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

    def trained_on(self, name: str) -> frozenset[str]:
        """Tasks whose own text the model of that id, or one that it descends from, was trained on."""
        return frozenset(
            task
            for model in (self.models[name], *self.ancestors(name))
            if model.lineage is not None and model.lineage.trained_on is not None
            for task in model.lineage.trained_on.tasks
        )


def load_registry(path: Path | None = None) -> Registry:
    """The registry of `path` alone; without it the shipped one with the files of $MINIZOO_REGISTRY added.

    Read once a process, and again when a file changes. Raises InvalidRegistry naming file:line:column for anything
    wrong in a file, FileMissing for a file that cannot be read.
    """
    if path is not None:
        files = [(path.resolve(), path.name)]
    else:
        shipped = shipped_path().resolve()
        files = [(shipped, shipped.name), *((Path(name).expanduser().resolve(), name) for name in added_files())]
    return _load(tuple(files), ";".join(_state(file) for file, _ in files))


def added_files() -> list[str]:
    """The files that $MINIZOO_REGISTRY names, as it writes them."""
    return [name for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name.strip()]


def same_figure(a: PublishedScore, b: PublishedScore) -> bool:
    """Whether two scores are one at the coarser of their printed precisions: 58.5 and 58.45 are, 58.5 and 58.4 not."""
    if a.scale != b.scale:
        return False
    x, y = (Decimal(repr(score.value)) * (100 if score.unit == "fraction" else 1) for score in (a, b))
    coarser = max(int(number.as_tuple().exponent) for number in (x, y))
    return abs(x - y) <= Decimal(1).scaleb(max(coarser, -4)) / 2


def shipped_path() -> Path:
    """zoo/registry.yaml of an installed package, else registry.yaml of the checkout. Raises BrokenInstallation."""
    here = Path(__file__).parent.parent
    for candidate in (here / "registry.yaml", here.parent / "registry.yaml"):
        if candidate.is_file():
            return candidate
    raise BrokenInstallation(f"minizoo's registry.yaml is missing from {here}.", "Install minizoo again.")


def _state(file: Path) -> str:
    """Path, modification time and size of a file, as one text."""
    found = file.stat() if file.exists() else None
    return f"{file}:{found.st_mtime_ns}:{found.st_size}" if found else f"{file}:missing"


@functools.lru_cache(maxsize=16)
def _load(files: tuple[tuple[Path, str], ...], state: str) -> Registry:
    located, merged = read_registry_files(files)
    for problem in problems(merged):
        what = problem.what
        if problem.other is not None:
            what = f"{what.removesuffix('.')} in {located.where(problem.other)}."
        raise located.error(problem.path, what, problem.hint, at_key=problem.at_key)
    return Registry(
        tuple(path for path, _ in files),
        state,
        located,
        models=MappingProxyType({name: _model(name, entry, merged) for name, entry in merged.models.items()}),
        compared=MappingProxyType({name: _row(name, merged) for name in merged.compared}),
        sources=MappingProxyType(merged.sources),
        protocols=MappingProxyType(merged.protocols),
        benchmarks=MappingProxyType(merged.benchmarks),
    )


def _model(name: str, entry: Entry, file: RegistryFile) -> Model:
    fields = {key: getattr(entry, key) for key in Entry.model_fields}
    selection = entry.lineage.selection if entry.lineage else None
    trained_on = entry.lineage.trained_on.tasks if entry.lineage and entry.lineage.trained_on else ()
    scores = _scores(entry.published, selection.tasks if selection else (), file, trained_on)
    return Model.model_construct(id=name, published_scores=scores, **fields)


def _row(name: str, file: RegistryFile) -> ComparedRow:
    row = file.compared[name]
    return ComparedRow(name, row.display, row.parameters, row.note, _scores(row.published, (), file))


def _scores(
    tables: Sequence[ScoreTable], selected_on: Sequence[str], file: RegistryFile, trained_on: Sequence[str] = ()
) -> tuple[PublishedScore, ...]:
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
                    trained_on=task in trained_on,
                )
            )
    return tuple(scores)
