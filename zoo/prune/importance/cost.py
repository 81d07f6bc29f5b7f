"""What measuring importance takes: tokens, FLOPs, bytes. From dimensions alone; nothing is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.arch.dims import Dense
from zoo.arch.parameters import count_parameters, prefill_flops
from zoo.prune.importance.blocks import Block, blocks_of, most_at_once, passes

STATE_WIDTH = 4
"""Hidden states stand in files as fp32."""


@dataclass(frozen=True)
class MeasurementCost:
    """`flops` are those of the forward passes; bytes are read and written in files. `evaluations` of a task are not in them."""

    rows: int
    length: int
    flops: int
    weights_read: int
    states_read: int
    states_written: int
    states_at_once: int
    """Bytes of hidden states that stand on the disk at a time, at most."""
    evaluations: int = 0

    @property
    def tokens(self) -> int:
        """Tokens of the calibration rows."""
        return self.rows * self.length

    def seconds(self, rate: float) -> float:
        """How long the FLOPs take at `rate` FLOP/s; reading and writing come to it."""
        return self.flops / rate


def measurement_cost(
    dims: Dense,
    rows: int,
    length: int,
    lengths: Sequence[int] = (1,),
    perplexity: bool = False,
    task_length: int | None = None,
    width: float = 2,
    done: int = 0,
) -> MeasurementCost:
    """The cost of measuring on [rows, length] tokens, of the layers from `done` on.

    `lengths` are those of the blocks whose removal is measured, `width` the bytes of a stored weight; a task scores the
    model without each block of `task_length` layers, and the whole one.
    """
    layers = dims.num_layers
    blocks = blocks_of(lengths, layers)
    removed = blocks if perplexity else []
    state = rows * length * dims.hidden_size * STATE_WIDTH
    through = sum(len(list(passes(layer, removed))) for layer in range(done, layers))
    compared = sum(block.after > done for block in blocks)  # Block Influence reads the states on both sides
    heads = len(removed) + 1 if removed else 0
    return MeasurementCost(
        rows,
        length,
        flops=through * layer_flops(dims, rows, length)
        + heads * rows * 2 * dims.vocab_size * dims.hidden_size * (length - 1),
        weights_read=round(width * _weights(dims, layers - done, heads > 0)),
        states_read=state * (through + 2 * compared + heads),
        states_written=state * (through + (done == 0)),
        states_at_once=state * _at_once(layers, lengths, removed),
        evaluations=layers - task_length + 2 if task_length else 0,
    )


def layer_flops(dims: Dense, rows: int, length: int) -> int:
    """FLOPs of [rows, length] tokens through one layer."""
    head = 2 * dims.vocab_size * dims.hidden_size * length
    return rows * (prefill_flops(dims, length) - head) // dims.num_layers


def _weights(dims: Dense, layers: int, head: bool) -> int:
    counted = count_parameters(dims)
    return layers * counted.per_layer[0] + (dims.vocab_size * dims.hidden_size if head else 0)


def _at_once(layers: int, lengths: Sequence[int], removed: Sequence[Block]) -> int:
    return most_at_once(layers, max(lengths, default=1), removed)
