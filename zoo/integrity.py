"""Rules that reach across the registry: references, names, lineage, dimensions, scores. Hard errors only.

Each rule yields problems; nothing is raised here. What is doubtful rather than wrong is `zoo.lint`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from zoo.architecture import count_parameters
from zoo.dims import Hybrid
from zoo.located import Path
from zoo.names import closest
from zoo.schema import UNIT_LIMIT, Entry, RegistryFile


@dataclass(frozen=True)
class Problem:
    """One broken rule: where, what, and what to do; `at_key` points at the key instead of the value."""

    path: Path
    what: str
    mend: str = ""
    at_key: bool = False


def problems(file: RegistryFile) -> Iterator[Problem]:
    """All broken rules, in the order of the rules below."""
    for rule in RULES:
        yield from rule(file)


def sources_exist(file: RegistryFile) -> Iterator[Problem]:
    """Every `source`, `copy_of` and `protocol` names something defined."""
    for key, source in file.sources.items():
        if source.copy_of is not None:
            yield from _known(("sources", key, "copy_of"), "source", source.copy_of, file.sources)
    for key, protocol in file.protocols.items():
        yield from _known(("protocols", key, "source"), "source", protocol.source, file.sources)
    for name, entry in file.models.items():
        for path, source in _cited(entry):
            yield from _known(("models", name, *path), "source", source, file.sources)
        for index, table in enumerate(entry.published):
            place: Path = ("models", name, "published", index)
            yield from _known((*place, "protocol"), "protocol", table.protocol, file.protocols)
            if table.revision is not None:
                yield from _known((*place, "revision"), "revision", table.revision, entry.revisions)


def names_are_unique(file: RegistryFile) -> Iterator[Problem]:
    """No two models answer to one name: id, alias or hub id, whatever the case."""
    owner = {name.lower(): name for name in file.models}
    for name, entry in file.models.items():
        spoken: list[tuple[Path, str]] = [(("aliases", i), alias) for i, alias in enumerate(entry.aliases)]
        if entry.hub is not None:
            spoken.append((("hub", "id"), entry.hub.id))
        for path, alias in spoken:
            other = owner.setdefault(alias.lower(), name)
            if other != name:
                yield Problem(("models", name, *path), f"'{alias}' already names '{other}'.", "Remove one of the two.")


def lineage_is_a_tree(file: RegistryFile) -> Iterator[Problem]:
    """Parents and teachers exist, and nobody descends from itself."""
    for name, entry in file.models.items():
        if entry.lineage is None:
            continue
        place: Path = ("models", name, "lineage")
        for role in ("parent", "teacher"):
            other = getattr(entry.lineage, role)
            if other is not None:
                yield from _known((*place, role), "model", other, file.models)
        if name in _ancestors(file, name):
            yield Problem((*place, "parent"), f"'{name}' descends from itself.", "Break the circle.")


def dimensions_fit(file: RegistryFile) -> Iterator[Problem]:
    """Heads divide into KV heads, a hybrid's pattern has as many letters as layers, declared = counted."""
    for name, entry in file.models.items():
        dims = entry.architecture
        place: Path = ("models", name, "architecture")
        if dims.num_attention_heads % dims.num_kv_heads:
            what = f"{dims.num_attention_heads} query heads cannot share {dims.num_kv_heads} KV heads evenly."
            yield Problem((*place, "num_kv_heads"), what, "One of the two is wrong.")
        if isinstance(dims, Hybrid) and len(dims.pattern) != dims.num_layers:
            what = f"the pattern has {len(dims.pattern)} letters for {dims.num_layers} layers."
            yield Problem((*place, "pattern"), what, "One letter a layer.")
        counted = count_parameters(dims).total
        if entry.parameters is not None and entry.parameters != counted:
            off = entry.parameters - counted
            what = f"{entry.parameters:,} declared, but the dimensions give {counted:,} ({off:+,})."
            yield Problem(("models", name, "parameters"), what, "A dimension or the declared count is wrong.")


