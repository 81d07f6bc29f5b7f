"""Which model was made from which: as text trees, as rows for a picture, and as a Mermaid graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from zoo.arch.parameters import count_parameters
from zoo.registry.loader import Model, Registry


@dataclass(frozen=True)
class LineageRow:
    """A line of the indented trees: a model with its size, how it was made, and its position.

    `depth` is 0 for a root; `parent_row` is the index of the parent's row, None for a root.
    """

    id: str
    label: str
    made_by: str
    depth: int
    parent_row: int | None


def family_tree(registry: Registry, root: str, mark: str | None = None) -> list[str]:
    """The tree below `root` as lines of text, the model `mark` starred, with how each child was made."""
    return [_label(registry.models[root], mark), *_branches(registry, root, mark, "")]


def forest(registry: Registry) -> list[list[str]]:
    """The trees of all models that have relatives, in the order of the file."""
    return [family_tree(registry, root) for root in roots(registry)]


def roots(registry: Registry) -> list[str]:
    """Models without a parent here that have children, or a parent elsewhere."""
    return [
        model.id
        for model in registry.models.values()
        if not registry.ancestors(model.id) and (registry.children(model.id) or model.lineage is not None)
    ]


def root_of(registry: Registry, name: str) -> str:
    """The oldest ancestor of a model, or the model itself."""
    above = registry.ancestors(name)
    return above[-1].id if above else name


def made_by(model: Model) -> str:
    """How a model came from its parent, in words: `pruned + distilled: hidden_size 4096→3072, 94 B tokens`."""
    lineage = model.lineage
    if lineage is None:
        return ""
    parts = [f"from {lineage.parent_elsewhere}"] if lineage.parent_elsewhere else []
    if lineage.compression is not None:
        parts.extend(f"{axis} {before}→{after}" for axis, (before, after) in lineage.compression.axes.items())
    if lineage.quantization is not None:
        bits = lineage.quantization.bits
        parts.append(f"{lineage.quantization.scheme}, {bits} bits" if bits else lineage.quantization.scheme)
    if model.tokens is not None:
        tokens = model.tokens.distillation or model.tokens.teacher_correction
        parts.extend([f"{tokens / 1e9:g} B tokens"] if tokens else [])
    how = " + ".join(lineage.relation)
    return f"{how}: {', '.join(parts)}" if parts else how


def as_mermaid(registry: Registry) -> str:
    """All trees as one Mermaid graph; an arrow leads from parent to child, a dotted one from teacher to student."""
    family = _family(registry)
    nodes = {model.id: f"m{index}" for index, model in enumerate(family)}
    boxes = [f'  {nodes[model.id]}["{_quoted(model.display)}<br/>{_size(model)}"]' for model in family]
    lines = ["graph LR", *boxes]
    for model in family:
        lineage = model.lineage
        if lineage is not None and lineage.parent is not None:
            lines.append(f'  {nodes[lineage.parent]} -->|"{_quoted(" + ".join(lineage.relation))}"| {nodes[model.id]}')
        if lineage is not None and lineage.teacher is not None and lineage.teacher != lineage.parent:
            lines.append(f"  {nodes[lineage.teacher]} -.->|teacher| {nodes[model.id]}")
    return "\n".join(lines) + "\n"


def lineage_rows(registry: Registry) -> list[LineageRow]:
    """All trees as rows, each model below its parent, in the order of the file."""
    placed = [(model, depth) for root in roots(registry) for model, depth in _walk(registry, root, 0)]
    row_of = {model.id: index for index, (model, _) in enumerate(placed)}
    return [
        LineageRow(
            model.id,
            f"{model.display} · {_size(model)}",
            made_by(model),
            depth,
            row_of[model.lineage.parent] if model.lineage is not None and model.lineage.parent is not None else None,
        )
        for model, depth in placed
    ]


def _walk(registry: Registry, name: str, depth: int) -> Iterator[tuple[Model, int]]:
    yield registry.models[name], depth
    for child in registry.children(name):
        yield from _walk(registry, child.id, depth + 1)


def _family(registry: Registry) -> list[Model]:
    return [model for root in roots(registry) for model, _ in _walk(registry, root, 0)]


def _branches(registry: Registry, name: str, mark: str | None, indent: str) -> Iterator[str]:
    children = registry.children(name)
    for child in children:
        last = child is children[-1]
        yield f"{indent}{'└─ ' if last else '├─ '}{_label(child, mark)}"
        yield from _branches(registry, child.id, mark, indent + ("   " if last else "│  "))


def _label(model: Model, mark: str | None) -> str:
    how = made_by(model)
    return f"{model.id}{' ★' if model.id == mark else ''}{f'  ({how})' if how else ''}"


def _size(model: Model) -> str:
    count = count_parameters(model.architecture).total
    return f"{count / 1e9:.2f} B" if count >= 1e7 else f"{count / 1e6:.2f} M"


def _quoted(text: str) -> str:
    return escape(text).replace("\n", " ")
