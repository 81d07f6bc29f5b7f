"""`python -m zoo.nano`: trains the nano teacher."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/nano-teacher"), show_default=True)
@click.option("--steps", type=click.IntRange(min=1), help="Optimizer steps; the recipe's own number if left out.")
@click.option("--seed", type=int, help="Seed of the text, the tokenizer and the weights; the recipe's own if left out.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; the bytes of the weights depend on it.")
def main(out: Path, **changes: int | None) -> None:
    """Trains the nano teacher from scratch and writes the checkpoint to OUT; progress goes to stderr."""
    from zoo.nano.training import Recipe, train

    recipe = dataclasses.replace(Recipe(), **{k: v for k, v in changes.items() if v is not None})
    click.echo(json.dumps(train(recipe, out), indent=2))


main()
