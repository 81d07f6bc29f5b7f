"""The child's model card: its dimensions, its parent, what chose its units, and where it can run."""

from __future__ import annotations

from zoo.arch.parameters import kv_bytes_per_token
from zoo.prune.calibration import describe_rows
from zoo.prune.parent import Parent
from zoo.prune.plan import Plan, UnitSelection
from zoo.prune.target import AXES, ChildShape
from zoo.registry.loader import load_registry

PARALLEL = (1, 2, 4, 8)
ALIGNMENT = 256


def model_card(plan: Plan, parent: Parent, with_weights: bool) -> str:
    """The README.md of a pruned folder, with the hub's front matter."""
    entry = load_registry().find(parent.name)
    licence = entry.licence.id if entry and entry.licence else None
    base = entry.hub.id if entry and entry.hub else parent.name
    chosen = plan.chosen
    lines = [
        "---",
        f"base_model: {_quoted(base)}",
        "base_model_relation: finetune",
        *([f"license: {_quoted(licence)}"] if licence else []),
        "library_name: transformers",
        "tags: [pruned, minizoo]",
        "---",
        "",
        f"# Cut from {_quoted(parent.name)}",
        "",
        "Pruned and not retrained: expect it to be clearly worse than its parent until it is distilled.",
        "",
        *_dimension_table(plan.shape),
        "",
        f"Parameters: {plan.parameters:,}. KV cache: {kv_bytes_per_token(plan.shape.dims):,} bytes a token in bf16.",
        "",
        f"- Units chosen by: {_quoted(chosen.method)}",
        *(f"  - {axis}: {_quoted(how)}" for axis, how in chosen.axes.items()),
        f"- Calibration data: {_quoted(chosen.calibration or 'none')}"
        + (f" (sha256 {chosen.calibration_digest[:16]}…)" if chosen.calibration_digest else ""),
        *([f"- Calibration rows: {_quoted(rows)}"] if (rows := rows_of(chosen)) else []),
        *([f"- Importance computed in: {_quoted(chosen.measured_on)}"] if chosen.measured_on else []),
        f"- Tasks used to choose: {', '.join(map(_quoted, chosen.selection_tasks)) or 'none'}",
        f"- Parent digest: {parent.digest}",
        f"- Plan digest: {plan.digest()} (plan.json lists every kept unit)",
        f"- Licence: {_quoted(licence) if licence else 'that of the parent, which minizoo does not know'}, inherited.",
        *(
            []
            if with_weights
            else ["- Holds no weights: the `pruned` backend reads its slices from the parent's files."]
        ),
        "",
        "## Where it runs",
        "",
        "| property | value |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in deployability(plan.shape, with_weights)),
    ]
    return "\n".join(lines) + "\n"


def rows_of(chosen: UnitSelection) -> str:
    """The calibration rows, and what was asked for where that is more; empty where the plan does not say."""
    return describe_rows(chosen.calibration_shape, chosen.calibration_asked) if chosen.calibration_shape else ""


def chosen_by(chosen: UnitSelection) -> list[tuple[str, str]]:
    """(property, value): what chose the units, axis by axis where that differs, and on which data."""
    ways = set(chosen.axes.values())
    rows = [("units chosen by", chosen.method)]
    if len(ways) > 1:
        rows += [(f"  {axis}", how) for axis, how in chosen.axes.items()]
    if chosen.calibration:
        rows.append(("calibration", f"{chosen.calibration}: {rows_of(chosen)}".removesuffix(": ")))
    return rows


def deployability(shape: ChildShape, with_weights: bool = True) -> list[tuple[str, str]]:
    """(property, value): tensor-parallel sizes that divide the widths, alignment, and the backends that load the form.

    Computed from the dimensions and the form of the files; nothing was run.
    """
    rows = [(f"tensor parallel {ways}", _divides(shape, ways)) for ways in PARALLEL]
    for axis, widths in (("hidden", (shape.hidden,)), ("ffn", shape.ffn)):
        odd = sorted({width for width in widths if width % ALIGNMENT})
        rows.append((f"{axis} a multiple of {ALIGNMENT}", f"no: {', '.join(map(str, odd))}" if odd else "yes"))
    if not with_weights:
        rows.append(("loads with", "only `pruned` runs this (no weights of its own)"))
    elif not shape.uniform:
        rows.append(("loads with", "only `pruned` runs this (layers differ in width)"))
    else:
        rows.append(("loads with", "`hf`, `pruned`; any engine that takes this architecture with an explicit head_dim"))
    return rows


def _divides(shape: ChildShape, ways: int) -> str:
    """Query heads, FFN and vocabulary must divide; KV heads too, unless each device gets a copy of one."""
    kv = shape.parent.num_kv_heads
    wrong = [f"heads {heads}" for heads in sorted(set(shape.heads)) if heads % ways]
    wrong += [f"ffn {ffn}" for ffn in sorted(set(shape.ffn)) if ffn % ways]
    wrong += [f"vocabulary {shape.parent.vocab_size}"] if shape.parent.vocab_size % ways else []
    wrong += [f"KV heads {kv}"] if kv % ways and ways % kv else []
    if wrong:
        return f"no: {', '.join(wrong)} not divisible"
    return "yes" if kv % ways == 0 else "yes, with KV heads copied"


def _dimension_table(shape: ChildShape) -> list[str]:
    rows = ["| axis | parent | child |", "| --- | --- | --- |"]
    child = {"hidden": (shape.hidden,), "ffn": shape.ffn, "heads": shape.heads, "layers": (shape.num_layers,)}
    for axis, field in AXES.items():
        values = child[axis] if len(set(child[axis])) > 1 else child[axis][:1]
        rows.append(f"| {axis} | {getattr(shape.parent, field)} | {', '.join(map(str, values))} |")
    return rows


def _quoted(text: str) -> str:
    """A name without line breaks, markup and table bars: names may be hostile."""
    return "".join(c if c.isalnum() or c in " /._-,:()+%=" else "·" for c in text)[:200]
