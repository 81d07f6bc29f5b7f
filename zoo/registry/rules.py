"""Rules that reach across the registry: references, names, lineage, dimensions, scores. Hard errors only.

Each rule yields problems; nothing is raised here. What is doubtful rather than wrong is `zoo.registry.lint`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from zoo.arch.dims import Hybrid
from zoo.arch.parameters import count_parameters
from zoo.names import closest
from zoo.registry.published import UNIT_LIMIT, ScoreTable
from zoo.registry.schema import RegistryFile
from zoo.registry.statements import FIELDS, can_be_read, is_known_field
from zoo.yaml_nodes import YamlPath


@dataclass(frozen=True)
class Problem:
    """One broken rule: where, what, and what to do; `at_key` points at the key instead of the value.

    `other` is the item that the one at `path` clashes with, whose position belongs in the message too.
    """

    path: YamlPath
    what: str
    hint: str = ""
    at_key: bool = False
    other: YamlPath | None = None


def problems(file: RegistryFile) -> Iterator[Problem]:
    """All broken rules, in the order of the rules below."""
    for rule in RULES:
        yield from rule(file)


def references_exist(file: RegistryFile) -> Iterator[Problem]:
    """Every source, protocol, revision and model that something names is defined."""
    for path, kind, name in _named(file):
        known: Mapping[str, object] = {"source": file.sources, "protocol": file.protocols, "model": file.models}[kind]
        yield from _known(path, kind, name, known)
    for name, entry in file.models.items():
        for index, table in enumerate(entry.published):
            if table.revision is not None:
                yield from _known(("models", name, "published", index, "revision"), "revision", table.revision,
                                  entry.revisions)  # fmt: skip


def names_are_unique(file: RegistryFile) -> Iterator[Problem]:
    """No two models share a name: id, alias or hub id, whatever the case."""
    owner: dict[str, tuple[str, YamlPath]] = {}
    for name, entry in file.models.items():
        spoken: list[tuple[YamlPath, str]] = [((), name)]
        spoken += [(("aliases", i), alias) for i, alias in enumerate(entry.aliases)]
        if entry.hub is not None:
            spoken.append((("hub", "id"), entry.hub.id))
        for path, alias in spoken:
            place: YamlPath = ("models", name, *path)
            other, other_place = owner.setdefault(alias.lower(), (name, place))
            if other != name:
                what = f"'{alias}' already names '{other}'."
                yield Problem(place, what, "Remove one of the two.", at_key=not path, other=other_place)


def lineage_is_a_tree(file: RegistryFile) -> Iterator[Problem]:
    """One parent, in the registry or elsewhere; and no model descends from itself."""
    for name, entry in file.models.items():
        if entry.lineage is None:
            continue
        place: YamlPath = ("models", name, "lineage")
        if (entry.lineage.parent is None) == (entry.lineage.parent_elsewhere is None):
            yield Problem(place, "needs either a parent or a parent_elsewhere.", "Give one of the two.", at_key=True)
        if name in _ancestors(file, name):
            yield Problem((*place, "parent"), f"'{name}' descends from itself.", "Break the circle.")


def hub_revisions_have_a_source(file: RegistryFile) -> Iterator[Problem]:
    """A pinned revision says where it was read."""
    for name, entry in file.models.items():
        if entry.hub is not None and entry.hub.revision is not None and entry.hub.revision_source is None:
            yield Problem(
                ("models", name, "hub", "revision"), "has no revision_source.", "Give the address that names it."
            )


def weights_have_one_place(file: RegistryFile) -> Iterator[Problem]:
    """What is made is neither fetched nor shipped."""
    for name, entry in file.models.items():
        if entry.made is not None and (entry.hub is not None or entry.weights is not None):
            yield Problem(("models", name, "made"), "is said beside `hub` or `weights`.", "Leave it out.", at_key=True)


def dimensions_fit(file: RegistryFile) -> Iterator[Problem]:
    """Heads divide into KV heads, a hybrid's pattern has as many letters as layers, declared = counted."""
    for name, entry in file.models.items():
        dims = entry.architecture
        place: YamlPath = ("models", name, "architecture")
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
        if lineage is None or lineage.compression is None:
            continue
        parent = file.models.get(lineage.parent or "")
        for axis, (before, after) in lineage.compression.axes.items():
            path: YamlPath = ("models", name, "lineage", "compression", "axes", axis)
            if not isinstance(getattr(entry.architecture, axis, None), int):
                near = closest(axis, type(entry.architecture).model_fields)
                hint = f"Did you mean '{near}'?" if near else "Axes have the names of dimensions."
                yield Problem(path, f"'{axis}' is no dimension of this model.", hint, at_key=True)
                continue
            whole = getattr(parent.architecture, axis, None) if parent else before
            real = (whole, getattr(entry.architecture, axis))
            if after > before:
                yield Problem(path, f"grows from {before} to {after}; pruning only shrinks.", "Swap or correct them.")
            elif (before, after) != real:
                what = f"says {before} → {after}, but '{lineage.parent}' has {real[0]} and this model {real[1]}."
                yield Problem(path, what, "Correct the axis or the dimension.")
    yield from _children_do_not_grow(file)


