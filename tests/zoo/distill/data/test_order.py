"""Orders: a pure function of seed and position, each row once an epoch, shares held exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.distill.data.order import BLOCK, Group, Order, shuffled

sizes = st.integers(1, 500)


@given(size=sizes, key=st.text(max_size=3))
def test_a_shuffle_is_a_permutation(size, key):
    assert sorted(shuffled(np.arange(size), size, key)) == list(range(size))


@given(size=st.integers(1, 1 << 40), key=st.text(max_size=3))
def test_a_shuffle_of_any_size_stays_inside_and_is_without_a_table(size, key):
    index = np.unique(np.linspace(0, size - 1, 50).astype(np.int64))
    found = shuffled(index, size, key)
    assert len(set(found.tolist())) == len(index)
    assert found.min() >= 0
    assert found.max() < size


def test_a_shuffle_is_near_to_a_random_one():
    found = shuffled(np.arange(10_000), 10_000, "0")
    assert abs(np.corrcoef(found, np.arange(10_000))[0, 1]) < 0.03
    assert np.count_nonzero(np.diff(found) == 1) < 10
    first = np.array([int(shuffled(np.arange(1), 10, f"{key}")[0]) for key in range(2000)])
    assert np.bincount(first, minlength=10).min() > 140  # 200 expected, sd 13


@given(rows=sizes, seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_each_row_comes_once_an_epoch(rows, seed, epoch):
    assert sorted(Order((Group(rows),), seed).rows_at(epoch * rows, rows)) == list(range(rows))


@given(begin=st.integers(0, 3 * BLOCK), count=st.integers(1, 40), split=st.integers(0, 40))
def test_any_part_of_an_order_is_the_same_however_it_is_asked(begin, count, split):
    order = Order((Group(100, 1), Group(7, 2)), seed=3)
    split = min(split, count)
    parts = [*order.rows_at(begin, split), *order.rows_at(begin + split, count - split)]
    assert parts == order.rows_at(begin, count).tolist()


def test_shares_are_held_in_every_block_and_rows_come_in_turns():
    order = Order((Group(1000, 3), Group(10, 1)), seed=1)
    for block in range(3):
        rows = order.rows_at(block * BLOCK, BLOCK)
        assert np.count_nonzero(rows < 1000) == BLOCK * 3 // 4
    small = [row for row in order.rows_at(0, BLOCK) if row >= 1000]
    assert all(sorted(small[at : at + 10]) == list(range(1000, 1010)) for at in range(0, 1000, 10))


def test_a_source_of_the_least_share_is_seen_all_the_same():
    assert Order((Group(10, 1e9), Group(10, 1))).counts == (BLOCK - 1, 1)


@given(shares=st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=20))
def test_counts_fill_a_block_and_are_near_to_the_shares(shares):
    counts = Order(tuple(Group(1, share) for share in shares)).counts
    assert sum(counts) == BLOCK
    assert min(counts) >= 1
    assert all(
        abs(count - share / sum(shares) * BLOCK) <= len(shares) for count, share in zip(counts, shares, strict=True)
    )


def test_thirds_fill_a_block():
    assert sorted(Order((Group(1), Group(1), Group(1))).counts) == [1365, 1365, 1366]


@pytest.mark.parametrize("seed", [0, 1, 2**63])
def test_orders_differ_by_seed_and_stay(seed):
    first = [Order((Group(50),), each).rows_at(0, 50).tolist() for each in (seed, seed, seed + 1)]
    assert first[0] == first[1] != first[2]


def test_an_order_never_changes_between_versions():
    assert Order((Group(6),), 7).rows_at(0, 12).tolist() == [3, 5, 4, 1, 2, 0, 2, 4, 3, 5, 1, 0]
    assert Order((Group(5, 1), Group(5, 1)), 7).rows_at(4094, 6).tolist() == [7, 5, 9, 4, 1, 8]
