"""The Slurm example: a shell script whose every option the command has, of a run that fits the GPUs that it asks for."""

import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from support.paths import ROOT

from minizoo.commands.distill import distill
from zoo.arch.gpus import load_gpus
from zoo.distill.plan.fit import fit
from zoo.distill.plan.setup import Setup
from zoo.distill.recipes import advise, recipe
from zoo.registry.loader import load_registry

SCRIPT = ROOT / "examples" / "distill.sbatch"
TEXT = SCRIPT.read_text("utf-8")
CALL = TEXT[TEXT.index("minizoo \\\n") : TEXT.index("code=$?")]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_it_is_a_shell_script():
    assert subprocess.run(["bash", "-n", SCRIPT], check=False).returncode == 0


def test_the_command_has_every_option_that_it_uses():
    known = {word for option in distill.params for word in option.opts}
    used = re.findall(r"--[a-z-]+", CALL)
    assert "--student" in used
    assert set(used) <= known


def test_it_says_that_nobody_has_run_it():
    assert "NOT RUN" in TEXT


def test_its_run_fits_the_eight_gpus_of_80_gb():
    student = re.search(r"--recipe (\S+)", CALL)[1]
    tokens, gpus = int(re.search(r"--tokens (\d+)", CALL)[1]), int(re.search(r"--gpus-per-node=(\d+)", TEXT)[1])
    assert ("--checkpoint-activations" in CALL, gpus) == (True, 8)
    run, models = recipe(student), load_registry().models
    train = replace(advise(run, tokens).train, checkpoint_activations=True)
    setup = Setup(models[student].architecture, models[run.teacher].architecture, train, processes=gpus)
    assert fit(setup, load_gpus()["h100-sxm"].memory_bytes).setup.train.micro > 1
