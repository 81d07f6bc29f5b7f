"""Jobs on a real cluster of Ray nodes that say what GPUs they have: where they go, what is lost, what is left behind."""

import stat
from datetime import UTC, datetime

import pytest
from support.ray_cluster import until
from support.workers import is_alive

from harness.fleet.folders import NightFolder
from harness.fleet.jobs.progress import read_outcome, read_progress
from harness.fleet.ray.executor import RayExecutor
from harness.records.night import Job, Night, Step


@pytest.fixture
def night(tmp_path):
    """A folder of a night; calling it gives the job that it is told of, written into the night."""
    folder = NightFolder(tmp_path / "results/nights/one")
    folder.path.mkdir(parents=True)
    jobs = []

    def add(name, accelerator=None, python=None, **rest):
        step = Step(words=("eval", "--model", "nano-teacher"), python=python)
        jobs.append(Job(id=name, kind="eval", model="nano-teacher", accelerator=accelerator, steps=(step,), **rest))
        made = Night(
            id="one",
            plan="test",
            plan_digest="0",
            started_at=datetime.now(UTC),
            minizoo="0",
            jobs=tuple(jobs),
            retries=0,
        )
        folder.night.write_text(made.model_dump_json())
        return jobs[-1]

    add.folder = folder
    return add


@pytest.fixture
def sleeper(tmp_path):
    """An interpreter that writes down its process and sleeps: a step that takes long."""
    path = tmp_path / "sleeper"
    path.write_text(f"#!/bin/sh\necho $$ >> {tmp_path}/pids\nexec sleep 300\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def pids(tmp_path):
    file = tmp_path / "pids"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def ended(executor):
    return until(lambda: executor.wait(1.0))


def begun(executor, job):
    def look():
        assert not executor.wait(0.2)
        return executor.where(job.id)

    return until(look).node


def test_each_kind_of_gpu_gets_its_own_job_and_a_node_that_lies_about_it_gets_no_more(cluster, night):
    """None of the nodes has the GPU that it claims, and `minizoo job` sees that."""
    hopper, ada = night("hopper", "h100-sxm"), night("ada", "l4")
    executor = RayExecutor(cluster.address, patience=1.0)
    executor.start(night.folder, [hopper, ada])
    over = {one.job for one in [*ended(executor), *ended(executor)]}
    assert over == {"hopper", "ada"}
    tried = executor._known.tried
    assert tried["ada"] == cluster.claiming("L4")
    assert tried["hopper"][0] in cluster.claiming("H100")
    assert {read_outcome(night.folder.job(name)).code for name in over} == {"wrong-accelerator"}

    night.folder.job("hopper").outcome.unlink()
    executor.start(night.folder, [hopper])
    assert [one.job for one in ended(executor)] == ["hopper"]
    assert sorted(tried["hopper"]) == cluster.claiming("H100")

    further = night("further", "h100-pcie")
    night.folder.job("hopper").outcome.unlink()
    executor.start(night.folder, [hopper])
    (none,) = ended(executor)
    assert none.job == "hopper"
    assert none.lost.startswith("No node with h100-sxm (Ray's H100) is in the cluster")
    assert "had another GPU" in none.lost
    executor.start(night.folder, [further])
    assert ended(executor)[0].job == "further"


def test_a_gpu_that_no_node_has_is_told_and_does_not_wait_for_ever(cluster, night):
    executor = RayExecutor(cluster.address, patience=0.2)
    executor.start(night.folder, [night("blackwell", "b200")])
    (none,) = ended(executor)
    assert none.lost.startswith("No node with b200 (Ray's B200) is in the cluster; there are ")


def test_a_killed_nodes_job_ends_as_lost_leaves_no_process_and_goes_to_another(
    cluster, night, sleeper, tmp_path, capfd
):
    executor = RayExecutor(cluster.address)
    executor.start(night.folder, [job := night("long", python=sleeper)])
    node = cluster.nodes[begun(executor, job)]
    (first,) = until(lambda: pids(tmp_path))
    capfd.readouterr()
    cluster.kill(node)
    (lost,) = ended(executor)
    assert lost.job == "long"
    assert "died" in lost.lost
    until(lambda: not is_alive(first))
    assert capfd.readouterr().out == ""

    executor.start(night.folder, [job])
    assert begun(executor, job) != node.node_id
    until(lambda: len(pids(tmp_path)) == 2)
    executor.cancel()
    assert not any(map(is_alive, pids(tmp_path)))


def test_draining_gives_back_what_has_not_begun_and_cancelling_leaves_what_can_go_on(cluster, night, sleeper, tmp_path):
    jobs = [night(f"long-{number}", python=sleeper) for number in range(4)]
    executor = RayExecutor(cluster.address)
    executor.start(night.folder, jobs)
    until(lambda: executor.wait(0.2) or all(executor.where(job.id) for job in jobs[:3]))
    assert len({executor.where(job.id).node for job in jobs[:3]}) == 3, "one job of the CPU on a node"
    assert list(executor.drain()) == ["long-3"]
    until(lambda: len(pids(tmp_path)) == 3)
    assert not executor.wait(0.5), "what runs goes on"
    executor.cancel()
    assert not any(map(is_alive, pids(tmp_path)))
    told = [read_progress(night.folder.job(job.id)).attempts[-1].code for job in jobs[:3]]
    assert told == ["interrupted"] * 3
    assert read_outcome(night.folder.job("long-0")) is None
