"""What is planned: two models by their dimensions, the run's settings, where the targets come from, over how many processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from zoo.arch.dims import Dense
from zoo.arch.parameters import BITS, count_parameters
from zoo.distill.settings import LossSettings, TrainSettings
from zoo.distill.teacher.choose import SAMPLES
from zoo.errors import InvalidOption

Targets = Literal["live", "exact", "sampled"]
Layout = Literal["none", "ddp", "fsdp"]


@dataclass(frozen=True)
class Setup:
    """A run before it is started.

    `targets`: the teacher in memory, or a cache of its hidden states, or one of `draws` sampled ids a token. `lora` is the rank
    of adapters on every matrix of the layers, 0 where all weights are trained. `device` decides what is computed in how many
    bytes beside the weights: a GPU has its driver's context, and sharded weights on a CPU are not gathered in 16 bits.
    """

    student: Dense
    teacher: Dense
    train: TrainSettings
    loss: LossSettings = field(default_factory=LossSettings)
    targets: Targets = "live"
    draws: int = SAMPLES
    processes: int = 1
    device: Literal["cpu", "cuda"] = "cuda"
    lora: int = 0

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise InvalidOption(f"{self.processes} processes train nothing.", "Give at least 1.")
        if self.train.batch % self.processes:
            raise InvalidOption(
                f"{self.train.batch} rows a step cannot be shared evenly by {self.processes} processes.",
                f"Give a batch that is a multiple of {self.processes}.",
            )

    @property
    def layout(self) -> Layout:
        """How weights stand over the processes; alone, nothing is shared, and what waits on the host does so by fsdp."""
        if self.train.offload:
            return "fsdp"
        if self.processes == 1 or self.train.parallel == "none":
            return "none"
        return "ddp" if self.train.parallel == "ddp" else "fsdp"

    @property
    def shards(self) -> int:
        """Into how many parts the weights and what goes with them are cut."""
        return self.processes if self.layout == "fsdp" else 1

    @property
    def rows(self) -> int:
        """Rows that a process computes a step."""
        return self.train.batch // self.processes

    @property
    def micro_batches(self) -> int:
        """Micro-batches a step and process, the last one perhaps smaller."""
        return -(-self.rows // self.train.micro)

    @property
    def micro(self) -> int:
        """Rows that a process computes at once."""
        return min(self.train.micro, self.rows)

    @property
    def tokens(self) -> int:
        """Tokens of a micro-batch."""
        return self.micro * self.train.length

    @property
    def width(self) -> int:
        """Bytes of a number that is computed in."""
        return BITS[self.train.dtype] // 8

    @property
    def parameters(self) -> int:
        """Parameters of the student."""
        return count_parameters(self.student).total

    @property
    def trained(self) -> int:
        """Parameters that take a gradient: all, or the adapters' alone."""
        return adapter_parameters(self.student, self.lora) if self.lora else self.parameters

    @property
    def pairs(self) -> int:
        """Pairs of layers whose states the loss matches, the embeddings' among them."""
        return len(self.loss.states) + int(self.loss.embedding)

    @property
    def projection(self) -> int:
        """Parameters of the map from the student's width to the teacher's, where the loss matches states."""
        return self.student.hidden_size * self.teacher.hidden_size if self.pairs else 0


def adapter_parameters(dims: Dense, rank: int) -> int:
    """Parameters of LoRA adapters of that rank on every matrix of the layers: rank × (rows + columns) each."""
    queries, keys = dims.num_attention_heads * dims.head_dim, dims.num_kv_heads * dims.head_dim
    attention = 2 * (dims.hidden_size + queries) + 2 * (dims.hidden_size + keys)
    mlp = (3 if dims.activation in ("swiglu", "geglu") else 2) * (dims.hidden_size + dims.ffn_hidden_size)
    return dims.num_layers * rank * (attention + mlp)


def table_parameters(dims: Dense) -> int:
    """Parameters of one table, the embedding or the head: vocabulary × hidden."""
    return dims.vocab_size * dims.hidden_size


def layer_parameters(dims: Dense) -> int:
    """Parameters of one layer."""
    return count_parameters(dims).per_layer[0]


def root_parameters(dims: Dense) -> int:
    """Parameters around the layers: embedding, final norm, and the head where it is not tied."""
    count = count_parameters(dims)
    return count.embedding + count.head + count.final_norm
