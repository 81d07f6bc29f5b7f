"""The family tree: who was made from whom, as text, as a Mermaid graph and as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from zoo.arch.parameters import count_parameters
from zoo.registry.loader import Model, Registry


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
        parts.append(f"{lineage.quantization.scheme}, {lineage.quantization.bits} bits")
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


def as_svg(registry: Registry) -> str:
    """All trees as one SVG: a box a model, indented under its parent. Names are escaped."""
    row, indent, box, height = 34, 40, 560, 26
    placed = [(model, depth) for root in roots(registry) for model, depth in _walk(registry, root, 0)]
    at = {model.id: index for index, (model, _) in enumerate(placed)}
    width = max(depth for _, depth in placed) * indent + box + 20 if placed else box
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {len(placed) * row + 10}" '
        'font-family="sans-serif" font-size="12" role="img" aria-label="Lineage of the models">'
    ]
    for index, (model, depth) in enumerate(placed):
        x, y = 10 + depth * indent, 5 + index * row
        if model.lineage is not None and model.lineage.parent is not None:
            top, corner = 5 + at[model.lineage.parent] * row + height, x - indent // 2
            parts.append(f'<path d="M{corner} {top}V{y + height // 2}H{x}" fill="none" stroke="#888"/>')
        parts.append(f'<rect x="{x}" y="{y}" width="{box}" height="{height}" rx="4" fill="#fff" stroke="#444"/>')
        parts.append(
            f'<text x="{x + 8}" y="{y + 17}">{escape(model.display)} · {_size(model)}'
            f'<tspan fill="#666"> {escape(_shortened(made_by(model)))}</tspan></text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


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
    return f"{count_parameters(model.architecture).total / 1e9:.2f} B"


def _quoted(text: str) -> str:
    return escape(text).replace("\n", " ")


def _shortened(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
