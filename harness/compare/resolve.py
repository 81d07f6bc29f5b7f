"""A user's word to a side: lm-eval's output, a run, a baseline, a model, or what comes with the checkout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.compare.items import Side
from harness.compare.sides.baseline_side import FILE, PREFIX, baseline_names, baseline_side, reference_side
from harness.compare.sides.lm_eval_side import holds_lm_eval, lm_eval_side
from harness.compare.sides.run_side import model_side, run_side, runs_beginning, shown_names
from harness.imports.drafts import Given
from zoo.errors import NotComparable, NothingRecorded, UnknownModel
from zoo.names import unknown
from zoo.registry.loader import load_registry

BASELINES = Path(FILE)
REFERENCE = Path(__file__).parents[2] / "reports" / "published" / "reference"
"""Records of the nano family that come with the checkout; an installed package has none."""


def resolve_side(
    word: str,
    results: Path,
    baselines_file: Path | None = None,
    reference: Path | None = REFERENCE,
    given: Callable[[], Given] = Given,
) -> Side:
    """The results that a word means, in this order: a file or folder of lm-eval's output; a run by its id or the beginning of
    one; `baseline:NAME`; a model by any of its names, its newest result of each task; a name in `baselines_file`; the records
    that come with the checkout.

    `given`: what lm-eval itself knows of its files, made only where it is needed. Raises UnknownModel for a word that is none
    of them, NothingRecorded for a known model or a folder without results, NotComparable for a word that means several, and
    what reading them raises.
    """
    path = Path(word).expanduser()
    if holds_lm_eval(path):
        return lm_eval_side(word, path, given())
    file = baselines_file or BASELINES
    if word.startswith(PREFIX):
        return baseline_side(word, word.removeprefix(PREFIX), file)
    runs = runs_beginning(results, word)
    if len(runs) == 1:
        return run_side(word, results, runs[0])
    if runs:
        raise NotComparable(f"{word} is the beginning of {len(runs)} runs: {', '.join(runs[:4])}.", "Give more of it.")
    names = baseline_names(file)
    if (side := model_side(word, results)) is not None:
        return _beside_baseline(side, word, names)
    if word in names:
        return baseline_side(word, word, file)
    if (side := reference_side(word, reference)) is not None:
        told = f"There is no result of {word} in {results}: the record of reference that comes with minizoo is compared"
        return replace(side, notes=(*side.notes, told))
    raise _nothing(word, path, results, names)


def refuse_same(a: Side, b: Side) -> None:
    """NotComparable where both sides are the same results."""
    same_runs = bool(a.run_ids) and set(a.run_ids) == set(b.run_ids)
    same_files = a.kind == b.kind == "lm-eval" and Path(a.word).resolve() == Path(b.word).resolve()
    if same_runs or same_files:
        raise NotComparable(
            f"{a.word} and {b.word} are the same results ({a.where}), which differ in nothing.",
            "Name two runs by their ids: `minizoo db path` finds the database, its view `runs` lists them.",
        )


def _beside_baseline(side: Side, word: str, names: list[str]) -> Side:
    if word not in names:
        return side
    told = f"{word} is also a baseline: the results folder's own are taken; `{PREFIX}{word}` is the baseline"
    return replace(side, notes=(*side.notes, told))


def _nothing(word: str, path: Path, results: Path, names: list[str]) -> Exception:
    """Why there is no side of that word, and what to run."""
    model = load_registry().find(word)
    if model is not None:
        return NothingRecorded(
            f"There is no result of {model.id} in {results}.", f"Run `minizoo eval {model.id}` first."
        )
    if path.is_dir():
        return NothingRecorded(
            f"{path} holds no results of lm-eval (results_….json), and {results} has none of a model in it.",
            f"Run `minizoo eval {word}` first, or give the folder of lm-eval's --output_path.",
        )
    known = [*load_registry().names(), *shown_names(results), *names]
    listing = "A side is a model, a run's id, a baseline, or a folder of lm-eval's output; `minizoo models` lists the registry."
    return unknown(UnknownModel, "model, run, baseline or folder", word, known, listing)
