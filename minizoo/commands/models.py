"""`minizoo models`: what the registry holds."""

from __future__ import annotations

import click

from minizoo.output import Output, json_option


@click.command(short_help="List the models of the registry.")
@click.option("--lineage", is_flag=True, help="Show which model was made from which.")
@click.option("--as", "form", type=click.Choice(["tree", "mermaid", "svg"]), default="tree", help="Form of --lineage.")
@click.option(
    "--lint",
    is_flag=True,
    help="List what eval cannot run and what sources contradict; exit 0 as long as nothing is wrong.",
)
@click.option("--markdown", is_flag=True, help="Print the README's table.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of registry.yaml.")
@json_option
def models(lineage: bool, form: str, lint: bool, markdown: bool, schema: bool, as_json: bool) -> None:
    """List the models of the registry: parameters by closed form, KV cache a token, parent, weights.

    The files that MINIZOO_REGISTRY names (separated as in PATH) are added to the registry that ships with minizoo.
    """
    if sum((lineage, lint, markdown, schema)) > 1:
        raise click.UsageError("Of --lineage, --lint, --markdown and --schema only one at a time.")
    from minizoo.display.models import listing as display

    output = Output(as_json)
    if schema:
        display.show_schema(output)
    elif lineage:
        display.show_lineage(output, form)
    elif lint:
        display.show_lint(output)
    elif markdown:
        display.show_markdown(output)
    else:
        display.show_models(output)
