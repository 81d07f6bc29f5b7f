"""`python -m zoo.nano.students`: plan how the nano teacher is cut to its width- and its depth-pruned student.

The edges are those of Llama-3.1-Minitron-4B in small: about half of the parameters stay, once by width with all query
heads kept, once by removing one contiguous block of half of the layers. Nothing is retrained, and no weight is copied: a
student is a plan on the teacher, which it names by its place beside it.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from zoo.nano import corpus
from zoo.prune.calibration import Calibration, CalibrationText, Sampling, read_calibration
from zoo.prune.importance.aggregate import Aggregation
from zoo.prune.parent import Parent, open_parent
from zoo.prune.plan import Plan
from zoo.prune.scores import DepthBy
from zoo.prune.selection import plan_from_ranking
from zoo.prune.target import Target, child_shape
from zoo.prune.write.folder import write_json
from zoo.prune.write.writer import write_virtual

WEIGHTS = Path(__file__).parent / "weights"
TEACHER = "nano-teacher"
DOCUMENTS = 4000
"""Training documents that the calibration rows are drawn from."""
SAMPLING = Sampling(samples=256, length=256, seed=0)
SEED = 2
"""Seed of those documents; the teacher's own text has 1 and 3."""


@dataclass(frozen=True)
class Student:
    """One pruned student: its name, its target, and the measure that its layers are chosen by."""

    name: str
    target: Target
    depth_by: DepthBy = "bi"


STUDENTS = (
    Student("nano-width-pruned", Target(hidden=96, ffn=208)),
    Student("nano-depth-pruned", Target(layers=3), depth_by="ppl"),
)


def make_students(teacher: Path, out: Path) -> list[Path]:
    """Measure the teacher's importance once and write both plans into `out`, each atomically; returns their folders."""
    from zoo.prune.importance.measure import measure
    from zoo.prune.importance.settings import ImportanceSettings

    parent = open_parent(teacher, TEACHER)
    shapes = {student.name: child_shape(parent.dims, student.target) for student in STUDENTS}
    blocks = tuple(sorted({1, *(shape.removed for shape in shapes.values())} - {0}))
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".students-", dir=out) as scratch:
        rows = calibration(parent, Path(scratch))
        settings = ImportanceSettings(aggregation=Aggregation(), blocks=blocks, perplexity=True)
        scores = measure(parent, rows, settings, Path(scratch) / "scoring")
        for student in STUDENTS:
            shape = shapes[student.name]
            plan = plan_from_ranking(parent.identity, shape, scores.ranking(shape, student.depth_by))
            made = write_plan(plan, parent, Path(scratch) / student.name, out / student.name)
            shutil.rmtree(out / student.name, ignore_errors=True)
            made.rename(out / student.name)
    return [out / student.name for student in STUDENTS]


def write_plan(plan: Plan, parent: Parent, folder: Path, place: Path) -> Path:
    """Write the plan to `folder`, with the parent named as it is found from `place`, where the plan will stand."""
    note = write_virtual(plan, parent, folder)
    found = os.path.relpath(parent.folder.resolve(), place.resolve())
    write_json(folder / "minizoo.json", note | {"parent_folder": found})
    return folder


def calibration(parent: Parent, scratch: Path) -> Calibration:
    """Rows of the training text (never of test items), each document followed by EOS."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(parent.folder, local_files_only=True, trust_remote_code=False)
    text = scratch / f"nano-corpus-seed-{SEED}.jsonl"
    documents = itertools.islice(corpus.documents(SEED), DOCUMENTS)
    text.write_text("".join(json.dumps({"text": document}) + "\n" for document in documents))
    encode = lambda texts: tokenizer(list(texts), add_special_tokens=False)["input_ids"]  # noqa: E731
    source = CalibrationText(text, encode, tokenizer.bos_token_id, tokenizer.eos_token_id)
    return read_calibration(source, parent.dims.vocab_size, SAMPLING)


@click.command()
@click.option("--teacher", type=click.Path(path_type=Path), default=WEIGHTS / TEACHER, help="Checkpoint to cut.")
@click.option("--out", type=click.Path(path_type=Path), default=WEIGHTS, help="Folder that takes both students.")
def main(teacher: Path, out: Path) -> None:
    """Cut the nano teacher to both pruned students; the shipped ones if nothing else is said."""
    for folder in make_students(teacher, out):
        click.echo(f"{folder}")


if __name__ == "__main__":
    main()
