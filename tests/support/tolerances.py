"""How far apart two right computations of one figure may lie, and why. Every numeric tolerance of the suite is of a kind below.

Figures of fp64 arithmetic (estimates, ratios, prices): `pytest.approx` as it is, 1e-6 relative, against 1e-16 a step; where a
test gives `abs=`, the value compared may be 0. Figures read off a table carry half a unit of the last printed digit.
Simulations have a fixed seed, and a relative tolerance several times 1/√(2 × repetitions), the standard error of a spread.

What a model computes in fp32 depends on the processor: MKL, oneDNN and OpenBLAS add the products of a matrix product in
orders of their own, as do one thread and many. `assert_logprobs` and `assert_fp32` hold for all of them. They are far
below what a fault costs: a lost token changes a log-likelihood by 1e-2 to 10 nats, unless the model was all but certain of it,
a wrong offset by many tokens' worth, a lost window by hundreds, a product in bf16 or TF32 each token's by 1e-3 to 1e-1
(tests/backends/hf/test_tolerances.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

UNIT = 2.0**-24
"""Unit roundoff of fp32: the relative error of one rounded operation."""
TOKEN = 1e-4
"""|Δ log p| of one token between two fp32 computations of a test's model. A logit z takes about ten roundings a layer in sums
of `hidden` terms; independent ones add up to √(10 × layers × hidden) × UNIT × |z|: 7e-5 for stories260k (5 × 64) at |z| = 20.
Over 185,684 tokens of wikitext the largest was 7.1e-5 and the root mean square 3.9e-6, whatever the kernels.
"""
FEW = 10
"""Tokens whose sum still keeps within TOKEN. Errors of tokens are close to independent, so that of a sum grows as √tokens:
TOKEN × √(tokens / FEW) is eight root mean squares (at 15,474 tokens 3.9e-3; the largest seen was 1.6e-3).
"""

SEEN: dict[str, float] = {}
"""Largest difference that each kind of assertion let pass in this process, and its largest share of what is allowed;
`benchmarks/processors.py` prints them.
"""


def logprob_tolerance(tokens: Any) -> Any:
    """Allowed |Δ| of sums of `tokens` fp32 log-probabilities (a number, or one for each sum), each side summed in fp64."""
    return TOKEN * np.sqrt(np.maximum(1, np.asarray(tokens) / FEW))


def assert_logprobs(found: Any, expected: Any, tokens: Any = 1) -> None:
    """Equal sums of `tokens` log-probabilities, but for fp32 rounding; numbers or sequences of one length."""
    _assert_within("logprobs", found, expected, logprob_tolerance(tokens))


def assert_fp32(found: Any, expected: Any, terms: int) -> None:
    """Equal results of fp32 arithmetic in which each number is a sum of about `terms` products along the way.

    Allowed are 4 × √terms × UNIT of the largest magnitude: the sum of independent roundings, four times over.
    """
    wanted = _doubles(expected)
    _assert_within("fp32", found, wanted, 4 * np.sqrt(terms) * UNIT * np.abs(wanted).max(initial=0))


def _assert_within(kind: str, found: Any, expected: Any, allowed: Any) -> None:
    ours, theirs = _doubles(found), _doubles(expected)
    assert ours.shape == theirs.shape
    if not ours.size:
        return
    apart = np.abs(ours - theirs)
    share = apart / np.maximum(allowed, np.finfo(float).tiny)
    worst = np.unravel_index(int(share.argmax()), share.shape)
    assert share.max() <= 1, (
        f"{ours[worst]!r} against {theirs[worst]!r} at {worst}, {share.max():.3g} × what is allowed"
    )
    for name, value in ((kind, apart.max()), (f"{kind}, share of what is allowed", share.max())):
        SEEN[name] = max(SEEN.get(name, 0.0), float(value))


def _doubles(values: Any) -> Any:
    return np.asarray(values.detach() if hasattr(values, "detach") else values, np.float64)
