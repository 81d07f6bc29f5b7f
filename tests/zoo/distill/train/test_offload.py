"""Weights that wait in the host's memory: the policy of a GPU, tried over gloo, computes what a plain run computes."""

from dataclasses import replace

import pytest
import torch
from support.small_training import SETTINGS, losses, run, small_student, small_teacher

from zoo.distill.stages.fitting import check_offload
from zoo.distill.train.parallel import shard_teacher
from zoo.distill.train.watcher import Watcher
from zoo.distill.train.world import World, open_world
from zoo.errors import ConflictingOptions

OFFLOADED = replace(SETTINGS, offload=True)
BF16 = replace(OFFLOADED, dtype="bfloat16", checkpoint_activations=True)


def offloaded(out, settings=OFFLOADED, **others):
    """A run of one process, whose teacher waits on the host too."""
    with open_world(device="cpu", environment={}, offload=True) as world:
        teacher = small_teacher()
        shard_teacher(teacher.model, world, offload=True)
        return run(out, settings, teacher=teacher, world=world, **others)


def test_one_process_is_a_group_of_its_own():
    with open_world(device="cpu", environment={}, offload=True) as world:
        assert (world.mode, world.size) == ("fsdp", 1)
    assert not torch.distributed.is_initialized()


@pytest.mark.parametrize("settings", [OFFLOADED, BF16], ids=["float32", "bfloat16"])
def test_losses_equal_those_of_a_plain_run(tmp_path, settings):
    student = small_student()
    offloaded(tmp_path / "offloaded", settings, student=student)
    run(tmp_path / "plain", replace(settings, offload=False))
    assert losses(tmp_path / "offloaded") == pytest.approx(losses(tmp_path / "plain"), rel=1e-6)
    assert {type(one.data).__name__ for one in student.parameters()} == {"DTensor"}


def test_a_run_goes_on_with_and_without(tmp_path):
    def stop_after_three(metrics, _steps):
        if metrics.step == 3:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGTERM)

    offloaded(tmp_path / "one", watcher=Watcher(step=stop_after_three))
    run(tmp_path / "one")
    run(tmp_path / "other", watcher=Watcher(step=stop_after_three))
    offloaded(tmp_path / "other")
    run(tmp_path / "whole")
    for name in ("one", "other"):
        assert losses(tmp_path / name) == pytest.approx(losses(tmp_path / "whole"), rel=1e-6)


def test_on_a_cpu_there_is_nothing_to_keep_weights_out_of():
    with pytest.raises(ConflictingOptions, match="whose memory is the host's own"):
        check_offload(OFFLOADED, World(torch.device("cpu")))
    check_offload(SETTINGS, World(torch.device("cpu")))
