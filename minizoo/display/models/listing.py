"""What `minizoo models` shows: the list of models, their lineage, the linter's findings, the README's table."""

from __future__ import annotations

import json
from dataclasses import asdict

from minizoo.output import Column, Output
from zoo.registry import lineage
from zoo.registry.describe import markdown_table, summary
from zoo.registry.lint import lint
from zoo.registry.loader import load_registry
from zoo.registry.schema import GROUPS, json_schema


def show_models(output: Output) -> None:
    """A row a model, and what the groups are."""
    registry = load_registry()
    rows = [summary(model) for model in registry.models.values()]
    if output.as_json:
        path, *added = map(str, registry.paths)
        output.document("models", {"registry": path, "added": added, "models": rows})
        return
    columns = [Column("model"), Column("group"), Column("kind", importance=2), Column("parameters", True, 3),
               Column("stored GB", True), Column("KV KiB/token", True), Column("parent", importance=2),
               Column("weights")]  # fmt: skip
    cells = [
        (row["id"], row["group"], row["kind"], f"{row['parameters']:,}", _gigabytes(row["stored_bytes"]),
         f"{row['kv_bytes_per_token'] / 1024:g}", row["parent"] or "–", row["weights"])
        for row in rows
    ]  # fmt: skip
    output.table(columns, cells)
    output.text()
    for group in dict.fromkeys(row["group"] for row in rows):
        output.text(f"{group}: {GROUPS[group]}.")


def _gigabytes(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 1e9:.3g}"


def show_lineage(output: Output, form: str) -> None:
    """Which model was made from which, as a `tree`, a `mermaid` graph or an `svg` picture."""
    registry = load_registry()
    if output.as_json:
        edges = [
            {"child": model.id, **model.lineage.model_dump(mode="json")}
            for model in registry.models.values()
            if model.lineage is not None
        ]
        output.document("lineage", {"edges": edges})
    elif form == "tree":
        for tree in lineage.forest(registry):
            for line in [*tree, ""]:
                output.text(line)
    elif form == "mermaid":
        output.text(lineage.as_mermaid(registry).rstrip("\n"))
    else:
        from reports.charts.lineage import lineage_svg

        output.text(lineage_svg(lineage.lineage_rows(registry)).rstrip("\n"))


def show_lint(output: Output) -> None:
    """A row a finding."""
    findings = lint(load_registry())
    if output.as_json:
        output.document("lint", {"findings": [asdict(finding) for finding in findings]})
        return
    columns = [
        Column("rule"),
        Column("place", importance=2),
        Column("entry"),
        Column("topic"),
        Column("finding", importance=3),
    ]
    output.table(columns, [(f.rule, f"{f.file}:{f.line}", f.subject, f.topic, f.text) for f in findings])
    output.text(f"{len(findings)} findings, none of them an error.")


def show_markdown(output: Output) -> None:
    """The README's table of models."""
    output.text(markdown_table(load_registry()).rstrip("\n"))


def show_schema(output: Output) -> None:
    """The JSON Schema of registry.yaml."""
    output.text(json.dumps(json_schema(), indent=2, ensure_ascii=False))
