"""Text in three parts that share no document."""

import pytest

from zoo.distill.data.packing import ID
from zoo.errors import InvalidTrainingData, TooLittleData
from zoo.search.stages.text import TextSettings, open_text


def settings(*data, held_out=30, seed=0):
    return TextSettings(data, None, 40, held_out, seed)


def texts_of(held_out):
    return [bytes(each[1:-1]).decode() for each in held_out.documents]


def trained_on(text):
    """The documents in the training rows (each is shorter than a row and begins with BOS)."""
    rows = text.in_order(0)
    words = [token for row in range(len(rows)) for token in (rows._row(row) & ID).tolist()]
    return bytes(words).replace(b"\x01", b"").decode().split("\0")


def test_no_document_is_in_two_parts(tokenizer, documents, tmp_path):
    word = documents([f"document number {number}" for number in range(600)])
    text = open_text(settings(word), tokenizer, tmp_path, tmp_path)
    ranking, confirming = set(texts_of(text.ranking)), set(texts_of(text.confirming))
    assert (len(ranking), len(confirming)) == (30, 30)
    assert not ranking & confirming
    joined = "".join(trained_on(text))
    assert not any(f"{each}document" in joined for each in ranking | confirming)


def test_equal_documents_go_together(tokenizer, documents, tmp_path):
    twice = [f"document number {number}" for number in range(400)] * 2
    text = open_text(settings(documents(twice)), tokenizer, tmp_path, tmp_path)
    held = texts_of(text.ranking) + texts_of(text.confirming)
    assert len(held) == len(set(held)) == 60
    rows = text.in_order(0)
    pieces = sum(int((rows._row(row) >> 31).sum()) for row in range(len(rows)))
    assert pieces >= 800 - 2 * 60
    joined = "".join(trained_on(text))
    assert not any(f"{each}document" in joined for each in held)


def test_the_same_seed_holds_the_same_documents_out_and_another_seed_others(tokenizer, documents, tmp_path):
    word = documents([f"document number {number}" for number in range(600)])
    found = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        (tmp_path / name).mkdir()
        found[name] = open_text(settings(word, seed=seed), tokenizer, tmp_path / name, tmp_path / name).ranking
    assert found["a"] == found["b"]
    assert found["a"] != found["c"]


def test_it_is_read_once(tokenizer, documents, tmp_path, monkeypatch):
    word = documents([f"document number {number}" for number in range(400)])
    first = open_text(settings(word), tokenizer, tmp_path, tmp_path)
    monkeypatch.setattr("zoo.search.stages.text.read_documents", None)
    assert open_text(settings(word), tokenizer, tmp_path, tmp_path).confirming == first.confirming


def test_too_few_documents_are_refused_with_how_many_it_takes(tokenizer, documents, tmp_path):
    with pytest.raises(TooLittleData, match=r"has 100 documents, and a search needs 320"):
        open_text(settings(documents([f"text {n}" for n in range(100)])), tokenizer, tmp_path, tmp_path)


def test_a_data_set_of_the_hub_is_refused(tokenizer, tmp_path):
    with pytest.raises(InvalidTrainingData, match="allenai/c4 is a data set of the hub"):
        open_text(settings("allenai/c4"), tokenizer, tmp_path, tmp_path)


def test_a_long_document_is_held_out_up_to_the_length_of_a_row(tokenizer, documents, tmp_path):
    word = documents([f"document number {number} {'word ' * 30}" for number in range(400)])
    text = open_text(settings(word), tokenizer, tmp_path, tmp_path)
    assert {len(each) for each in text.ranking.documents} == {40}
    assert text.ranking.tokens.tolist() == [39.0] * 25  # one document of eight, half of them
