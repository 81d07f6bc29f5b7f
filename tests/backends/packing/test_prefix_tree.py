"""The prefix tree and its rows: every request keeps its own path, and nothing that is shared is there twice."""

import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.packing import prefix_tree
from backends.packing.prefix_tree import PrefixTree

TOKEN = st.integers(0, 2)
"""Few token ids, so that prefixes meet often."""


@st.composite
def workloads(draw):
    """Sequences, many of which continue a prefix of an earlier one, with the targets asked at their ends."""
    sequences, targets = [], []
    for _ in range(draw(st.integers(1, 10))):
        base = draw(st.sampled_from(sequences))[: draw(st.integers(0, 30))] if sequences else ()
        sequences.append(base + tuple(draw(st.lists(TOKEN, min_size=0 if base else 1, max_size=25))))
        targets.append(tuple(draw(st.lists(TOKEN, min_size=1, max_size=len(sequences[-1])))))
    return sequences, targets


def rows_of(tree, budget):
    start = 0
    while start < len(tree):
        row = tree.row(start, tree.cut(start, budget))
        yield row
        start = row.stop


def path_of(tree, request):
    return [*tree.path(int(tree.last[request])).tolist(), int(tree.last[request])]


@given(workload=workloads(), sharing=st.sampled_from([1, 2, 16]))
@settings(max_examples=150, deadline=None)
def test_every_requests_path_is_its_own_tokens_at_their_own_positions(workload, sharing):
    sequences, targets = workload
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefix_tree, "WORTH_SHARING", sharing)
        tree = PrefixTree(sequences, targets)
        for request, sequence in enumerate(sequences):
            path = path_of(tree, request)
            assert tree.tokens[path].tolist() == list(sequence)
            assert tree.depths[path].tolist() == list(range(len(sequence)))


@given(workload=workloads())
@settings(max_examples=150, deadline=None)
def test_a_token_sees_its_ancestors_and_itself_alone(workload):
    sequences, targets = workload
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefix_tree, "WORTH_SHARING", 1)
        tree = PrefixTree(sequences, targets)
        for request in range(len(sequences)):
            for q in path_of(tree, request):
                assert [j for j in range(q + 1) if tree.ends[j] > q] == [*tree.path(q).tolist(), q]


@given(workload=workloads(), budget=st.integers(1, 60))
@settings(max_examples=200, deadline=None)
def test_every_scored_position_belongs_to_its_request(workload, budget):
    sequences, targets = workload
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefix_tree, "WORTH_SHARING", 1)
        tree = PrefixTree(sequences, targets)
        answered = {}
        for row in rows_of(tree, budget):
            for which, target, slot in zip(row.asked, row.targets, tree.slots(row), strict=True):
                assert int(slot) not in answered
                answered[int(slot)] = (int(row.scored[which]), int(target))
        for request, asked in enumerate(targets):
            path = path_of(tree, request)[-len(asked) :]
            first = int(tree.first_slot[request])
            assert [answered[first + k] for k in range(len(asked))] == list(zip(path, asked, strict=True))


@given(workload=workloads(), budget=st.integers(1, 60))
@settings(max_examples=200, deadline=None)
def test_rows_cover_the_tree_once_within_the_budget_and_carry_what_the_next_one_needs(workload, budget):
    tree = PrefixTree(*workload)
    at, kept, completed = 0, [], []
    for row in rows_of(tree, budget):
        assert row.start == at
        assert 1 <= len(row) <= budget
        assert row.path.tolist() == list(kept)
        assert set(row.kept.tolist()) <= {*row.path.tolist(), *range(row.start, row.stop)}
        completed += tree.completed(row.start, row.stop).tolist()
        at, kept = row.stop, row.kept.tolist()
    assert at == len(tree)
    assert sorted(completed) == list(range(len(workload[0])))


@given(workload=workloads())
@settings(max_examples=100, deadline=None)
def test_every_distinct_prefix_is_there_once(workload):
    sequences, targets = workload
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefix_tree, "WORTH_SHARING", 1)
        tree = PrefixTree(sequences, targets)
    assert len(tree) == len({s[:n] for s in sequences for n in range(1, len(s) + 1)})


def test_early_requests_come_first_when_little_is_shared():
    """Sharing a first word must not draw a late task's request before an early one."""
    requests = [(1, 2, *range(100, 140)), (7, *range(200, 240)), (1, 2, *range(300, 340))]
    tree = PrefixTree(requests, [(0,)] * 3)
    assert tree.completed(0, len(tree)).tolist() == [0, 1, 2]


def test_duplicates_cost_nothing():
    once = PrefixTree([tuple(range(40))], [(5,)])
    thrice = PrefixTree([tuple(range(40))] * 3, [(5,), (6,), (5, 6)])
    assert len(thrice) == len(once) == 40
    assert thrice.row(0, 40).scored.tolist() == [38, 39]


def test_no_requests_make_no_tree():
    assert len(PrefixTree([], [])) == 0


def workload_of(count):
    draw = random.Random(0)
    shots = [tuple(draw.randrange(50_000) for _ in range(100)) for _ in range(57)]
    questions = [shots[i % 57] + tuple(draw.randrange(50_000) for _ in range(20)) for i in range(count // 4)]
    return [(*q, t) for q in questions for t in range(4)], [(t,) for _ in questions for t in range(4)]


def bytecodes_of(call):
    """How many of Python's instructions a call takes: every loop counts, and the machine's speed does not."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def test_packing_grows_with_the_number_of_requests_not_with_its_square():
    """Ten times the requests take at most eleven times the work, in building the tree and in cutting it into rows."""

    def pack(count):
        workload = workload_of(count)
        return bytecodes_of(lambda: list(rows_of(PrefixTree(*workload), 256)))

    assert pack(2_000) < 11 * pack(200)


def test_many_requests_share_all_they_can_and_fill_every_row_by_half():
    sequences, targets = workload_of(20_000)
    tree = PrefixTree(sequences, targets)
    lengths = [len(row) for row in rows_of(tree, 2048)]
    assert all(1024 < length <= 2048 for length in lengths[:-1])
    distinct = 57 * 100 + 5_000 * 20 + 20_000
    assert sum(lengths) == len(tree)
    assert 0.99 * distinct < len(tree) <= distinct  # a few questions begin with the same token by chance
