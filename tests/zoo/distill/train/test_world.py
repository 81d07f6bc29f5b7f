"""Who trains: alone, or as one of many; and what is said where that is not as it was meant."""

import signal

import pytest
import torch

from zoo.distill.train.world import World, naming_lost_ranks, open_world, telling_of_lost_ranks
from zoo.errors import DeviceMissing, RankLost, WorldTooSmall


def test_alone_there_is_one_process_and_no_process_group():
    with open_world("auto", "cpu", {}) as world:
        assert (world.rank, world.size, world.mode) == (0, 1, "none")
        assert not torch.distributed.is_initialized()
        assert world.first(lambda: 7) == 7
        assert world.gather("x") == ["x"]
        assert world.total([1.5]) == [1.5]


def test_one_process_under_torchrun_is_one_process():
    with open_world("auto", "cpu", {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}) as world:
        assert world.mode == "none"


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_one_process_where_several_were_meant_is_told_how_to_start_them(parallel):
    with pytest.raises(WorldTooSmall, match="torchrun --nproc-per-node"), open_world(parallel, "cpu", {}):
        pass


@pytest.mark.parametrize(
    ("variable", "launcher"),
    [("SLURM_STEP_NUM_TASKS", "srun"), ("OMPI_COMM_WORLD_SIZE", "mpirun"), ("PMI_SIZE", "mpiexec")],
)
def test_processes_that_do_not_know_of_each_other_are_refused(variable, launcher):
    with (
        pytest.raises(WorldTooSmall, match=f"{launcher} started 8 processes"),
        open_world("auto", "cpu", {variable: "8"}),
    ):
        pass


def test_several_processes_where_one_was_meant_are_refused():
    with pytest.raises(WorldTooSmall, match="torchrun started 2"), open_world("none", "cpu", {"WORLD_SIZE": "2"}):
        pass


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(DeviceMissing, match="no device gpu7"), open_world("auto", "gpu7", {}):
        pass
    with pytest.raises(DeviceMissing, match="no GPU 100"), open_world("auto", "cuda:100", {}):
        pass


@pytest.mark.parametrize(
    "said",
    [
        "[gloo/transport/tcp/pair.cc:547] Connection closed by peer [10.0.0.2]:1234",
        "NCCL error in: ProcessGroupNCCL.cpp:90, remote process exited",
        "Timed out waiting 600000ms for recv operation to complete",
    ],
)
def test_what_gloo_and_nccl_say_of_a_dead_peer_names_a_lost_rank(said):
    with (
        pytest.raises(RankLost, match=r"died or stopped answering in step 5.*last checkpoint"),
        naming_lost_ranks("in step 5"),
    ):
        raise RuntimeError(said)


def test_a_rank_that_is_lost_between_steps_is_named_and_the_message_outlives_torchruns_sigterm():
    two = World(torch.device("cpu"), size=2)
    usual = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(RankLost, match="while shards were moved"), telling_of_lost_ranks(two):
            raise RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:48363")
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, usual)
    alone = World(torch.device("cpu"))
    with pytest.raises(RuntimeError, match="timed out"), telling_of_lost_ranks(alone):
        raise RuntimeError("the hub timed out")


def test_other_faults_are_not_taken_for_a_lost_rank():
    with pytest.raises(RuntimeError, match="mat1 and mat2"), naming_lost_ranks("in step 5"):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")


def test_an_error_of_the_first_rank_is_raised():
    with pytest.raises(ZeroDivisionError):
        World(torch.device("cpu")).first(lambda: 1 / 0)
