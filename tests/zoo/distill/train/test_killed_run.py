"""A run that is killed, as a machine kills it, and its checkpoints."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from support.small_training import SETTINGS, losses, run


def test_a_run_killed_between_two_checkpoints_resumes_to_the_same_bits(tmp_path):
    threads = str(torch.get_num_threads())
    given = {**os.environ, "OMP_NUM_THREADS": threads, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "support.small_training", tmp_path / "killed", "save_every=2", "kill_after=5"]
    with pytest.raises(subprocess.CalledProcessError) as died:
        subprocess.run(command, env=given, check=True, timeout=200)
    assert died.value.returncode == -9
    assert [path.name for path in (tmp_path / "killed/checkpoints").iterdir()][-1:] != []
    assert len(losses(tmp_path / "killed")) == 5
    settings = replace(SETTINGS, save_every=2)
    resumed, whole = run(tmp_path / "killed", settings), run(tmp_path / "whole", settings)
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    for name in ("model.safetensors", "training/rank-00000-of-00001.safetensors"):
        assert (resumed.last / name).read_bytes() == (whole.last / name).read_bytes()
