"""What of a parent is measured, and what it is computed on."""

from __future__ import annotations

from dataclasses import dataclass, field

from zoo.prune.importance.aggregate import Aggregation, Neurons

BATCH_TOKENS = 4096


@dataclass(frozen=True)
class ImportanceSettings:
    """What is measured. `blocks` are lengths of blocks of layers (1: single layers): the Block Influence of every block of
    these lengths is measured, and with `perplexity` the perplexity of the model without it."""

    aggregation: Aggregation = field(default_factory=Aggregation)
    neurons: Neurons = "post"
    blocks: tuple[int, ...] = (1,)
    perplexity: bool = False

    @property
    def described(self) -> str:
        """In words, for plans and cards."""
        how = f"batch {self.aggregation.batch}, sequence {self.aggregation.sequence}"
        return f"{how}, neurons {self.neurons}-activation"


@dataclass(frozen=True)
class Computing:
    """The devices that batches of rows are shared over, the type of numbers there, and the tokens of a batch.

    A batch is computed whole on one device, and batches are added up in the order of the rows: how many devices there are
    changes nothing in the outcome where they are of one kind.
    """

    devices: tuple[str, ...] = ("cpu",)
    dtype: str = "float32"
    batch_tokens: int = BATCH_TOKENS
