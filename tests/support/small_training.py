"""A training run that takes seconds: a tiny student of a tiny teacher over random documents of uneven length.

`python -m support.small_training OUT KEY=VALUE…` runs it in a process of its own (or under torchrun in several): keys are those
of TrainSettings, and `kill_after=STEPS`, `stop_after=STEPS`, `shared_teacher=1`, `looked_at=FILE`.
"""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch

from support.tiny_models import tiny
from zoo.distill.data.packing import Framing
from zoo.distill.data.rows import rows_in_memory
from zoo.distill.settings import LossSettings, TrainSettings
from zoo.distill.teacher.live import LiveTeacher
from zoo.distill.train.loop import train
from zoo.distill.train.parallel import shard_teacher
from zoo.distill.train.watcher import Watcher
from zoo.distill.train.world import open_world

LENGTH = 24
SETTINGS = TrainSettings(
    steps=6, batch=4, length=LENGTH, micro=1, rate=3e-3, least_rate=1e-4, warm_up=2, dtype="float32", seed=3
)


def small_rows(count=40, seed=5):
    drawn = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, 40, (count,), generator=drawn).tolist()
    documents = [torch.randint(3, 300, (length,), generator=drawn).tolist() for length in lengths]
    return rows_in_memory(documents, Framing(LENGTH, bos=1, eos=2), 300, seed)


def small_student(**changes):
    return tiny("llama", **{"hidden_size": 32, "tie_word_embeddings": True, "num_hidden_layers": 2, **changes})


def small_teacher(layers=()):
    return LiveTeacher(tiny("llama", num_hidden_layers=2), layers, digest="the teacher")


def run(out, settings=SETTINGS, loss=None, student=None, teacher=None, rows=None, **others):
    return train(
        small_student() if student is None else student,
        small_teacher() if teacher is None else teacher,
        small_rows() if rows is None else rows,
        loss or LossSettings(chunk=16),
        settings,
        Path(out),
        student_digest="the student",
        **others,
    )


def losses(out):
    return [json.loads(line)["loss"] for line in Path(out, "metrics.jsonl").read_text().splitlines()]


def main(out, *given):
    told = dict(each.split("=", 1) for each in given)
    kill, stop, looked_at = (told.pop(name, None) for name in ("kill_after", "stop_after", "looked_at"))
    shared_teacher = told.pop("shared_teacher", None)
    kinds = {name: type(getattr(SETTINGS, name)) for name in told}
    settings = replace(SETTINGS, **{name: kinds[name](value) for name, value in told.items()})

    def after_step(metrics, _steps):
        if kill and metrics.step == int(kill):
            os.kill(os.getpid(), signal.SIGKILL)
        if stop and metrics.step == int(stop):
            os.kill(os.getpid(), signal.SIGTERM)

    with open_world(settings.parallel, "cpu") as world:
        model, teacher = small_student(), small_teacher()
        if shared_teacher:
            shard_teacher(teacher.model, world)
        outcome = run(out, settings, student=model, teacher=teacher, world=world, watcher=Watcher(step=after_step))
        if looked_at:
            held = [one.to_local() if hasattr(one, "to_local") else one for one in model.parameters()]
            kinds = sorted({type(one.data).__name__ for one in model.parameters()})
            own = sum(one.numel() * one.element_size() for one in held)
            found = world.gather({"kinds": kinds, "bytes": own, "stopped": outcome.stopped})
            if world.is_first:
                Path(looked_at).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
