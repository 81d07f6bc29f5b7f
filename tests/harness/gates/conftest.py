"""A gate over two models, `old` and `new`, in memory."""

from datetime import date

import pytest
from support.gated import policy, side, task

from harness.gates.gate import gate_pairs

TODAY = date(2026, 11, 30)


@pytest.fixture
def verdict():
    """The one verdict of two lists of values under one entry; what is said of either side in `a` and `b`, of both in `both`."""

    def call(old, new, entry=None, a=None, b=None, **both):
        pair = side("old", task("old", old, **both | (a or {}))), side("new", task("new", new, **both | (b or {})))
        (one,) = gate_pairs(policy(entry or {}), [pair], today=TODAY).verdicts
        return one

    return call
