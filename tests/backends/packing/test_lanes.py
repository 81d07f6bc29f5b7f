"""Rows side by side: each with its own path, in the tree's order, the same whoever is done first, and given up when asked."""

import random
import threading
import time
from contextlib import closing

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_models import tiny
from support.tolerances import assert_logprobs

from backends.contract import ScoreRequest
from backends.packing.packed_model import PackedModel
from backends.packing.prefix_tree import PrefixTree
from backends.packing.scheduler import Answers, OutOfMemory, answered_rows
from backends.packing.score import packed_scores, tree_of
from backends.packing.worker_pool import Cancelled, check_cancelled, single_worker, worker_threads


class SpelledOut:
    """An engine whose path is the tokens themselves, so that a wrong one shows; rows end in an order that the dice choose."""

    def __init__(self, lanes, seed, min_scored_per_head_call=5, room=1 << 30):
        self.count, self.min_scored_per_head_call, self.room = lanes, min_scored_per_head_call, room
        self.dice = random.Random(seed)
        self.done, self.groups = [], set()

    def workers(self, rows):
        return worker_threads(self.count) if self.count > 1 else single_worker()

    def run_row(self, row, path):
        path = path or []
        assert path == row.path_tokens.tolist()
        if len(row) > self.room:
            raise OutOfMemory("no room")
        time.sleep(self.dice.random() / 500)
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
    dice = random.Random(seed)
    known = [[dice.randrange(9) for _ in range(dice.choice([1, 30, 200]))]]
    for _ in range(dice.randrange(1, 40)):
        stem = dice.choice(known)
        known.append(
            stem[: dice.randrange(len(stem) + 1)] + [dice.randrange(9) for _ in range(dice.choice([1, 7, 60]))]
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
def test_every_row_gets_its_own_path_and_leaves_in_order(seed, lanes, budget):
    tree, rows = rows_of(seed, SpelledOut(lanes, seed), budget)
    assert [start for start, _, _ in rows] == [0, *(stop for _, stop, _ in rows[:-1])]
    assert rows[-1][1] == len(tree)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_who_is_done_first_changes_nothing(seed):
    first, second = (SpelledOut(3, dice) for dice in (seed, seed + 1))
    assert rows_of(seed, first, 50)[1] == rows_of(seed, second, 50)[1]
    assert first.groups == second.groups


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3))
def test_memory_that_runs_out_halves_rows_and_loses_nothing(seed, lanes):
    engine = SpelledOut(lanes, seed, room=20)
    tree, rows = rows_of(seed, engine, 400)
    assert sorted(engine.done) == [(start, stop) for start, stop, _ in rows]
    assert rows[-1][1] == len(tree)


def test_without_other_lanes_a_row_is_answered_before_the_next_is_begun():
    """Else a fault of the next would take its answers along."""
    engine = SpelledOut(1, 1, min_scored_per_head_call=1)
    made = sequences(1)
    tree = PrefixTree(made, [[1]] * len(made))
    for number, (row, _) in enumerate(answered_rows(tree, engine, 50)):
        assert engine.done[number] == (row.start, row.stop)
        assert len(engine.done) <= number + 2  # a row that asks nothing is answered with the next


def test_an_error_in_a_lane_reaches_the_caller():
    class Broken(SpelledOut):
        def run_row(self, row, path):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        rows_of(1, Broken(2, 1), 50)


def test_lanes_share_the_cores_and_give_them_back():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        with worker_threads(2) as lanes:
            assert lanes.pool.submit(torch.get_num_threads).result() == 2
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


def test_work_that_nobody_waits_for_is_given_up():
    begun, ended = threading.Event(), []

    def endless():
        begun.set()
        try:
            while True:
                check_cancelled()
                time.sleep(0.001)
        except Cancelled:
            ended.append("given up")

    with worker_threads(2) as lanes:
        lanes.pool.submit(endless)
        assert begun.wait(10)
    assert ended == ["given up"]


def test_scores_that_are_no_longer_wanted_stop_the_model_between_two_layers(monkeypatch):
    model = PackedModel(tiny("llama"))
    monkeypatch.setattr(model, "workers", lambda rows: worker_threads(2))
    asked = [ScoreRequest((7, *range(20 * i, 20 * i + 200)), (5,)) for i in range(5)]
    with closing(packed_scores(asked, model, 64)) as scores:
        next(scores)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane")]


@pytest.mark.parametrize("family", ["llama", "mistral", "mistral-sliding-window", "nemotron"])
def test_lanes_change_no_score(family, monkeypatch):
    dice = random.Random(2)
    shots = tuple(dice.randrange(300) for _ in range(180))
    asked = [
        ScoreRequest((*shots[: 40 * (i % 5)], i, 7), tuple(dice.randrange(300) for _ in range(9)), True)
        for i in range(30)
    ]
    model = PackedModel(tiny(family))
    found = []
    for count in (1, 3):
        monkeypatch.setattr(
            model, "workers", lambda rows, count=count: worker_threads(count) if count > 1 else single_worker()
        )
        found.append([score.token_logprobs for score in sorted(packed_scores(asked, model, 64), key=lambda s: s.index)])
    assert_logprobs(np.concatenate(found[0]), np.concatenate(found[1]))
    assert len(tree_of(asked)) < 0.7 * sum(len(r.context) + 8 for r in asked)
