"""What a device holds at the most, part by part: the largest of the moments of a step, from dimensions and settings alone.

The layout is the trainer's (zoo/distill/train): trained weights, gradients and moments in fp32, in shards under fsdp; a unit (a
decoder layer, or all around the layers: the root) computes with casts of its weights; heads are applied chunk by chunk.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.arch.dims import Dense
from zoo.arch.parameters import GATED
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
ENTROPY = 4
"""Bytes of the teacher's entropy of a token, beside its samples."""
CONTEXT = {"cpu": 400_000_000, "cuda": 800_000_000}
"""Bytes that a process takes before any model: interpreter and libraries on a CPU, as measured; on a GPU the driver's context,
kernels and the workspaces of cuBLAS, an estimate that has not been measured here."""
SMALL = 32 << 20
"""Bytes below which glibc's malloc may take a block from its own pool (M_MMAP_THRESHOLD's upper bound), and then keeps it."""


@dataclass(frozen=True)
class Part:
    """Some of a device's memory, and what takes it. `pooled` on a CPU, where what is freed stays with the process."""

    name: str
    bytes: int
    pooled: bool = False


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
    """The largest moment of a step on one device, with the micro-batch that `setup` names.

    On a CPU it is the process's largest resident set: small tensors come from a pool that is never given back and too
    scattered to be used again by others, so those of all moments count together. (Measured: without them the plan is up to a
    fifth too small.)
    """
    moments = {
        "the teacher's forward pass": _teaching(setup),
        "the loss": _losing(setup),
        "the start of the backward pass": _turning(setup),
        "the end of the backward pass": _returning(setup),
        "the optimizer's step": _stepping(setup),
    }
    resident = _resident(setup)
    if setup.device == "cpu":
        resident += _pool(moments.values())
        moments = {name: [part for part in parts if not part.pooled] for name, parts in moments.items()}
    held = [Memory(name, _sized([*resident, *parts])) for name, parts in moments.items()]
    return max(held, key=lambda memory: memory.total)


def _pool(moments: Iterable[list[Part]]) -> list[Part]:
    """Of each small part what it is at the most."""
    most: dict[str, Part] = {}
    for part in (part for parts in moments for part in parts if part.pooled):
        if part.name not in most or part.bytes > most[part.name].bytes:
            most[part.name] = part
    return list(most.values())


