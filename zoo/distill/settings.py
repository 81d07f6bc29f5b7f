"""What a distillation run is told to do: the loss, the optimizer's steps, where it runs. All of it goes into the run's note."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class LossSettings:
    """What is minimised: Σ over counted tokens, divided by their number in the whole optimizer step."""

    divergence: Literal["forward_kl", "reverse_kl"] = "forward_kl"
    temperature: float = 1.0
    clm: float = 0.0
    """Weight of the cross-entropy of the text itself beside the divergence (whose weight is 1)."""
    states: tuple[tuple[int, int], ...] = ()
    """(teacher layer, student layer) pairs whose normed states are matched by one shared projection, with the dynamic α."""
    embedding: bool = False
    """Match the embedding layer's output too, by the same projection."""
    chunk: int = 1024
    """Tokens whose logits are in memory together."""


@dataclass(frozen=True)
class TrainSettings:
    """The optimizer's steps. Rates are of AdamW; a batch is counted in rows of `length` tokens."""

    steps: int
    batch: int
    """Rows a step over all ranks."""
    length: int
    micro: int = 1
    """Rows a rank computes at once; a step of a rank is several."""
    rate: float = 1e-4
    least_rate: float = 1e-5
    warm_up: int = 40
    schedule: Literal["cosine", "constant"] = "cosine"
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.1
    clip: float = 1.0
    seed: int = 0
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """What is computed in; weights of the optimizer stay in float32 unless `optimizer` says otherwise."""
    optimizer: Literal["adamw", "adamw-8bit"] = "adamw"
    checkpoint_activations: bool = False
    save_every: int = 0
    """Steps between checkpoints; 0: at the end, at each evaluation and on a signal alone."""
    eval_every: int = 0
    keep: int = 2
    """Checkpoints that stay, beside the best by task."""
    parallel: Literal["auto", "none", "ddp", "fsdp"] = "auto"
    """auto: none in one process, fsdp under torchrun."""
    offload: bool = False
    """Weights, gradients and moments wait in the host's memory, by fsdp, with one process too."""
