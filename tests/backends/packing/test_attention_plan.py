"""The indices of a row's attention: those of the worked picture, and for any tree each query sees its ancestors alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.packing import attention_plan, prefix_tree
from backends.packing.attention_plan import plan_attention
from backends.packing.prefix_tree import PrefixTree

A, B, C, D, E, F, G = range(7)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(prefix_tree, "WORTH_SHARING", 1)
    monkeypatch.setattr(attention_plan, "KEYS", 1)
    monkeypatch.setitem(attention_plan.QUERY_BLOCK, "cpu", 3)


def test_the_worked_picture_is_what_is_planned(small):
    tree = PrefixTree([(A, B, C, D, E), (A, B, C, F), (A, B, G)], [(0,)] * 3)
    plan = plan_attention(tree.row(2, 7), "cpu")
    assert plan.order.tolist() == [-1, -1, 0, 1, 2, 3, 4]
    assert plan.ends.tolist() == [5, 5, 4, 3, 3, 4, 5]
    assert [(block.start, block.stop, block.keys.tolist()) for block in plan.blocks] == [
        (0, 3, [A, B, C, D, E]),
        (3, 5, [A, B, C, F, G]),
    ]


def test_a_long_chain_is_plain_causal_attention_after_its_ancestors(small, monkeypatch):
    monkeypatch.setitem(attention_plan.CHAIN, "cpu", 4)
    tree = PrefixTree([(A, B, C, D, E, F)], [(0,)])
    (block,) = plan_attention(tree.row(1, 6), "cpu").blocks
    assert (block.start, block.stop, block.causal_after) == (0, 5, 1)
    assert block.chain_length == 6


sequences = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=30), min_size=1, max_size=10)


@given(sequences, st.integers(1, 40), st.integers(1, 9), st.integers(2, 12), st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_each_query_sees_its_ancestors_and_itself_in_one_block(made, budget, block, chain, keys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefix_tree, "WORTH_SHARING", 1)
        patch.setattr(attention_plan, "KEYS", keys)
        patch.setitem(attention_plan.QUERY_BLOCK, "cpu", block)
        patch.setitem(attention_plan.CHAIN, "cpu", chain)
        tree = PrefixTree(made, [(0,)] * len(made))
        start = 0
        while start < len(tree):
            row = tree.row(start, tree.cut(start, budget))
            check(tree, row, plan_attention(row, "cpu"), block)
            start = row.stop


def check(tree, row, plan, most):
    whole = np.concatenate([row.path, np.arange(row.start, row.stop)])
    at = 0
    for block in plan.blocks:
        assert block.start == at
        assert block.causal_after is not None or block.stop - block.start <= most
        for query in range(block.start, block.stop):
            seen = block.keys[(plan.order[block.keys] <= query) & (query < plan.ends[block.keys])]
            assert whole[seen].tolist() == [*tree.path(row.start + query).tolist(), row.start + query]
        at = block.stop
    assert at == len(row)
    assert whole[plan.kept].tolist() == row.kept.tolist()
