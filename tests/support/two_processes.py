"""`torchrun --nproc-per-node 2 -m support.two_processes OUT TEXT PORT PORT`: what two ranks do, in processes started once.

Each run leaves its folder in OUT, each rank what it saw in OUT/rank-N.json. At the end rank 1 kills itself within a step.
"""

import io
import json
import os
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

import torch

from minizoo.cli import run as minizoo
from support.distilling import short_run
from support.small_training import SETTINGS, run, small_student, small_teacher
from zoo.distill.settings import LossSettings
from zoo.distill.teacher.live import LiveTeacher
from zoo.distill.train.parallel import shard_teacher
from zoo.distill.train.world import open_world
from zoo.errors import MinizooError, NotComparable

BF16 = replace(SETTINGS, dtype="bfloat16", checkpoint_activations=True)
UNTIED = {"tie_word_embeddings": False, "intermediate_size": 97}
"""And a width of the MLP that two ranks do not share evenly."""
STATES = LossSettings(chunk=16, states=((1, 1),), embedding=True)


def frozen_student():
    student = small_student()
    for name, parameter in student.named_parameters():
        parameter.requires_grad_("q_proj" in name or "norm" in name)
    return student


def held(model):
    """What a rank holds of a model: the kinds of its parameters, and their bytes here."""
    own = [one.to_local() if hasattr(one, "to_local") else one for one in model.parameters()]
    kinds = sorted({type(one.data).__name__ for one in model.parameters()})
    return {"kinds": kinds, "bytes": sum(one.numel() * one.element_size() for one in own)}


def runs(out, world):
    """name → what this rank holds after that run"""
    seen = {}
    teacher, student = small_teacher(), small_student()
    shard_teacher(teacher.model, world)
    run(out / "fsdp", student=student, teacher=teacher, world=world)
    seen["fsdp"], seen["teacher"] = held(student), held(teacher.model)
    run(out / "ddp", student=small_student(), world=replace(world, mode="ddp"))
    run(out / "bf16", BF16, student=small_student(), world=world)
    run(out / "frozen", BF16, student=frozen_student(), world=world)
    run(out / "untied", student=small_student(**UNTIED), world=world)
    run(out / "states", loss=STATES, teacher=small_teacher((1, -1)), world=world)
    return seen


def stopped_and_gone_on(out, world):
    """A run whose second rank alone is told to stop, and one that goes on from what a single process wrote."""
    teacher = small_teacher()
    said, asked = teacher.targets, []

    def told_to_stop(batch):
        asked.append(batch)
        if world.rank == 1 and len(asked) == 6:  # in the third step of two micro-batches a rank
            os.kill(os.getpid(), signal.SIGTERM)
        return said(batch)

    teacher.targets = told_to_stop
    outcome = run(out / "stopped", teacher=teacher, world=world)
    run(out / "from one", world=world)
    ddp, constant = replace(world, mode="ddp"), replace(SETTINGS, schedule="constant")
    run(out / "longer", replace(constant, steps=3), world=ddp)
    run(out / "longer", constant, world=ddp)
    return {"stopped": outcome.stopped, "steps": outcome.steps}


def errors(out, world):
    """What each rank is told where the first one fails."""

    def fail(_folder):
        raise NotComparable("The task is not there.")

    try:
        run(out / "failing", replace(SETTINGS, eval_every=1), world=world, evaluate=fail)
    except MinizooError as error:
        return {"code": error.code, "what": error.what}


def command(text, out, *words, **size):
    """`minizoo distill` in every rank: its exit code, and what this rank's standard output and error were told."""
    printed, told = io.StringIO(), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(told):
        code = minizoo([str(word) for word in [*short_run(text, out, **size), "--device", "cpu", *words]])
    return {"code": code, "out": printed.getvalue(), "err": told.getvalue()}


def lost(text, out, rank):
    """The command's second rank dies within the third step."""
    if rank == 1:
        said, asked = LiveTeacher.targets, []

        def dying(self, batch):
            asked.append(batch)
            if len(asked) == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            return said(self, batch)

        LiveTeacher.targets = dying
    # torchrun ends all ranks where one died; this one has something to tell
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return command(text, out, "--save-every", 2)


def meet_at(port):
    """Let the ranks find each other anew: what torchrun's own store holds of a world that was closed leads nowhere."""
    os.environ.update(TORCHELASTIC_USE_AGENT_STORE="False", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)


def main(out, text, *ports):
    out = Path(out)
    torch.set_num_threads(1)
    seen = {"command": command(text, out / "command", "--json")}
    meet_at(ports[0])
    with open_world("auto", "cpu") as world:
        seen |= {"mode": world.mode, **runs(out, world), "going on": stopped_and_gone_on(out, world)}
        seen["error"] = errors(out, world)
        own = out / f"rank-{world.rank}.json"
        own.write_text(json.dumps(seen))
        world.gather("both have written")
    meet_at(ports[1])
    own.write_text(json.dumps({**seen, "lost": lost(text, out / "lost", world.rank)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
