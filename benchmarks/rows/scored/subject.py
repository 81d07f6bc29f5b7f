"""What is scored and with whose tokenizer: nothing is fetched, and a model without weights needs none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backends.random.config import random_checkpoint
from backends.tokenizer import HfTokenizer
from benchmarks.shapes import with_tokenizer
from harness.lmeval.vocabulary import rows_of
from harness.records.provenance import drawn_subject, subject_of
from harness.records.record import Subject
from zoo.checkpoint.hub.cache import CachedRepository
from zoo.checkpoint.locate import Checkpoint, locate
from zoo.checkpoint.model_ref import resolve
from zoo.checkpoint.small_files import tokenizer_files
from zoo.errors import FileMissing, TokenizerUnreadable, TokenOutsideVocabulary, WrongBackend

Weights = Literal["real", "random"]
SHIPPED = "nano-teacher"
"""The shipped model whose tokenizer cuts any text."""


@dataclass(frozen=True)
class Scored:
    """A model to score, and how an engine opens it."""

    checkpoint: Checkpoint
    subject: Subject
    weights: Weights
    word: str
    """What an engine is given: a folder with weights; for random ones the user's word."""


@dataclass(frozen=True)
class ItsTokenizer:
    """The tokenizer that makes the requests."""

    folder: Path
    words: str
    """Whose it is, as the record says."""


def find_model(word: str, weights: Weights, seed: int) -> Scored:
    """The model with real weights, which are here already, or its dimensions alone.

    Raises what `resolve`, `locate` and `random_checkpoint` raise, and WrongBackend for a folder that only the pruned backend
    runs: lm-eval has no model of it to stand beside.
    """
    ref = resolve(word)
    if weights == "random":
        return Scored(random_checkpoint(ref), drawn_subject(ref, seed), weights, word)
    checkpoint = locate(ref)
    if checkpoint.only_pruned:
        raise WrongBackend(
            f"lm-eval's own model cannot run {checkpoint.name}: {checkpoint.only_pruned}.", "Take a uniform checkpoint."
        )
    return Scored(checkpoint, subject_of(checkpoint), weights, str(checkpoint.folder))


def find_tokenizer(given: Path | None, model: Scored, scratch: Path) -> ItsTokenizer:
    """The tokenizer given, else the model's own where it is here, else that of the shipped family.

    Raises FileMissing for what is no folder, TokenizerUnreadable for one that has none that can be read, and
    TokenOutsideVocabulary where it has more ids than the model's embedding has rows.
    """
    if given is not None:
        if not given.is_dir():
            raise FileMissing(f"{given} is not a folder.", "Give the folder that holds tokenizer.json.")
        folder = given if (given / "tokenizer_config.json").exists() else _completed(given, scratch)
        read = HfTokenizer(folder)
        found = ItsTokenizer(folder.resolve(), f"another's: {given.resolve().name}, {read.vocab_size:,} tokens")
    else:
        own = _own(model)
        read = _readable(own) if own else None
        found = ItsTokenizer(own, "the model's own") if own and read else _shipped()
        read = read or HfTokenizer(found.folder)
    rows = rows_of(model.checkpoint.config)
    if rows is not None and read.vocab_size > rows:
        raise TokenOutsideVocabulary(
            f"The tokenizer ({found.words}) has {read.vocab_size:,} token ids, and the embedding of {model.checkpoint.name} "
            f"{rows:,} rows.",
            "Give one that fits: --tokenizer DIR.",
        )
    return found


def _own(model: Scored) -> Path | None:
    """The folder of the model's own tokenizer: beside its weights, or in the hub's cache; None where it is not here."""
    ref = model.checkpoint.ref
    folder = model.checkpoint.folder if model.weights == "real" else ref.folder
    if folder is None and ref.entry is not None and ref.entry.hub is not None:
        repository = CachedRepository(ref.entry.hub.id)
        commit = repository.commit(ref.entry.hub.revision)
        folder = repository.snapshot(commit) if commit else None
    return folder if folder is not None and tokenizer_files(folder) else None


def _readable(folder: Path) -> HfTokenizer | None:
    """The tokenizer of a folder; None where not all of it is there."""
    try:
        return HfTokenizer(folder)
    except TokenizerUnreadable:
        return None


def _shipped() -> ItsTokenizer:
    folder = resolve(SHIPPED).folder
    assert folder is not None
    return ItsTokenizer(folder, f"another's: {SHIPPED}, which ships with minizoo")


def _completed(given: Path, scratch: Path) -> Path:
    """A copy with the settings that transformers wants beside tokenizer.json."""
    if not (given / "tokenizer.json").is_file():
        raise TokenizerUnreadable(f"{given} has no tokenizer.json.", "Give the folder of a tokenizer.")
    folder = scratch / given.resolve().name
    folder.mkdir(parents=True)
    return with_tokenizer(folder, given)
