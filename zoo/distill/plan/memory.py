"""What a device holds at the most, part by part: the largest of the moments of a step, from dimensions and settings alone.

The layout is the trainer's (zoo/distill/train): trained weights, gradients and moments in fp32, in shards under fsdp; a unit (a
decoder layer, or all around the layers: the root) computes with casts of its weights; heads are applied chunk by chunk.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.distill.plan.activations import kept_besides, kept_by_checkpoint, kept_by_layer, passing
from zoo.distill.plan.logits import chunk_bytes
from zoo.distill.plan.setup import Setup, layer_parameters, root_parameters, table_parameters

FULL = 4
"""Bytes of a trained weight, of its gradient, and of each of AdamW's two moments: fp32."""
EIGHT_BIT = 1 + 4 / 256
"""Bytes of a moment of torchao's AdamW8bit: one, and an fp32 scale for every 256."""
GATHERED = 2
"""Layers whose weights are whole on a rank at a time under fsdp: the one that runs and the next."""
DRAW = 8 + 4
"""Bytes of a sampled id and its weight, as the loss takes them."""
CONTEXT = {"cpu": 350_000_000, "cuda": 800_000_000}
"""Bytes that a process takes before any model: interpreter and libraries on a CPU; on a GPU the driver's context, kernels
and the workspaces of cuBLAS, an estimate that has not been measured here."""


@dataclass(frozen=True)
class Part:
    """Some of a device's memory, and what takes it."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Memory:
    """The moment of a step at which most is held, and its parts."""

    moment: str
    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        """Bytes of all parts."""
        return sum(part.bytes for part in self.parts)


def peak_memory(setup: Setup) -> Memory:
    """The largest moment of a step on one device, with the micro-batch that `setup` names."""
    resident = _resident(setup)
    moments = {
        "the teacher's forward pass": _teaching(setup),
        "the loss": _losing(setup),
        "the start of the backward pass": _turning(setup),
        "the end of the backward pass": _returning(setup),
        "the optimizer's step": [Part("gradients", _gradients(setup))],
    }
    held = [Memory(name, _sized([*resident, *parts])) for name, parts in moments.items()]
    return max(held, key=lambda memory: memory.total)


def _resident(setup: Setup) -> list[Part]:
    """What is there at every moment."""
    frozen = setup.parameters * setup.width if setup.lora else 0
    trained = setup.trained * FULL
    moment = EIGHT_BIT if setup.train.optimizer == "adamw-8bit" else FULL
    return [
        Part("weights", (trained + frozen) // setup.shards),
        Part("optimizer", int(2 * moment * setup.trained) // setup.shards),
        Part("teacher", teacher_bytes(setup)),
        Part("process and libraries", CONTEXT[setup.device]),
    ]


def teacher_bytes(setup: Setup) -> int:
    """What stays of the teacher on a device: all of it, its share of the layers and the whole head, or of a cache the head."""
    teacher, width = setup.teacher, setup.width
    head = table_parameters(teacher) * width
    if setup.targets == "sampled":
        return 0
    if setup.targets == "exact":
        return head
    layers = teacher.num_layers * layer_parameters(teacher) * width
    embedding = 0 if teacher.tied_embeddings else head
    return (layers + embedding) // setup.shards + head


def _teaching(setup: Setup) -> list[Part]:
    carried = Part("gradients of earlier micro-batches", _carried(setup))
    if setup.targets != "live":
        return [carried, _targets(setup)]
    teacher, width = setup.teacher, setup.width
    unsharded = 0
    if setup.layout == "fsdp":
        embedding = 0 if teacher.tied_embeddings else table_parameters(teacher)
        unsharded = (embedding + GATHERED * layer_parameters(teacher)) * width
    return [
        carried,
        _targets(setup),
        Part("teacher's layers, gathered", unsharded),
        Part("teacher's activations", passing(teacher, setup.micro, setup.train.length, width)),
    ]


def _losing(setup: Setup) -> list[Part]:
    states = setup.tokens * setup.student.hidden_size * setup.width
    return [
        Part("gradients of earlier micro-batches", _carried(setup)),
        Part(_casts_name(setup), _casts(setup, root=True)),
        Part("activations", _kept(setup)),
        _targets(setup),
        Part("states before the head and their gradient", 3 * states),
        Part("gradient of the head", _head_gradient(setup)),
        Part("logits of a chunk", chunk_bytes(setup)),
    ]


def _turning(setup: Setup) -> list[Part]:
    """The topmost layer goes backward while all others still keep everything."""
    student, width, tokens = setup.student, setup.width, setup.tokens
    gated = 3 if student.activation in ("swiglu", "geglu") else 2
    on_the_way = tokens * (2 * student.hidden_size + gated * student.ffn_hidden_size) * width
    again = kept_by_layer(student, setup.micro, setup.train.length, width) if setup.train.checkpoint_activations else 0
    return [
        Part("gradients of earlier micro-batches", _carried(setup)),
        Part(_casts_name(setup), _casts(setup, root=setup.layout == "fsdp")),
        Part("activations", _kept(setup) + again),
        _targets(setup),
        Part("gradients on their way", on_the_way + _layer_gradient(setup)),
        Part("gradient of the head", _head_gradient(setup)),
    ]


def _returning(setup: Setup) -> list[Part]:
    """Gradients are whole but for the tables', which arrive in the dtype of the products and are added last."""
    student, table = setup.student, table_parameters(setup.student)
    if setup.lora:
        return [Part("gradients", _gradients(setup)), _targets(setup)]
    if setup.layout == "fsdp":
        root = root_parameters(student)
        return [
            Part("gradients", _gradients(setup)),
            Part(_casts_name(setup), root * setup.width),
            Part("gradients of embedding and head, before they are shared out", root * (setup.width + FULL)),
            _targets(setup),
        ]
    # Both tables' gradients wait for their cast; with a carried gradient the fp32 form of one is there besides.
    waiting = 2 * table * setup.width if setup.width != FULL else table
    wide = table * FULL if setup.micro_batches > 1 or student.tied_embeddings else 0
    return [
        Part("gradients", _gradients(setup)),
        Part("gradients of embedding and head", waiting + wide),
        _targets(setup),
    ]


