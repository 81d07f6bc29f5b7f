"""`python -m zoo.reproduce`: one seed of an experiment, in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from zoo.reproduce.record import STOPPED
from zoo.reproduce.scale import SCALES


@click.command()
@click.argument("seed", type=click.IntRange(min=0))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--scale", type=click.Choice(list(SCALES)), default="nano", show_default=True)
def main(seed: int, folder: Path, scale: str) -> None:
    """Compute what is missing of SEED in FOLDER, on one thread; each arm that is done is named on stdout."""
    import torch

    from zoo.errors import MinizooError
    from zoo.reproduce.seed import StoppedBySignal, run_seed

    torch.set_num_threads(1)
    try:
        run_seed(seed, SCALES[scale], folder, click.echo)
    except (StoppedBySignal, KeyboardInterrupt):
        sys.exit(STOPPED)
    except MinizooError as error:
        click.echo(f"{error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
