"""Ablation of importance: held-out loss after cutting by importance, at random, and by reversed importance."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from zoo.prune.calibration import Calibration
from zoo.prune.importance.measure import measure
from zoo.prune.importance.settings import ImportanceSettings
from zoo.prune.parent import Parent
from zoo.prune.plan import Plan
from zoo.prune.scores import DepthBy, Scores, random_scores, reversed_scores
from zoo.prune.selection import plan_from_ranking
from zoo.prune.target import Target, child_shape
from zoo.prune.write.writer import write_child

DRAWS = 5


@dataclass(frozen=True)
class AblationResult:
    """Held-out loss of one cut in nats a token, its units chosen three ways; `random` has a value a seed."""

    cut: str
    parent: float
    importance: float
    random: tuple[float, ...]
    reversed: float


def importance_ablation(
    parent: Parent, cuts: dict[str, tuple[Target, DepthBy]], rows: Calibration, work: Path, settings: ImportanceSettings
) -> list[AblationResult]:
    """Measure importance on the first half of the rows, cut, and take the loss on the second half. Nothing is retrained."""
    half = len(rows.tokens) // 2
    scores = measure(parent, Calibration(rows.name, rows.tokens[:half]), settings, work / "scoring")
    held = torch.from_numpy(np.ascontiguousarray(rows.tokens[half:]))
    whole = held_out_loss(parent.folder, held)

    losses: dict[object, float] = {}  # by units: several selections may agree on them

    def loss(ranked: Scores, target: Target, by: DepthBy) -> float:
        shape = child_shape(parent.dims, target)
        plan = plan_from_ranking(parent.identity, shape, ranked.ranking(shape, by))
        units = plan.hidden, plan.layers
        if units not in losses:
            losses[units] = _loss_after(plan, parent, held, work)
        return losses[units]

    found: list[AblationResult] = []
    for name, (target, by) in cuts.items():
        removed = child_shape(parent.dims, target).removed
        draws = tuple(loss(random_scores(parent.dims, seed, removed), target, "bi") for seed in range(DRAWS))
        found.append(
            AblationResult(name, whole, loss(scores, target, by), draws, loss(reversed_scores(scores), target, by))
        )
    return found


@torch.inference_mode()
def held_out_loss(folder: Path, rows: torch.Tensor) -> float:
    """Mean cross-entropy in nats a token of the checkpoint on [rows, length] ids, in fp32."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, trust_remote_code=False, use_safetensors=True
    )
    return float(model(rows, labels=rows, use_cache=False).loss)


def _loss_after(plan: Plan, parent: Parent, rows: torch.Tensor, work: Path) -> float:
    write_child(plan, parent, work / "child")
    try:
        return held_out_loss(work / "child", rows)
    finally:
        shutil.rmtree(work / "child")
