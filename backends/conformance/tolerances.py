"""How far a backend may lie from an fp32 forward pass, by what its layers multiply in.

A token's log p is a sum of roundings. In fp32 a logit takes about ten a layer in sums of `hidden` terms; independent ones
add up to √(10 × layers × hidden) × 2⁻²⁴ × |logit|. Of a token eight times that at |logit| = 30 is allowed, never less than
FP32 nor more than MOST, and of the mean a fifth of half as much: nano's largest is 3e-5 over 737 tokens, an engine's 2.5e-4
over 23,973. Of SmolLM2-135M one of 636 tokens by vLLM on a CPU lies 4.1e-3 from transformers (5.9e-3 allowed), and all of
them 1.7e-5 on average (5.9e-4 allowed). A lost or shifted token costs 1e-2 to 10.
In half precision every activation is rounded, and one token says little: transformers' own bf16 lies up to 0.57 from
fp32 on nano over drawn tokens (mean 0.08; 0.02 to 0.04 on text), over 24,000 tokens up to 0.9. The mean is what tells a fault
there: a misread row costs whole nats on every token. fp16 and TF32 have three bits more than bf16, fp8 four fewer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.arch.config_keys import ConfigView

FP32 = 1e-3
"""|Δ log p| of a token that is allowed in fp32 whatever the model's size."""
MOST = 1e-2
"""The most: from there on a token may be another."""
LARGEST_LOGIT = 30.0


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What is allowed, in nats."""

    name: str
    token: float
    """Largest |Δ log p| of a token."""
    mean: float
    """Mean |Δ log p| over many tokens."""
    nll: float
    """Mean Δ log p with its sign: rounding pulls both ways, a fault one way."""
    draws: float
    """Share of first drawn tokens that must be the same alone and in a batch: a probability that moves by rounding moves the
    border between two tokens."""

    def of_sum(self, tokens: int) -> float:
        """Largest |Δ| of a sum over so many tokens: roundings of tokens are close to independent."""
        return self.token * math.sqrt(max(1, tokens))

    @property
    def tie(self) -> float:
        """Largest margin between two tokens of which either may come first: both are rounded."""
        return 2 * self.token


HALF = Tolerance("bfloat16", 2.0, 0.25, 0.1, 0.5)
TABLE: Mapping[str, Tolerance] = {
    "bfloat16": HALF,
    "float16": Tolerance("float16", 0.3, 0.04, 0.015, 0.5),
    "tfloat32": Tolerance("tfloat32", 0.3, 0.04, 0.015, 0.5),
}
COARSEST = Tolerance("coarser than bfloat16", 6.0, 0.8, 0.4, 0.25)
"""For fp8, int8, int4 and whatever is not in the table."""


def tolerance(dtype: str, config: Mapping[str, Any]) -> Tolerance:
    """What is allowed where layers multiply in `dtype`, for a model of that config.json."""
    if dtype != "float32":
        return TABLE.get(dtype, COARSEST)
    view = ConfigView(config)
    layers, hidden = view.value("num_layers"), view.value("hidden_size")
    terms = 10 * layers * hidden if isinstance(layers, int) and isinstance(hidden, int) else 0
    rounding = math.sqrt(terms) * 2.0**-24 * LARGEST_LOGIT
    mean = max(FP32, 4 * rounding) / 5
    return Tolerance("float32", min(max(FP32, 8 * rounding), MOST), mean, mean / 2, 1.0)
