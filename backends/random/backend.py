"""The `hf` backend over a model of true dimensions and random weights: speed without a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backends.contract import Options, Tokenizer
from backends.hf.backend import HfBackend
from backends.random.draw import check_finite, random_model
from zoo.arch.config_keys import ConfigView
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import InvalidConfig, TokenizerUnreadable


@dataclass
class NoTokenizer:
    """Stands where there are token ids alone: it knows how many there are, and encodes nothing."""

    vocab_size: int
    bos_id: int | None = None
    eos_id: int | None = None

    def encode(self, texts: Sequence[str], add_special_tokens: bool | None = None) -> list[list[int]]:
        """TokenizerUnreadable: random weights know no text."""
        raise TokenizerUnreadable("A model of random weights has no tokenizer.", "Give the folder of one.")

    def decode(self, tokens: Sequence[int], skip_special_tokens: bool = True) -> str:
        """TokenizerUnreadable: random weights know no text."""
        raise TokenizerUnreadable("A model of random weights has no tokenizer.", "Give the folder of one.")


def open_random(
    checkpoint: Checkpoint, options: Options, seed: int = 0, tokenizer: Tokenizer | None = None
) -> HfBackend:
    """The `hf` backend over random weights; `versions["weights"]` says how they were drawn and how large activations are.

    Raises InvalidConfig for a configuration without a vocabulary, WeightsNotFinite where an activation is not finite,
    DeviceMemory where the device is too small.
    """
    ranges: list[tuple[float, float]] = []

    def load(checkpoint: Checkpoint, device: str, dtype: str) -> Any:
        model = random_model(checkpoint, device, dtype, seed)
        ranges.append(check_finite(model, seed))
        return model

    backend = HfBackend(checkpoint, options, load, tokenizer or NoTokenizer(_vocabulary(checkpoint)))
    low, high = ranges[0]
    drawn = f"random, N(0, 1/fan-in), seed {seed}; activations finite, rms {low:.2g} to {high:.2g}"
    backend.versions = {**backend.versions, "weights": drawn}
    return backend


def _vocabulary(checkpoint: Checkpoint) -> int:
    size = ConfigView(checkpoint.config).value("vocab_size")
    if not isinstance(size, int) or size < 1:
        raise InvalidConfig(
            f"{checkpoint.folder / 'config.json'} has no usable vocab_size ({size!r}).", "Write it again."
        )
    return size
