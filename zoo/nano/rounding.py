"""`python -m zoo.nano.rounding FOLDER OUT`: a distilled student as it ships, its weights rounded to bf16.

`minizoo distill` writes what a CPU computed in, float32, which is twice the bytes.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click

from zoo.checkpoint.locate import open_folder
from zoo.errors import OutputExists
from zoo.files import json_object, publish_folder
from zoo.prune.write.folder import write_json

WEIGHTS = "model.safetensors"
TOLD = "\nAfter the training the weights were rounded to bfloat16.\n"


def round_weights(folder: Path, out: Path) -> Path:
    """Write the model of `folder` to `out` with its weights in bf16; returns `out`.

    minizoo.json has the digest of the rounded weights, and as `rounded_from` that of the others; the card says it too. Raises
    OutputExists, and what `open_folder` raises of a folder that is no whole model.
    """
    import torch
    from safetensors.torch import load_file

    from zoo.distill.train.saving.tensor_file import write_tensors

    if out.exists():
        raise OutputExists(f"{out} is already there.", "Give another folder, or remove it first.")
    whole = open_folder(folder)
    partial = out.parent / f".{out.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(folder, partial, ignore=shutil.ignore_patterns(WEIGHTS))
    tensors = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(folder / WEIGHTS).items()}
    write_tensors(partial / WEIGHTS, tensors)
    write_json(partial / "config.json", {**json.loads((folder / "config.json").read_text()), "dtype": "bfloat16"})
    digests = {"weights_digest": open_folder(partial).weights_digest(), "rounded_from": whole.weights_digest()}
    write_json(partial / "minizoo.json", json_object(folder / "minizoo.json") | digests)
    with (partial / "README.md").open("a", encoding="utf-8") as card:
        card.write(TOLD)
    publish_folder(partial, out)
    return out


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def main(folder: Path, out: Path) -> None:
    """Write the distilled model of FOLDER to OUT, its weights rounded to bf16."""
    click.echo(f"{round_weights(folder, out)}")


if __name__ == "__main__":
    main()
