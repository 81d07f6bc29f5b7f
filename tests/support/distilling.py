"""What tests of `minizoo distill` share: text of the nano world, and what a distilled folder holds."""

import itertools
import json

from zoo.checkpoint.safetensors import stored_tensors
from zoo.checkpoint.weight_files import weight_files
from zoo.nano.corpus import documents

TOKENS = 6 * 4 * 64
"""Six steps of four rows of 64 tokens."""


def write_text(file, count=150):
    """Documents of the nano world, a JSON object a line."""
    lines = [json.dumps({"text": one}) + "\n" for one in itertools.islice(documents(3), count)]
    file.write_text("".join(lines))
    return file


def short_run(text, out, student="nano-width-pruned", tokens=TOKENS, overlap="--no-overlap"):
    """The words of a run of six steps."""
    own = ["--student", student, "--teacher", "nano-teacher", "--data", text, "--tokens", tokens, "--batch", 4]
    return ["distill", *own, "--length", 64, "--rate", "2e-3", "--micro", 2, "--out", out, overlap]


def losses(folder):
    """The loss of every step."""
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def weights(folder):
    """Name → shape of every tensor."""
    return {name: tensor.shape for name, tensor in stored_tensors(weight_files(folder).read).items()}
