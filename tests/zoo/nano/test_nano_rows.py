"""Rows of training text: every row begins with a document, and no document sees another."""

from __future__ import annotations

import itertools
from pathlib import Path

import torch
from support.tolerances import assert_fp32
from transformers import AutoModelForCausalLM, AutoTokenizer

import zoo.nano
from zoo.nano import corpus, tokenizer
from zoo.nano.rows import Rows, document_positions

SHIPPED = Path(zoo.nano.__file__).parent / "weights" / "nano-teacher"


def rows(count: int, length: int) -> torch.Tensor:
    return Rows(corpus.documents(5), AutoTokenizer.from_pretrained(SHIPPED)).take(count, length)


def test_rows_hold_whole_documents_but_for_the_last():
    words = AutoTokenizer.from_pretrained(SHIPPED)
    texts = corpus.documents(5)
    for row in rows(20, 256).tolist():
        while row and tokenizer.EOS_ID in row:
            end = row.index(tokenizer.EOS_ID)
            assert words.decode(row[1:end]) == next(texts)
            row = row[end + 1 :]
        assert not row or next(texts).startswith(words.decode(row[1:]))


def test_places_count_from_the_start_of_each_document():
    batch = rows(4, 128)
    for row, counted in zip(batch.tolist(), document_positions(batch).tolist(), strict=True):
        last = -1
        for token, place in zip(row, counted, strict=True):
            last = 0 if token == tokenizer.BOS_ID else last + 1
            assert place == last


def test_a_document_in_a_row_is_read_as_if_it_stood_alone():
    model = AutoModelForCausalLM.from_pretrained(SHIPPED, dtype=torch.float32).eval()
    terms = 10 * model.config.num_hidden_layers * model.config.hidden_size
    batch = rows(1, 512)
    begins = [i for i, token in enumerate(batch[0].tolist()) if token == tokenizer.BOS_ID]
    assert len(begins) > 2
    with torch.no_grad():
        together = model(input_ids=batch, position_ids=document_positions(batch), use_cache=False).logits[0]
        for start, stop in itertools.pairwise([*begins, 512]):
            alone = model(input_ids=batch[:, start:stop]).logits[0]
            assert_fp32(together[start:stop], alone, terms)
