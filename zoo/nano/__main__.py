"""`python -m zoo.nano`: train the nano teacher."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/nano-teacher"), show_default=True)
@click.option(
    "--steps", type=click.IntRange(min=1), help="Optimizer steps of each stage; the recipe's own if left out."
)
@click.option(
    "--seed", type=int, help="Seed of the text, the tokenizer and the weights; the second stage's is two more."
)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; the bytes of the weights depend on it.")
def main(out: Path, steps: int | None, seed: int | None, threads: int | None) -> None:
    """Train the nano teacher from scratch and write the checkpoint to OUT; progress goes to stderr."""
    from zoo.nano.training import TrainingRecipe, train

    recipe = TrainingRecipe()
    later = 0 if seed is None else seed - recipe.stages[0].seed
    stages = (replace(each, steps=steps or each.steps, seed=each.seed + later) for each in recipe.stages)
    recipe = replace(recipe, stages=tuple(stages), threads=threads or recipe.threads)
    click.echo(json.dumps(train(recipe, out), indent=2))


if __name__ == "__main__":
    main()
