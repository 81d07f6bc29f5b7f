"""Which nodes a job of a night may go to, and what it finds around it there."""

import pytest

from backends.nodes.cluster import Node
from harness.fleet.ray.on_node import Given, surroundings
from harness.fleet.ray.placement import Known, free, wanted_of
from harness.records.night import Job, Step

H100 = Node("a", "host-a", {"CPU": 16, "GPU": 2, "accelerator_type:H100": 1})
L4 = Node("b", "host-b", {"CPU": 8, "GPU": 1, "accelerator_type:L4": 1})
CORES = Node("c", "host-c", {"CPU": 64})
HEAD = Node("d", "host-d", {"node:__internal_head__": 1})
ALL = [H100, L4, CORES, HEAD]


def job(accelerator=None, kind="eval", name="job", **rest):
    return Job(id=name, kind=kind, model="m", accelerator=accelerator, steps=(Step(words=("eval",)),), **rest)


def names(nodes):
    return "".join(node.id for node in nodes)


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        (job("h100-sxm"), "a"),
        (job("h100-pcie"), "a"),
        (job("l4"), "b"),
        (job("b200"), ""),
        (job(), "abc"),
        (job("h100-sxm", split=4), "abcd"),
    ],
    ids=["H100", "another H100", "L4", "none has it", "the CPU", "divided: its head alone"],
)
def test_a_job_fits_the_nodes_that_have_its_gpu(asked, fits):
    assert names(Known().fitting(asked, ALL)) == fits


def test_a_job_that_comes_again_goes_where_it_has_not_been_if_there_is_such_a_node():
    known = Known()
    known.tried["job"] += ["c", "a"]
    assert names(known.fitting(job(), ALL)) == "b"
    known.tried["job"] += ["b"]
    assert names(known.fitting(job(), ALL)) == "abc"


def test_a_node_that_has_another_gpu_than_it_says_is_left_out_for_that_gpu_alone():
    known = Known()
    known.false["h100-sxm"].add("a")
    assert names(known.fitting(job("h100-sxm"), ALL)) == ""
    assert names(known.fitting(job("h100-pcie"), ALL)) == "a"
    assert known.missing(job("h100-sxm"), ALL).endswith("host-a told Ray of one and had another GPU.")


@pytest.mark.parametrize(
    ("asked", "there", "may"),
    [
        (job(), [job()], False),
        (job(), [job("h100-sxm")], True),
        (job(), [job("h100-sxm", "bench")], False),
        (job("h100-sxm", "bench"), [job()], False),
        (job("h100-sxm"), [job()], True),
        (job("h100-sxm", "bench"), [job("h100-sxm")], True),
        (job("h100-sxm"), [job("h100-sxm"), job("h100-sxm", "bench")], False),
        (job("h100-sxm", split=2), [job(), job("h100-sxm")], True),
        (job(), [job("h100-sxm", split=2)], True),
    ],
)
def test_a_job_joins_only_what_does_not_disturb_it(asked, there, may):
    assert bool(free(asked, [H100], {"a": there})) is may


def test_a_divided_job_takes_nothing_that_its_parts_may_wait_for():
    assert wanted_of(job("h100-sxm", split=2)) == {"CPU": 0.0}


def test_a_node_keeps_its_own_variables_and_rays_count_of_threads_is_not_taken():
    here = {
        "OMP_NUM_THREADS": "1",
        "MINIZOO_DATA": "/node",
        "CUDA_VISIBLE_DEVICES": "3",
        "RAY_JOB_ID": "1",
        "PATH": "/bin",
    }
    given = Given("/night", "job", True, "head:6379", {"MINIZOO_DATA": "/head", "MINIZOO_DEBUG": "1"}, None)
    assert surroundings(given, here) == {
        "MINIZOO_DATA": "/node",
        "MINIZOO_DEBUG": "1",
        "CUDA_VISIBLE_DEVICES": "3",
        "PATH": "/bin",
        "RAY_ADDRESS": "head:6379",
    }
    cpu = Given("/night", "job", False, "head:6379", {}, "4")
    assert surroundings(cpu, here)["CUDA_VISIBLE_DEVICES"] == ""
    assert surroundings(cpu, here)["OMP_NUM_THREADS"] == "4"
