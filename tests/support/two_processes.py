"""`torchrun --nproc-per-node 2 -m support.two_processes OUT`: what two ranks do, all in processes that are started once.

Each run leaves its folder in OUT, each rank what it saw in OUT/rank-N.json. At the end rank 1 kills itself within a step.
"""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch

from support.small_training import SETTINGS, run, small_student, small_teacher
from zoo.distill.settings import LossSettings
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
    teacher = small_teacher()
    shard_teacher(teacher.model, world, offload=True)
    run(out / "offloaded", replace(SETTINGS, offload=True), student=small_student(), teacher=teacher, world=world)
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


def lost(out, world):
    """The second rank dies within a step."""
    signal.signal(
        signal.SIGTERM, signal.SIG_IGN
    )  # torchrun ends all ranks where one died; this one has something to tell
    teacher = small_teacher()
    said, asked = teacher.targets, []

    def dying(batch):
        asked.append(batch)
        if world.rank == 1 and len(asked) == 6:
            os.kill(os.getpid(), signal.SIGKILL)
        return said(batch)

    teacher.targets = dying
    try:
        run(out / "lost", replace(SETTINGS, save_every=1), teacher=teacher, world=world)
    except MinizooError as error:
        return {"code": error.code, "what": error.what}


def main(out):
    out = Path(out)
    torch.set_num_threads(1)
    with open_world("auto", "cpu") as world:
        seen = {"mode": world.mode, **runs(out, world), "going on": stopped_and_gone_on(out, world)}
        seen["error"] = errors(out, world)
        own = out / f"rank-{world.rank}.json"
        own.write_text(json.dumps(seen))
        world.gather("both have written")
        own.write_text(json.dumps({**seen, "lost": lost(out, world)}))


if __name__ == "__main__":
    main(sys.argv[1])