def compression_matches(file: RegistryFile) -> Iterator[Problem]:
    """A compressed axis is a dimension of both models, has their values, and only ever shrinks."""
    for name, entry in file.models.items():
        lineage = entry.lineage
        if lineage is None or lineage.compression is None or lineage.parent not in file.models:
            continue
        parent = file.models[lineage.parent]
        for axis, (before, after) in lineage.compression.axes.items():
            path: Path = ("models", name, "lineage", "compression", "axes", axis)
            if not isinstance(getattr(entry.architecture, axis, None), int):
                near = closest(axis, type(entry.architecture).model_fields)
                hint = f"Did you mean '{near}'?" if near else "Axes have the names of dimensions."
                yield Problem(path, f"'{axis}' is no dimension of this model.", hint, at_key=True)
                continue
            real = (getattr(parent.architecture, axis, None), getattr(entry.architecture, axis))
            if after > before:
                yield Problem(path, f"grows from {before} to {after}; pruning only shrinks.", "Swap or mend them.")
            elif (before, after) != real:
                what = f"says {before} → {after}, but '{lineage.parent}' has {real[0]} and this model {real[1]}."
                yield Problem(path, what, "Mend the axis or the dimension.")
    yield from _children_do_not_grow(file)


def scores_are_possible(file: RegistryFile) -> Iterator[Problem]:
    """A score belongs to a task of its protocol and lies within its unit."""
    for name, entry in file.models.items():
        for index, table in enumerate(entry.published):
            protocol = file.protocols.get(table.protocol)
            if protocol is None:
                continue
            for task, value in table.values.items():
                path: Path = ("models", name, "published", index, "values", task)
                if task not in protocol.measures:
                    near = closest(task, protocol.measures)
                    hint = f"Did you mean '{near}'?" if near else f"It has: {', '.join(protocol.measures)}."
                    yield Problem(path, f"protocol '{table.protocol}' has no task '{task}'.", hint, at_key=True)
                    continue
                unit = protocol.measures[task].unit
                if not 0 <= value <= UNIT_LIMIT[unit]:
                    what = f"{value} is outside 0 to {UNIT_LIMIT[unit]:g} ({unit})."
                    yield Problem(path, what, "Mend the value or its protocol's unit.")


RULES: tuple[Callable[[RegistryFile], Iterator[Problem]], ...] = (
    sources_exist,
    names_are_unique,
    lineage_is_a_tree,
    dimensions_fit,
    compression_matches,
    scores_are_possible,
)


def _known(path: Path, kind: str, name: str, known: Mapping[str, object]) -> Iterator[Problem]:
    if name not in known:
        near = closest(name, known)
        hint = f"Did you mean '{near}'?" if near else f"Add the {kind} or mend the name."
        yield Problem(path, f"there is no {kind} '{name}'.", hint)


def _cited(entry: Entry) -> Iterator[tuple[Path, str]]:
    yield ("architecture_source",), entry.architecture_source
    for part in ("licence", "lineage", "tokens", "claimed"):
        source = getattr(getattr(entry, part), "source", None)
        if source is not None:
            yield (part, "source"), source
    if entry.lineage is not None and entry.lineage.selection is not None:
        yield ("lineage", "selection", "source"), entry.lineage.selection.source
    for key, revision in entry.revisions.items():
        yield ("revisions", key, "source"), revision.source
    for index, table in enumerate(entry.published):
        yield ("published", index, "source"), table.source


def _ancestors(file: RegistryFile, name: str) -> list[str]:
    """The parents above a model, nearest first; stops where the chain ends, leaves the file or comes round."""
    found: list[str] = []
    lineage = file.models[name].lineage
    while lineage is not None and lineage.parent in file.models and lineage.parent not in found:
        found.append(lineage.parent)
        lineage = file.models[lineage.parent].lineage
    return found


SHRINKING = ("num_layers", "hidden_size", "ffn_hidden_size", "num_attention_heads", "mamba_num_heads", "mamba_head_dim")


def _children_do_not_grow(file: RegistryFile) -> Iterator[Problem]:
    for name, entry in file.models.items():
        lineage = entry.lineage
        parent = file.models.get(lineage.parent) if lineage else None
        if lineage is None or parent is None or parent.architecture.type != entry.architecture.type:
            continue
        cut = lineage.compression.axes if lineage.compression else {}
        for axis in SHRINKING:
            before, after = (getattr(m.architecture, axis, None) for m in (parent, entry))
            path: Path = ("models", name, "architecture", axis)
            if before == after or axis in cut or before is None or after is None:
                continue
            if after > before:
                yield Problem(
                    path, f"{after} is more than the parent's {before}.", "A child has no more than its parent."
                )
            else:
                what = f"{after} differs from the parent's {before}, but no compressed axis says so."
                yield Problem(path, what, "Add it to lineage.compression.axes.")