def _targets(setup: Setup) -> Part:
    each = setup.draws * DRAW if setup.targets == "sampled" else setup.teacher.hidden_size * setup.width
    return Part("targets", setup.tokens * each)


def _kept(setup: Setup) -> int:
    """What the student's forward pass leaves for its backward pass."""
    student, rows, length, width = setup.student, setup.micro, setup.train.length, setup.width
    kept = kept_by_checkpoint if setup.train.checkpoint_activations else kept_by_layer
    return student.num_layers * kept(student, rows, length, width) + kept_besides(student, rows, length, width)


def _gradients(setup: Setup) -> int:
    return setup.trained * FULL // setup.shards


def _carried(setup: Setup) -> int:
    """Gradients that are there while a micro-batch goes forward. DDP keeps its buckets from step to step."""
    return _gradients(setup) if setup.micro_batches > 1 or setup.layout == "ddp" else 0


def _head_gradient(setup: Setup) -> int:
    return 0 if setup.lora else table_parameters(setup.student) * setup.width


def _layer_gradient(setup: Setup) -> int:
    """One layer's gradients before they are added: in the dtype of the products, and in fp32."""
    if setup.lora:
        return 0
    wide = FULL if setup.width != FULL or setup.layout == "fsdp" else 0
    return layer_parameters(setup.student) * (setup.width + wide)


def _casts_name(setup: Setup) -> str:
    return "weights, gathered" if setup.layout == "fsdp" else "weights cast to the dtype of the products"


def _casts(setup: Setup, root: bool) -> int:
    """Weights in the dtype of the products beside the stored ones."""
    student, width = setup.student, setup.width
    layer = layer_parameters(student)
    around = root_parameters(student) if root else 0
    if setup.layout == "fsdp":
        return (around + GATHERED * layer) * width
    if width == FULL or setup.lora:  # frozen weights are held as they are computed with, adapters are few
        return 0
    return (around + (1 if setup.train.checkpoint_activations else student.num_layers) * layer) * width


def _sized(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The parts that are there, the largest first."""
    return tuple(sorted((part for part in parts if part.bytes), key=lambda part: -part.bytes))
