"""From a parent to its candidates: importance measured once, a plan for every shape, and the cut checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.distill.data.order import Group, Order
from zoo.distill.data.rows import TokenRows
from zoo.prune.calibration import Calibration
from zoo.prune.parent import Parent
from zoo.prune.plan import Plan
from zoo.prune.progress import ProgressCallback
from zoo.prune.scores import Scores, load_scores, save_scores
from zoo.prune.selection import plan_from_ranking
from zoo.prune.target import child_shape
from zoo.prune.write.writer import write_child
from zoo.search.settings import DepthBy
from zoo.search.space import Shape


@dataclass(frozen=True)
class Importance:
    """How importance is measured: so many rows of the training text, of the seed, and by what layers are chosen."""

    rows: int
    seed: int
    depth_by: DepthBy = "bi"
    device: str = "auto"
    dtype: str = "auto"


def importance(
    parent: Parent,
    rows: TokenRows,
    removed: Sequence[int],
    how: Importance,
    file: Path,
    progress: ProgressCallback | None,
) -> Scores:
    """The parent's scores by one measurement for all shapes that remove these numbers of layers; kept in the file.

    Raises what `zoo.prune.importance.measure` raises; one that is interrupted goes on with the same call.
    """
    from zoo.prune.importance.devices import dtype_for, find_devices
    from zoo.prune.importance.measure import measure
    from zoo.prune.importance.settings import Computing, ImportanceSettings

    if file.is_file():
        return load_scores(file)
    devices = find_devices(how.device)
    blocks = tuple(sorted({1, *removed} - {0}))
    settings = ImportanceSettings(blocks=blocks, perplexity=how.depth_by == "ppl")
    work = file.with_suffix(".work")
    computing = Computing(devices, dtype_for(how.dtype, devices, parent))
    scores = measure(parent, calibration(rows, how), settings, work, progress, computing)
    save_scores(file, scores)
    shutil.rmtree(work, ignore_errors=True)
    return scores


def calibration(rows: TokenRows, how: Importance) -> Calibration:
    """Rows of the training text, drawn by the seed, in the order of the text."""
    count = min(how.rows, len(rows))
    drawn = np.sort(Order((Group(len(rows)),), how.seed).rows_at(0, count))
    ids = rows.batch(drawn.tolist()).ids.numpy()
    return Calibration(f"training rows by seed {how.seed}", np.ascontiguousarray(ids), (how.rows, rows.length))


def plan_of(parent: Parent, shape: Shape, scores: Scores, depth_by: DepthBy) -> Plan:
    """The plan by which a parent is cut to a shape: of each width the most important units, of depth the block that costs
    least."""
    child = child_shape(parent.dims, shape.target)
    return plan_from_ranking(parent.identity, child, scores.ranking(child, depth_by))


def cut(plan: Plan, parent: Parent, folder: Path) -> Path:
    """The checkpoint that a plan describes, written once; returns its folder."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_child(plan, parent, folder)
    return folder
