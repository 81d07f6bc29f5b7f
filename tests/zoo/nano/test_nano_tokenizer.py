"""The nano tokenizer: any text comes back, digits stand apart, and a text begins with BOS."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

import zoo.nano
from zoo.nano import tokenizer

SHIPPED = Path(zoo.nano.__file__).parent / "weights" / "nano-teacher"
LOADED: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(SHIPPED)


def ids_of(text: str) -> list[int]:
    return LOADED(text, add_special_tokens=False)["input_ids"]


@given(st.text())
def test_any_text_comes_back(text: str):
    if any(token in text for token in (tokenizer.BOS, tokenizer.EOS)):
        return
    assert LOADED.decode(ids_of(text)) == text


@given(st.from_regex(r"[ \n\t]*[a-z ]*[0-9]+[ \n]*[0-9]*", fullmatch=True))
def test_a_digit_shares_its_token_with_nothing_but_the_space_before_it(text: str):
    pieces = [LOADED.decode([i]) for i in ids_of(text)]
    assert all(piece.lstrip(" ") in "0123456789" for piece in pieces if any(c.isdigit() for c in piece))
    assert all(len(piece) <= 2 for piece in pieces if any(c.isdigit() for c in piece))


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_newline_is_a_token_of_its_own_so_lines_encode_apart(first: str, second: str):
    assert ids_of(f"{first}\n{second}") == ids_of(first) + ids_of("\n") + ids_of(second)


def test_text_begins_with_bos_and_special_tokens_are_single():
    assert LOADED("Ann")["input_ids"] == [LOADED.bos_token_id, *ids_of("Ann")]
    assert (LOADED.bos_token, LOADED.eos_token) == (tokenizer.BOS, tokenizer.EOS)
    assert ids_of(tokenizer.EOS) == [LOADED.eos_token_id]
    assert LOADED.bos_token_id != LOADED.eos_token_id


def test_vocabulary_is_small_and_full():
    assert len(LOADED) == tokenizer.VOCABULARY <= 1024


@pytest.mark.parametrize("texts", [["abc abc abc"] * 10])
def test_training_twice_gives_the_same_tokenizer(texts: list[str]):
    first, again = (tokenizer.train_tokenizer(texts, 64).backend_tokenizer.to_str() for _ in range(2))
    assert first == again
