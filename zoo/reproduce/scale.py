"""How large an experiment is: shapes, tokens and rates. They are the same for every seed, and go into every seed's record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

ANALYSIS = 1
"""Goes up with whatever changes what an arm computes; seeds of another number are not mixed with these."""


@dataclass(frozen=True)
class Rates:
    """Peak learning rates by what is trained, set before any seed that a finding counts.

    On pilot seeds (901 and 902, 50,000 tokens a student) these did best: for `pruned` of 2, 4 and 8e-3, for `scratch` of
    5e-3, 1e-2 and 2e-2, for `correction` of 1, 3 and 6e-3."""

    pruned: float
    """AdamW's, of weights that were cut from the teacher's, whatever the loss."""
    scratch: float
    """AdamW's, of a child whose weights were drawn."""
    correction: float
    """AdamW's, of the teacher on other text."""
    muon_matrices: float
    """Muon's, of the teacher and of a child from scratch by the teacher's recipe."""
    muon_others: float
    """AdamW's beside it, of embeddings and norms."""
    least_share: float = 0.02
    """The cosine of AdamW's rates falls to this share of the peak; Muon's are those of the nano teacher's recipe."""


@dataclass(frozen=True)
class Scale:
    """One experiment. Lengths, batches and budgets are in tokens, but `batch` in rows of `length` tokens.

    The child by width has `child_hidden` channels and `child_ffn` neurons a layer, all heads and layers; the child by depth
    `child_layers` layers. Of NANO both have as many parameters, to a percent.
    """

    name: str
    layers: int
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    head_dim: int
    child_hidden: int
    child_ffn: int
    child_layers: int
    length: int
    batch: int
    teacher_tokens: int
    tokens: int
    """Of every student, unless its arm takes a multiple."""
    correction_tokens: int
    rates: Rates
    warm_up: int
    """Steps, at most a fifth of a run's."""
    calibration_rows: int
    held_out: int
    """Documents on which each model's loss is measured."""

    def steps(self, tokens: float) -> int:
        """Steps of a training of about so many tokens."""
        return max(1, round(tokens / (self.batch * self.length)))

    @property
    def digest(self) -> str:
        """Sixteen digits that tell this experiment from any other."""
        told = json.dumps([ANALYSIS, asdict(self)], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]


NANO = Scale(
    name="nano",
    layers=4, hidden=96, ffn=256, heads=4, kv_heads=2, head_dim=16,
    child_hidden=72, child_ffn=170, child_layers=2,
    length=128, batch=8,
    teacher_tokens=1_500_000, tokens=50_000, correction_tokens=50_000,
    rates=Rates(pruned=4e-3, scratch=1e-2, correction=1e-3, muon_matrices=0.02, muon_others=1e-2),
    warm_up=20, calibration_rows=256, held_out=400,
)  # fmt: skip
"""Two cores, an hour, ten seeds. A student reads a thirtieth of what its teacher read; the paper's a fortieth and less. The
children are the cuts of Llama-3.1-Minitron-4B: three quarters of the channels and two thirds of the neurons by width, half of
the layers by depth."""
SMOKE = replace(
    NANO,
    name="smoke",
    layers=2, child_layers=1, hidden=32, ffn=64, child_hidden=24, child_ffn=44,
    length=32, batch=4, teacher_tokens=1280, tokens=256, correction_tokens=256, calibration_rows=8, held_out=12,
)  # fmt: skip
"""Every arm in seconds: it shows that the whole way can be gone, and can resolve nothing."""
SCALES: Mapping[str, Scale] = {scale.name: scale for scale in (NANO, SMOKE)}
