"""The models that are distilled here, and their rows: random ones of a size that a CPU trains, and the nano pair."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.shapes import SHAPES
from zoo.distill.batch import Batch
from zoo.distill.data.packing import Framing
from zoo.distill.data.rows import TokenRows, rows_in_memory

STUDENT, TEACHER = "28.7M", "74M"
SPREAD = 0.04
"""Standard deviation of all weights: with 0.02 a random model says nearly the same of all tokens."""
NANO = Path(__file__).parents[2] / "zoo/nano/weights"
NANO_VOCABULARY = 768


def write_pair(folder: Path, vocabulary: int) -> dict[str, int]:
    """Both models as Hugging Face folders, by a seed each; returns their parameters."""
    from transformers import LlamaConfig, LlamaForCausalLM

    parameters: dict[str, int] = {}
    for seed, (name, shape) in enumerate((("student", STUDENT), ("teacher", TEACHER))):
        config = LlamaConfig(
            vocab_size=vocabulary, head_dim=64, max_position_embeddings=4096, tie_word_embeddings=True,
            bos_token_id=0, eos_token_id=0, initializer_range=SPREAD, **SHAPES[shape],
        )  # fmt: skip
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        model.save_pretrained(folder / name)
        parameters[name] = model.num_parameters()
    return parameters


def write_rows(path: Path, rows: int, length: int, vocabulary: int) -> None:
    """Random token ids [rows, length]: each row one document, without its end."""
    np.save(path, np.random.default_rng(0).integers(1, vocabulary, (rows, length)))


def opened(folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    """A model by its folder."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)


def packed(path: Path, vocabulary: int) -> TokenRows:
    """The rows of a file as the trainer reads them."""
    ids = np.load(path)
    return rows_in_memory(list(ids), Framing(ids.shape[1]), vocabulary, tokenizer="random ids")


def in_order(rows: TokenRows, step: int, batch: int, micro: int) -> list[Batch]:
    """The micro-batches of a step that takes the rows as they lie."""
    first = step * batch
    return [rows.batch(range(at, at + micro)) for at in range(first, first + batch, micro)]


def nano_pair() -> tuple[Any, Any]:
    """The nano student cut in width, not yet distilled, and its teacher."""
    return opened(NANO / "nano-width-pruned"), opened(NANO / "nano-teacher")


def nano_rows(rows: int, length: int) -> Batch:
    """Rows of the text that the nano family was trained on, of documents it has not seen."""
    from transformers import AutoTokenizer

    from zoo.nano import corpus
    from zoo.nano.tokenizer import BOS_ID, EOS_ID

    tokenizer = AutoTokenizer.from_pretrained(NANO / "nano-teacher")
    texts: Sequence[str] = list(itertools.islice(corpus.documents(11, test=True), 40 * rows))
    encoded = [ids[1:] for ids in tokenizer(texts)["input_ids"]]
    return rows_in_memory(encoded, Framing(length, bos=BOS_ID, eos=EOS_ID), NANO_VOCABULARY).batch(range(rows))
