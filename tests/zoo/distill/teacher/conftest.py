"""The nano teacher and a student of it, and packed rows of the text that they were trained on."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.paths import ROOT
from transformers import AutoModelForCausalLM, AutoTokenizer

from zoo.distill.data.packing import Framing
from zoo.distill.data.rows import TokenRows, rows_in_memory
from zoo.distill.teacher.cache.manifest import Form, Manifest
from zoo.distill.teacher.cache.writer import manifest_of
from zoo.distill.teacher.live import LiveTeacher
from zoo.nano import corpus

WEIGHTS = ROOT / "zoo/nano/weights"
LENGTH = 48
ROWS = 12


@pytest.fixture(scope="module")
def model() -> Any:
    """The nano teacher, in fp32."""
    return AutoModelForCausalLM.from_pretrained(WEIGHTS / "nano-teacher", dtype=torch.float32)


@pytest.fixture(scope="module")
def student() -> Any:
    return AutoModelForCausalLM.from_pretrained(WEIGHTS / "nano-width", dtype=torch.float32)


@pytest.fixture
def live(model) -> LiveTeacher:
    return LiveTeacher(model, digest="of the nano teacher")


@pytest.fixture(scope="session")
def rows() -> TokenRows:
    """Twelve rows of 48 tokens."""
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS / "nano-teacher")
    texts = list(itertools.islice(corpus.documents(7), 40))
    documents = [ids[1:] for ids in tokenizer(texts)["input_ids"]]
    whole = rows_in_memory(documents, Framing(LENGTH, bos=0, eos=1), 768)
    assert len(whole) >= ROWS
    return whole


@pytest.fixture
def told(live, rows) -> Callable[..., Manifest]:
    """A form → the manifest of a cache of these rows."""

    def manifest(form: Form, teacher: LiveTeacher = live) -> Manifest:
        return manifest_of(teacher, form, data=rows.digest, tokenizer="of the tokenizer", length=LENGTH)

    return manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"
