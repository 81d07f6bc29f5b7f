"""The family tree: who was made from whom."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.registry import Model, Registry

UNKNOWN = "unknown"


def family_tree(registry: Registry, root: str, mark: str | None = None) -> list[str]:
    """The tree below `root` as lines of text, `mark`ed model starred, with how each child was made."""
    lines = [_label(registry.models[root], mark)]
    lines.extend(_branches(registry, root, mark, ""))
    return lines


def forest(registry: Registry) -> Iterator[list[str]]:
    """The trees of all models that have relatives, in the order of the file."""
    for model in registry.models.values():
        if model.lineage is None and registry.children(model.id):
            yield family_tree(registry, model.id)


def root_of(registry: Registry, name: str) -> str:
    """The oldest ancestor of a model, or the model itself."""
    above = registry.ancestors(name)
    return above[-1].id if above else name


def made_by(model: Model) -> str:
    """How a model came from its parent, in words: `pruned + distilled: hidden_size 4096→3072, 94 B tokens`."""
    if model.lineage is None:
        return ""
    parts: list[str] = []
    if model.lineage.compression is not None:
        parts.extend(f"{axis} {before}→{after}" for axis, (before, after) in model.lineage.compression.axes.items())
    if model.tokens is not None and model.tokens.distillation is not None:
        parts.append(f"{model.tokens.distillation / 1e9:g} B tokens")
    how = " + ".join(model.lineage.relation)
    return f"{how}: {', '.join(parts)}" if parts else how


def _branches(registry: Registry, name: str, mark: str | None, indent: str) -> Iterator[str]:
    children = registry.children(name)
    for child in children:
        last = child is children[-1]
        yield f"{indent}{'└─ ' if last else '├─ '}{_label(child, mark)}"
        yield from _branches(registry, child.id, mark, indent + ("   " if last else "│  "))


def _label(model: Model, mark: str | None) -> str:
    how = made_by(model)
    return f"{model.id}{' ★' if model.id == mark else ''}{f'  ({how})' if how else ''}"
