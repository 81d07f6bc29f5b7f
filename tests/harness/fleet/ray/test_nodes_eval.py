"""One evaluation over nodes of a real cluster: as one process answers, with a node killed in the middle."""

import json
import logging
import os
import signal

import pytest
from support.ray_cluster import until
from support.workers import is_alive, taken

from backends.contract import Nodes, Options, ScoreRequest
from backends.opening import open_backend
from backends.several import backend as several
from zoo.checkpoint.locate import locate, outline
from zoo.errors import NodesMissing, SeveralDevices, UnknownName

REQUESTS = [
    ScoreRequest(tuple(range(40, 40 + 6 * (place % 5 + 1))), (50 + place % 7, place % 60 + 4)) for place in range(160)
]


def open_nano(options):
    return open_backend(locate(outline("nano-teacher")), "hf", options)


def test_what_a_killed_node_had_goes_to_the_others_and_the_answers_are_those_of_one_process(
    cluster, monkeypatch, caplog
):
    monkeypatch.setattr(several, "LEAST_TOKENS", 1)
    alone = open_nano(Options(device="cpu"))
    wanted = taken(alone.score(REQUESTS))
    backend = open_nano(Options(nodes=Nodes(cluster.address, 2, "cpu")))
    try:
        dying, other = backend.workers
        node = cluster.nodes[dying.worker.described["node"]]
        assert node is not cluster.nodes[other.worker.described["node"]]
        processes = dying.worker.pids()
        # It answers nothing from here on: however fast the machine, it has work when its node goes.
        os.kill(processes[1], signal.SIGSTOP)
        answers = backend.score(REQUESTS)
        got = [next(answers)]
        with caplog.at_level(logging.WARNING):
            cluster.kill(node)
            got = taken(answers, got)
        assert [one.index for one in got] == list(range(len(REQUESTS)))
        assert [one.greedy for one in got] == [one.greedy for one in wanted]
        assert [one.logprob for one in got] == pytest.approx([one.logprob for one in wanted], abs=1e-4)
        assert "is gone, with its node" in caplog.text
        assert "Its work goes on without" in caplog.text
        assert backend.workers == (other,)
        until(lambda: not any(map(is_alive, processes)))
        left = other.worker.pids()
    finally:
        backend.close()
        alone.close()
    until(lambda: not any(map(is_alive, left)))


def test_an_evaluation_over_nodes_ends_in_the_records_of_one_process(cluster, minizoo, tmp_path):
    words = ["eval", "nano-teacher", "--suite", "nano", "--limit", 3, "--device", "cpu", "--json", "--results"]
    alone = json.loads(minizoo(*words, tmp_path / "alone").out)
    over = json.loads(
        minizoo(*words, tmp_path / "over", "--ray", cluster.address, "--nodes", 2, "--accelerator", "cpu").out
    )
    assert len({record["run_id"] for record in over["records"]}) == 1
    listed = [sorted(told["records"], key=lambda record: record["task"]) for told in (alone, over)]
    for one, other in zip(*listed, strict=True):
        assert (one["task"], one["status"]) == (other["task"], other["status"])
        found = [[score["value"] for score in record["scores"]] for record in (one, other)]
        assert found[1] == pytest.approx(found[0], rel=1e-4)
        for name in ("backend", "device", "dtype", "compute_dtype", "seed"):
            assert one["setting"][name] == other["setting"][name]
        devices = other["setting"]["versions"]["devices"]
        assert devices.count(":cpu") == 2


@pytest.mark.parametrize(
    ("nodes", "error", "said"),
    [
        ((40, "cpu"), NodesMissing, "asks for 40 nodes with cpu, and the cluster has room for "),
        ((2, "b200"), NodesMissing, "asks for 2 nodes with b200, and the cluster has room for 0"),
        ((1, "h100-sxn"), UnknownName, "h100-sxm"),
    ],
)
def test_nodes_that_are_not_there_are_told_before_anything_waits_for_them(cluster, nodes, error, said):
    with pytest.raises(error, match=said):
        open_nano(Options(nodes=Nodes(cluster.address, *nodes)))


def test_words_that_contradict_the_nodes_are_refused(minizoo):
    with pytest.raises(SeveralDevices, match="--devices and --workers"):
        open_nano(Options(workers=2, nodes=Nodes("127.0.0.1:1")))
    assert minizoo("eval", "nano-teacher", "--nodes", 2).code == 2
