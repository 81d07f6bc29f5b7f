"""The models of a seed: a teacher drawn at random, its units ranked, the students cut from it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from zoo.distill.stages.teaching import load_model
from zoo.nano.tokenizer import BOS_ID, EOS_ID, VOCABULARY
from zoo.prune.calibration import Calibration
from zoo.prune.importance.aggregate import Aggregation, Function
from zoo.prune.importance.measure import measure
from zoo.prune.importance.settings import ImportanceSettings
from zoo.prune.parent import Parent, open_parent
from zoo.prune.plan import Plan
from zoo.prune.scores import DepthBy, Scores, random_scores
from zoo.prune.selection import plan_from_ranking
from zoo.prune.target import ChildShape, Target, child_shape
from zoo.prune.write.writer import write_child
from zoo.reproduce.arms import Start
from zoo.reproduce.scale import Scale

if TYPE_CHECKING:
    from transformers import PreTrainedModel

AGGREGATIONS: dict[Start, tuple[Function, Function]] = {
    "l2-mean": ("l2", "mean"),
    "mean-mean": ("mean", "mean"),
    "l2-l2": ("l2", "l2"),
    "depth": ("l2", "mean"),
}
"""Functions over the batch and over the sequence; layers are chosen by perplexity, for which they do not matter."""


def drawn(scale: Scale, seed: int, *, child: bool = False) -> PreTrainedModel:
    """A Llama of the teacher's shape, or of the width child's, with weights drawn by `seed`, in fp32."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=scale.child_hidden if child else scale.hidden,
            intermediate_size=scale.child_ffn if child else scale.ffn,
            num_hidden_layers=scale.layers,
            num_attention_heads=scale.heads,
            num_key_value_heads=scale.kv_heads,
            head_dim=scale.head_dim,
            max_position_embeddings=scale.length,
            initializer_range=0.04,
            tie_word_embeddings=True,
            bos_token_id=BOS_ID,
            eos_token_id=EOS_ID,
            pad_token_id=EOS_ID,
        )
    )


def shape_of(scale: Scale, start: Start, parent: Parent) -> ChildShape:
    """What a student is cut to."""
    if start == "depth":
        return child_shape(parent.dims, Target(layers=scale.child_layers))
    return child_shape(parent.dims, Target(hidden=scale.child_hidden, ffn=scale.child_ffn))


def cut(
    scale: Scale, start: Start, teacher: Path, calibration: Calibration, dice: int, work: Path
) -> tuple[PreTrainedModel, Plan]:
    """The teacher of a folder, cut as `start` says, in fp32; `dice` draws the units that are chosen at random.

    `work` takes what is made on the way; it is left empty.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    parent = open_parent(teacher, "teacher")
    plan = plan_of(scale, start, parent, calibration, dice, work)
    write_child(plan, parent, work / "child")
    model = load_model(work / "child", torch.float32)
    shutil.rmtree(work)
    return model, plan


def plan_of(scale: Scale, start: Start, parent: Parent, calibration: Calibration, dice: int, work: Path) -> Plan:
    """Which units stay."""
    shape = shape_of(scale, start, parent)
    by: DepthBy = "ppl" if start == "depth" else "bi"
    scores = _scores(start, parent, shape, calibration, dice, work)
    return plan_from_ranking(parent.identity, shape, scores.ranking(shape, by))


def _scores(start: Start, parent: Parent, shape: ChildShape, calibration: Calibration, dice: int, work: Path) -> Scores:
    if start == "random-units":
        return random_scores(parent.dims, dice)
    blocks = (shape.removed,) if shape.removed else ()
    settings = ImportanceSettings(Aggregation(*AGGREGATIONS[start]), blocks=blocks, perplexity=bool(blocks))
    return measure(parent, calibration, settings, work / "scoring")