def _resident(setup: Setup) -> list[Part]:
    """What is there at every moment. Of what waits on the host nothing is."""
    if setup.train.offload:
        return [Part("teacher", teacher_bytes(setup)), Part("process and libraries", CONTEXT[setup.device])]
    frozen = setup.parameters * setup.width if setup.lora else 0
    trained = setup.trained * FULL
    moment = EIGHT_BIT if setup.train.optimizer == "adamw-8bit" else FULL
    return [
        Part("weights", (trained + frozen) // setup.shards),
        Part("optimizer", int(2 * moment * setup.trained) // setup.shards),
        Part("teacher", teacher_bytes(setup)),
        Part("projection of states, trained", setup.projection * 4 * FULL // setup.shards),
        Part("process and libraries", CONTEXT[setup.device]),
    ]


def teacher_bytes(setup: Setup) -> int:
    """What stays of the teacher on a device: all of it, its share of the layers and the whole head, or the head alone.

    The head alone is left of one whose hidden states come from a cache, and of one whose layers wait on the host.
    """
    teacher, width = setup.teacher, setup.width
    head = table_parameters(teacher) * width
    if setup.targets == "sampled":
        return 0
    if setup.targets == "exact" or setup.train.offload:
        return head
    layers = teacher.num_layers * layer_parameters(teacher) * width
    embedding = 0 if teacher.tied_embeddings else head
    return (layers + embedding) // setup.shards + head


def _teaching(setup: Setup) -> list[Part]:
    parts = [*_carried(setup), *_targets(setup)]
    if setup.targets != "live":
        return parts
    teacher, width = setup.teacher, setup.width
    unsharded = 0
    if setup.layout == "fsdp":
        embedding = 0 if teacher.tied_embeddings else table_parameters(teacher)
        unsharded = _gathered(embedding, layer_parameters(teacher)) * width
    working = passing(teacher, setup.micro, setup.train.length, width)
    small = _wide(setup, teacher)
    return [
        *parts,
        Part("teacher's layers, gathered", unsharded, pooled=True),
        Part("teacher's activations", working, small),
    ]


def _losing(setup: Setup) -> list[Part]:
    states = setup.tokens * setup.student.hidden_size * setup.width
    return [
        *_carried(setup),
        *_casts(setup, root=True),
        _kept(setup),
        *_matched(setup),
        *_targets(setup),
        Part("states before the head and their gradient", 3 * states, states < SMALL),
        Part("gradient of the head", _head_gradient(setup)),
        Part("logits of a chunk", chunk_bytes(setup)),
    ]


def _turning(setup: Setup) -> list[Part]:
    """The topmost layer goes backward while all others still keep everything."""
    student, width, tokens = setup.student, setup.width, setup.tokens
    gated = 3 if student.activation in GATED else 2
    on_the_way = tokens * (2 * student.hidden_size + gated * student.ffn_hidden_size) * width
    again = kept_by_layer(student, setup.micro, setup.train.length, width) if setup.train.checkpoint_activations else 0
    small = _wide(setup, student)
    return [
        *_carried(setup),
        *_casts(setup, root=setup.layout == "fsdp"),
        _kept(setup),
        Part("activations of a layer, once more", again, small),
        *_matched(setup),
        *_targets(setup),
        Part("gradients on their way", on_the_way + _layer_gradient(setup), small),
        Part("gradient of the head", _head_gradient(setup)),
    ]


def _returning(setup: Setup) -> list[Part]:
    """Gradients are whole but for the tables', which arrive in the dtype of the products and are added last."""
    student, table = setup.student, table_parameters(setup.student)
    parts = [*_gradients(setup), *_targets(setup)]
    if setup.lora:
        return parts
    if setup.layout == "fsdp":
        root = root_parameters(student)
        own = FULL // setup.shards if setup.train.offload else 0  # this rank's part, on its way to the host
        shared = Part("gradients of embedding and head, before they are shared out", root * (setup.width + FULL + own))
        return [*parts, *_casts(setup, root=True), shared]
    # Both tables' gradients wait for their cast; with a carried gradient the fp32 form of one is there besides.
    waiting = 2 * table * setup.width if setup.width != FULL else table
    wide = table * FULL if setup.micro_batches > 1 or student.tied_embeddings else 0
    return [*parts, Part("gradients of embedding and head, before they are added", waiting + wide)]


def _stepping(setup: Setup) -> list[Part]:
    return _gradients(setup)


def _targets(setup: Setup) -> list[Part]:
    states = setup.teacher.hidden_size * setup.width * (1 + setup.pairs)
    each = setup.draws * DRAW + ENTROPY if setup.targets == "sampled" else states
    return [Part("targets", setup.tokens * each, setup.tokens * each < SMALL)]


def _matched(setup: Setup) -> list[Part]:
    """States of layers that the loss matches: in fp32 and normed, the counted ones, their projection, its distance in fp32."""
    own, said = setup.student.hidden_size, setup.teacher.hidden_size
    each = 2 * (FULL + setup.width) * own + (FULL + setup.width) * said
    return [Part("states that are matched", setup.pairs * setup.tokens * each)]


def _kept(setup: Setup) -> Part:
    """What the student's forward pass leaves for its backward pass."""
    student, rows, length, width = setup.student, setup.micro, setup.train.length, setup.width
    kept = kept_by_checkpoint if setup.train.checkpoint_activations else kept_by_layer
    each = student.num_layers * kept(student, rows, length, width) + kept_besides(student, rows, length, width)
    return Part("activations", each, _wide(setup, student))


def _gradients(setup: Setup) -> list[Part]:
    """Those of the layers, small tensors where a layer's matrices are, and those of the tables; none that waits on the host."""
    if setup.train.offload:
        return []
    tables = 0 if setup.lora else root_parameters(setup.student)
    small = FULL * setup.student.hidden_size * setup.student.ffn_hidden_size // setup.shards < SMALL
    return [
        Part("gradients of the layers", (setup.trained - tables) * FULL // setup.shards, small or bool(setup.lora)),
        Part("gradients of embedding and head", tables * FULL // setup.shards),
    ]


def _carried(setup: Setup) -> list[Part]:
    """Gradients that are there while a micro-batch goes forward. DDP keeps its buckets from step to step."""
    return _gradients(setup) if setup.micro_batches > 1 or setup.layout == "ddp" else []


def _head_gradient(setup: Setup) -> int:
    return 0 if setup.lora else table_parameters(setup.student) * setup.width


def _layer_gradient(setup: Setup) -> int:
    """One layer's gradients before they are added: in the dtype of the products, and in fp32."""
    if setup.lora:
        return 0
    wide = FULL if setup.width != FULL or setup.layout == "fsdp" else 0
    return layer_parameters(setup.student) * (setup.width + wide)


def _casts(setup: Setup, root: bool) -> list[Part]:
    """Weights in the dtype of the products beside the stored ones."""
    student, width = setup.student, setup.width
    layer, around = layer_parameters(student) * width, (root_parameters(student) if root else 0) * width
    if setup.layout == "fsdp":
        gathered = Part("weights, gathered", _gathered(around, layer), pooled=True)
        return [gathered, Part("weights, on their way from the host", _arriving(setup))]
    if width == FULL or setup.lora:  # frozen weights are held as they are computed with, adapters are few
        return []
    small = student.hidden_size * student.ffn_hidden_size * width < SMALL
    layers = 1 if setup.train.checkpoint_activations else student.num_layers
    return [Part("layers cast to bf16", layers * layer, small), Part("embedding and head cast to bf16", around)]


def _gathered(root: int, layer: int) -> int:
    """What is whole on a rank under fsdp: the root and some layers; a unit arrives in a buffer and is copied out of it."""
    return max(2 * root, root + (GATHERED + 1) * layer)


def _arriving(setup: Setup) -> int:
    """Of a unit's share that comes from the host in fp32 before it is cast and gathered, the root's at the most."""
    if not setup.train.offload:
        return 0
    unit = max(root_parameters(setup.student), layer_parameters(setup.student))
    return unit * (setup.width if setup.lora else FULL) // setup.shards


def _wide(setup: Setup, dims: Dense) -> bool:
    """Whether a layer's widest activation is a small tensor."""
    return setup.tokens * dims.ffn_hidden_size * setup.width < SMALL


def _sized(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The parts that are there, the largest first."""
    return tuple(sorted((part for part in parts if part.bytes), key=lambda part: -part.bytes))
