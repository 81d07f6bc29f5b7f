"""`python -m support.measured_training SETUP`: a real step of a planned run in a process of its own, and the memory it took.

Prints the bytes of the process's largest resident set. The weights are drawn, the rows are packed from two documents each.
"""

import json
import resource
import sys
from dataclasses import asdict
from typing import Any

from zoo.arch.dims import Dense
from zoo.distill.plan.setup import Setup
from zoo.distill.settings import LossSettings, TrainSettings


def as_word(setup: Setup) -> str:
    """The setup as one argument of a command line."""
    given = {
        **{name: getattr(setup, name) for name in ("targets", "draws", "lora", "processes")},
        "student": setup.student.model_dump(mode="json"),
        "teacher": setup.teacher.model_dump(mode="json"),
        "train": asdict(setup.train),
        "loss": asdict(setup.loss),
    }
    return json.dumps(given)


def read(word: str) -> Setup:
    """The setup of that argument, on a CPU."""
    given = json.loads(word)
    loss, train = LossSettings(**given.pop("loss")), TrainSettings(**given.pop("train"))
    student, teacher = (Dense.model_validate(given.pop(name)) for name in ("student", "teacher"))
    return Setup(student, teacher, train, loss, device="cpu", **given)


def model_of(dims: Dense, dtype: Any) -> Any:
    """A Llama of these dimensions with drawn weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=dims.vocab_size, hidden_size=dims.hidden_size, intermediate_size=dims.ffn_hidden_size,
        num_hidden_layers=dims.num_layers, num_attention_heads=dims.num_attention_heads,
        num_key_value_heads=dims.num_kv_heads, head_dim=dims.head_dim, tie_word_embeddings=dims.tied_embeddings,
        dtype=dtype,
    )  # fmt: skip
    return LlamaForCausalLM._from_config(config, dtype=dtype)


def train_step(setup: Setup) -> None:
    """One step of the trainer, from moments that are there already."""
    import torch

    from zoo.distill.lora import add_adapters
    from zoo.distill.train.objective import Objective
    from zoo.distill.train.optimizer import fill_state, make_optimizer
    from zoo.distill.train.parallel import DTYPES, spread
    from zoo.distill.train.step import take_step
    from zoo.distill.train.world import open_world

    torch.manual_seed(0)
    dtype, train = DTYPES[setup.train.dtype], setup.train
    student = model_of(setup.student, dtype)
    if setup.lora:
        add_adapters(student, setup.lora)
    with open_world(device="cpu") as world:
        module = spread(Objective(student, setup.loss), train, world)
        optimizer = make_optimizer(module, train)
        fill_state(optimizer)
        teacher = teacher_of(setup, dtype, world)
        rows = [batch(setup, first) for first in range(0, setup.rows, train.micro)]
        take_step(module, optimizer, teacher, rows, train, world, 0, train.rate)


def batch(setup: Setup, first: int) -> Any:
    """A micro-batch of rows of two documents each."""
    import torch

    from zoo.distill.batch import Batch

    length, count = setup.train.length, setup.micro
    ids = torch.randint(0, setup.student.vocab_size, (count, length))
    half = length // 2
    positions = torch.cat([torch.arange(half), torch.arange(length - half)]).repeat(count, 1)
    return Batch(ids, positions, torch.ones(count, length), tuple(range(first, first + count)), "")


def teacher_of(setup: Setup, dtype: Any, world: Any) -> Any:
    """The live teacher, or one that answers as a cache does: hidden states and a head, or draws."""
    import torch

    from zoo.distill.batch import ExactTargets, Head, SampledTargets, counted
    from zoo.distill.teacher.live import LiveTeacher
    from zoo.distill.train.parallel import shard_teacher

    dims = setup.teacher
    if setup.targets == "live":
        teacher = LiveTeacher(model_of(dims, dtype), digest="")
        shard_teacher(teacher.model, world)
        return teacher

    class Cached:
        digest, vocabulary = "", dims.vocab_size
        head = Head(torch.randn(dims.vocab_size, dims.hidden_size, dtype=dtype)) if setup.targets == "exact" else None

        def targets(self, asked: Any) -> Any:
            tokens = int(counted(asked).sum())
            if self.head is not None:
                return ExactTargets(torch.randn(tokens, dims.hidden_size, dtype=dtype), self.head)
            ids = torch.randint(0, dims.vocab_size, (tokens, setup.draws))
            return SampledTargets(ids, torch.full((tokens, setup.draws), 1 / setup.draws), torch.zeros(tokens))

    return Cached()


if __name__ == "__main__":
    train_step(read(sys.argv[1]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
