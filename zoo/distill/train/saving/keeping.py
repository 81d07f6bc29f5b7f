"""Which checkpoints stay, and whether the disk has room for the next."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo.distill.train.saving.checkpoint import TRAINING
from zoo.errors import DiskFull

MARGIN = 64 << 20
"""Bytes that must be free beyond a checkpoint's tensors, for small files and the file system."""


def tidy(home: Path, keep: int, best: Path | None) -> None:
    """Remove all checkpoints but the newest `keep` and the best, and what killed runs left unfinished.

    A best one that is older keeps its weights and loses `training/`: nobody goes on from there.
    """
    for left in [*home.glob(".step-*"), *home.glob(".gone-*")]:
        shutil.rmtree(left, ignore_errors=True)
    checkpoints = sorted(home.glob("step-*"), reverse=True)
    for folder in checkpoints[max(1, keep) :]:
        if folder != best:
            _remove(folder, home / f".gone-{folder.name}")
        elif (folder / TRAINING).is_dir():
            _remove(folder / TRAINING, home / f".gone-{folder.name}-{TRAINING}")


def check_room(home: Path, needed: int, saved: Path | None) -> None:
    """Raise DiskFull where the next checkpoint would not fit; `saved` is the one that is there."""
    free = shutil.disk_usage(home).free
    if free < needed + MARGIN:
        told = f" All steps so far are in {saved}." if saved else ""
        raise DiskFull(
            f"The next checkpoint takes {needed:,} bytes, and the disk of {home} has {free:,} free.{told}",
            "Free some space, or keep fewer checkpoints; the same command goes on.",
        )


def _remove(folder: Path, aside: Path) -> None:
    folder.rename(aside)  # at once, so that a kill in between leaves no half of a checkpoint
    shutil.rmtree(aside, ignore_errors=True)