def pruned_models_are_what_was_trained(file: RegistryFile) -> Iterator[Problem]:
    """The pruned-only model of a distilled one is its parent's child, not retrained, and has its dimensions."""
    for name, entry in file.models.items():
        lineage = entry.lineage
        start = file.models.get(lineage.pruned) if lineage is not None and lineage.pruned is not None else None
        if lineage is None or start is None:
            continue
        path: YamlPath = ("models", name, "lineage", "pruned")
        made = start.lineage
        if not {"pruned", "distilled"} <= set(lineage.relation):
            what = f"'{name}' is {' + '.join(lineage.relation)}; only a pruned and distilled model has one."
            yield Problem(path, what, "Correct its relation, or leave this out.", at_key=True)
        elif made is None or made.relation != ("pruned",):
            yield Problem(path, f"'{lineage.pruned}' is not pruned alone.", "Name the model before its training.")
        elif (made.parent, made.parent_elsewhere) != (lineage.parent, lineage.parent_elsewhere):
            what = f"'{lineage.pruned}' was cut from another parent than '{name}'."
            yield Problem(path, what, "Name the model that was trained, or correct the parent.")
        elif start.architecture != entry.architecture:
            what = f"'{lineage.pruned}' has other dimensions than '{name}'; training changes none."
            yield Problem(path, what, "Name the model that was trained, or correct the dimensions.")


def scores_are_possible(file: RegistryFile) -> Iterator[Problem]:
    """A score belongs to a task of its protocol and lies within its unit."""
    for place, table in _tables(file):
        protocol = file.protocols.get(table.protocol)
        if protocol is None:
            continue
        for task, value in table.values.items():
            path: YamlPath = (*place, "values", task)
            if task not in protocol.measures:
                near = closest(task, protocol.measures)
                hint = f"Did you mean '{near}'?" if near else f"It has: {', '.join(protocol.measures)}."
                yield Problem(path, f"protocol '{table.protocol}' has no task '{task}'.", hint, at_key=True)
                continue
            unit = protocol.measures[task].unit
            if not 0 <= value <= UNIT_LIMIT[unit]:
                what = f"{value} is outside 0 to {UNIT_LIMIT[unit]:g} ({unit})."
                yield Problem(path, what, "Correct the value or its protocol's unit.")


def statements_can_be_checked(file: RegistryFile) -> Iterator[Problem]:
    """A statement is about something the entry can answer, in a form that can be compared."""
    for name, entry in file.models.items():
        for index, statement in enumerate(entry.stated):
            place: YamlPath = ("models", name, "stated", index)
            if not is_known_field(entry, statement.field):
                known = [*FIELDS, *type(entry.architecture).model_fields]
                near = closest(statement.field, known)
                hint = f"Did you mean '{near}'?" if near else f"Known: {', '.join(known)}."
                yield Problem((*place, "field"), f"there is no field '{statement.field}'.", hint)
            elif not can_be_read(statement):
                yield Problem((*place, "value"), f"'{statement.value}' is no number.", "Write it like 8.3B, 94B or 48.")


RULES: tuple[Callable[[RegistryFile], Iterator[Problem]], ...] = (
    references_exist,
    names_are_unique,
    lineage_is_a_tree,
    hub_revisions_have_a_source,
    weights_have_one_place,
    dimensions_fit,
    compression_matches,
    pruned_models_are_what_was_trained,
    scores_are_possible,
    statements_can_be_checked,
)


def _known(path: YamlPath, kind: str, name: str, known: Mapping[str, object]) -> Iterator[Problem]:
    if name not in known:
        near = closest(name, known)
        hint = f"Did you mean '{near}'?" if near else f"Add the {kind} or correct the name."
        yield Problem(path, f"there is no {kind} '{name}'.", hint)


def _tables(file: RegistryFile) -> Iterator[tuple[YamlPath, ScoreTable]]:
    for section, rows in (("models", file.models), ("compared", file.compared)):
        for name, row in rows.items():
            for index, table in enumerate(row.published):
                yield (section, name, "published", index), table


REFERENCES = {
    "source": "source", "architecture_source": "source", "copy_of": "source", "protocol": "protocol",
    "parent": "model", "teacher": "model", "pruned": "model", "against": "model",
}  # fmt: skip


def _named(file: RegistryFile) -> Iterator[tuple[YamlPath, str, str]]:
    """Every reference of the file: its path, what kind of thing it names, and the name."""
    yield from _references(file.model_dump(), ())


def _references(item: object, path: YamlPath) -> Iterator[tuple[YamlPath, str, str]]:
    if isinstance(item, dict):
        for key, value in item.items():
            kind = REFERENCES.get(key)
            if kind is not None and isinstance(value, str):
                yield (*path, key), kind, value
            else:
                yield from _references(value, (*path, key))
    elif isinstance(item, tuple):
        for index, value in enumerate(item):
            yield from _references(value, (*path, index))


def _ancestors(file: RegistryFile, name: str) -> list[str]:
    """The parents above a model, nearest first; stops where the chain ends, leaves the file or comes round."""
    found: list[str] = []
    lineage = file.models[name].lineage
    while lineage is not None and (parent := lineage.parent or "") in file.models and parent not in found:
        found.append(parent)
        lineage = file.models[parent].lineage
    return found


SHRINKING = ("num_layers", "hidden_size", "ffn_hidden_size", "num_attention_heads", "mamba_num_heads", "mamba_head_dim")


def _children_do_not_grow(file: RegistryFile) -> Iterator[Problem]:
    for name, entry in file.models.items():
        lineage = entry.lineage
        parent = file.models.get(lineage.parent or "") if lineage else None
        if lineage is None or parent is None or parent.architecture.type != entry.architecture.type:
            continue
        cut = lineage.compression.axes if lineage.compression else {}
        for axis in SHRINKING:
            before, after = (getattr(m.architecture, axis, None) for m in (parent, entry))
            path: YamlPath = ("models", name, "architecture", axis)
            if before == after or axis in cut or before is None or after is None:
                continue
            if after > before:
                yield Problem(
                    path, f"{after} is more than the parent's {before}.", "A child has no more than its parent."
                )
            else:
                what = f"{after} differs from the parent's {before}, but no compressed axis says so."
                yield Problem(path, what, "Add it to lineage.compression.axes.")
