"""`minizoo models`: what the registry holds."""

from __future__ import annotations

from dataclasses import asdict

import click

from minizoo.output import Column, Output, json_option


@click.command(short_help="List the models of the registry.")
@click.option("--lineage", is_flag=True, help="Show who was made from whom.")
@click.option("--as", "form", type=click.Choice(["tree", "mermaid", "svg"]), default="tree", help="Form of --lineage.")
@click.option(
    "--lint", "doubts", is_flag=True, help="List what sources contradict; exit 0 as long as nothing is wrong."
)
@click.option("--markdown", is_flag=True, help="Print the README's table.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of registry.yaml.")
@json_option
def models(lineage: bool, form: str, doubts: bool, markdown: bool, schema: bool, as_json: bool) -> None:
    """List the models of the registry: parameters by closed form, KV cache a token, parent, weights."""
    if sum((lineage, doubts, markdown, schema)) > 1:
        raise click.UsageError("Of --lineage, --lint, --markdown and --schema only one at a time.")
    out = Output(as_json)
    if schema:
        import json

        from zoo.registry.schema import json_schema

        out.text(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    elif lineage:
        _show_lineage(out, form)
    elif doubts:
        _show_doubts(out)
    elif markdown:
        from zoo.registry.describe import markdown_table
        from zoo.registry.loader import load_registry

        out.text(markdown_table(load_registry()).rstrip("\n"))
    else:
        _show_table(out)


def _show_table(out: Output) -> None:
    from zoo.registry.describe import summary
    from zoo.registry.loader import load_registry

    registry = load_registry()
    rows = [summary(model) for model in registry.models.values()]
    if out.as_json:
        out.document("models", {"registry": str(registry.path), "models": rows})
        return
    columns = [Column("model"), Column("group"), Column("kind"), Column("parameters", number=True),
               Column("KV KiB/token", number=True), Column("parent"), Column("weights")]  # fmt: skip
    out.table(
        columns,
        [
            (
                row["id"],
                row["group"],
                row["kind"],
                f"{row['parameters']:,}",
                f"{row['kv_bytes_per_token'] / 1024:g}",
                row["parent"] or "–",
                row["weights"],
            )
            for row in rows
        ],
    )


def _show_lineage(out: Output, form: str) -> None:
    from zoo.registry import lineage
    from zoo.registry.loader import load_registry

    registry = load_registry()
    if out.as_json:
        edges = [
            {"child": model.id, **model.lineage.model_dump(mode="json")}
            for model in registry.models.values()
            if model.lineage is not None
        ]
        out.document("lineage", {"edges": edges})
    elif form == "tree":
        for tree in lineage.forest(registry):
            for line in [*tree, ""]:
                out.text(line)
    else:
        draw = lineage.as_mermaid if form == "mermaid" else lineage.as_svg
        out.text(draw(registry).rstrip("\n"))


def _show_doubts(out: Output) -> None:
    from zoo.registry.lint import lint
    from zoo.registry.loader import load_registry

    findings = lint(load_registry())
    if out.as_json:
        out.document("lint", {"findings": [asdict(finding) for finding in findings]})
        return
    columns = [Column("rule"), Column("line", number=True), Column("of"), Column("about"), Column("finding")]
    out.table(columns, [(f.rule, str(f.line), f.subject, f.topic, f.text) for f in findings])
    out.text(f"{len(findings)} findings, none of them an error.")
