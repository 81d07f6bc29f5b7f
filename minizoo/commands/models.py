"""`minizoo models`: what the registry holds."""

from __future__ import annotations

import click

from minizoo.output import Column, Output, json_option


@click.command(short_help="List the models of the registry.")
@json_option
def models(as_json: bool) -> None:
    """List the models of the registry: parameters by closed form, KV cache a token, lineage."""
    from zoo.describe import summary
    from zoo.registry import load_registry

    registry = load_registry()
    rows = [summary(model) for model in registry.models.values()]
    out = Output(as_json)
    if as_json:
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
                "shipped" if row["shipped"] else row["hub"] or "not public",
            )
            for row in rows
        ],
    )
