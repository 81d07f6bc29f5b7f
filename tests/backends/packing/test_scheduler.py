"""Rows on several workers: each gets its own path, answers come in the tree's order, whichever worker is done first."""

import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.contract import OutOfMemory
from backends.packing.prefix_tree import PrefixTree
from backends.packing.scheduler import Answers, answered_rows
from backends.packing.worker_pool import single_worker, worker_threads


class SpelledOut:
    """An engine whose path is the tokens themselves, so that a wrong one shows; rows end in a random order."""

    def __init__(self, workers, seed, min_scored_per_head_call=5, room=1 << 30):
        self.count, self.min_scored_per_head_call, self.room = workers, min_scored_per_head_call, room
        self.random = random.Random(seed)
        self.done, self.groups = [], set()

    def workers(self, rows):
        return worker_threads(self.count) if self.count > 1 else single_worker()

    def run_row(self, row, path):
        path = path or []
        assert path == row.path_tokens.tolist()
        if len(row) > self.room:
            raise OutOfMemory("no room")
        time.sleep(self.random.random() / 500)
        known = dict(zip([*row.path.tolist(), *range(row.start, row.stop)], path + row.tokens.tolist(), strict=True))
        self.done.append((row.start, row.stop))
        return list(row.scored), [known[index] for index in row.kept.tolist()]

    def shortened(self, path, length):
        return (path or [])[:length]

    def answer(self, rows, states):
        self.groups.add((rows[0].start, rows[-1].stop))
        assert all(list(row.scored) == scored for row, scored in zip(rows, states, strict=True))
        return [Answers(row.targets.astype(np.float32), row.targets > 0) for row in rows]


def sequences(seed):
    """Long shared beginnings, branches inside branches, and sequences of one token."""
    draw = random.Random(seed)
    known = [[draw.randrange(9) for _ in range(draw.choice([1, 30, 200]))]]
    for _ in range(draw.randrange(1, 40)):
        stem = draw.choice(known)
        known.append(
            stem[: draw.randrange(len(stem) + 1)] + [draw.randrange(9) for _ in range(draw.choice([1, 7, 60]))]
        )
    return known


def rows_of(seed, engine, budget):
    made = sequences(seed)
    tree = PrefixTree(made, [[1] * min(3, len(s)) for s in made])
    return tree, [
        (row.start, row.stop, answers.logprobs.tolist()) for row, answers in answered_rows(tree, engine, budget)
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from([8, 50, 400]))
def test_every_row_gets_its_own_path_and_leaves_in_order(seed, workers, budget):
    tree, rows = rows_of(seed, SpelledOut(workers, seed), budget)
    assert [start for start, _, _ in rows] == [0, *(stop for _, stop, _ in rows[:-1])]
    assert rows[-1][1] == len(tree)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_which_worker_is_done_first_changes_nothing(seed):
    first, second = (SpelledOut(3, order) for order in (seed, seed + 1))
    assert rows_of(seed, first, 50)[1] == rows_of(seed, second, 50)[1]
    assert first.groups == second.groups


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3))
def test_memory_that_runs_out_halves_rows_and_loses_nothing(seed, workers):
    engine = SpelledOut(workers, seed, room=20)
    tree, rows = rows_of(seed, engine, 400)
    assert sorted(engine.done) == [(start, stop) for start, stop, _ in rows]
    assert rows[-1][1] == len(tree)


def test_without_other_workers_a_row_is_answered_before_the_next_is_begun():
    """Else an error of the next would lose its answers."""
    engine = SpelledOut(1, 1, min_scored_per_head_call=1)
    made = sequences(1)
    tree = PrefixTree(made, [[1]] * len(made))
    for number, (row, _) in enumerate(answered_rows(tree, engine, 50)):
        assert engine.done[number] == (row.start, row.stop)
        assert len(engine.done) <= number + 2  # a row without questions is answered with the next


def test_an_error_in_a_worker_reaches_the_caller():
    class Broken(SpelledOut):
        def run_row(self, row, path):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        rows_of(1, Broken(2, 1), 50)
