"""Worker threads: they share the processor's cores, stop when their consumer does, and change no score."""

import random
import threading
import time
from contextlib import closing

import numpy as np
import pytest
import torch
from support.tiny_models import tiny
from support.tolerances import assert_logprobs

from backends.contract import ScoreRequest
from backends.packing.packed_model import PackedModel
from backends.packing.score import packed_scores, tree_of
from backends.packing.worker_pool import Cancelled, check_cancelled, single_worker, worker_threads


def test_workers_share_the_cores_and_give_them_back():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        with worker_threads(2) as workers:
            assert workers.executor.submit(torch.get_num_threads).result() == 2
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


def test_work_whose_consumer_has_stopped_is_cancelled():
    begun, ended = threading.Event(), []

    def endless():
        begun.set()
        try:
            while True:
                check_cancelled()
                time.sleep(0.001)
        except Cancelled:
            ended.append("cancelled")

    with worker_threads(2) as workers:
        workers.executor.submit(endless)
        assert begun.wait(10)
    assert ended == ["cancelled"]


def test_scores_that_are_no_longer_wanted_stop_the_model_between_two_layers(monkeypatch):
    model = PackedModel(tiny("llama"))
    monkeypatch.setattr(model, "workers", lambda rows: worker_threads(2))
    asked = [ScoreRequest((7, *range(20 * i, 20 * i + 200)), (5,)) for i in range(5)]
    with closing(packed_scores(asked, model, 64)) as scores:
        next(scores)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("packing-worker")]


@pytest.mark.parametrize("family", ["llama", "mistral", "mistral-sliding-window", "nemotron"])
def test_workers_change_no_score(family, monkeypatch):
    draw = random.Random(2)
    shots = tuple(draw.randrange(300) for _ in range(180))
    asked = [
        ScoreRequest((*shots[: 40 * (i % 5)], i, 7), tuple(draw.randrange(300) for _ in range(9)), True)
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
