"""Token ids that the embedding does not have are refused before weights are loaded; ids that never occur do not matter."""

import json
import shutil

import pytest
from support.tiny_checkpoints import edit_config

import harness.accuracy.run as accuracy
from backends.contract import GenerateRequest, ScoreRequest
from harness.lmeval.encoding import Unit, UnitKey
from harness.lmeval.vocabulary import check_vocabulary, rows_of
from zoo.checkpoint.model_ref import resolve
from zoo.errors import TokenOutsideVocabulary

ROWS = 768
"""Of the nano family's embedding."""


@pytest.fixture
def model(tmp_path):
    """A copy of the nano teacher whose tokenizer has one token more than its embedding."""

    def make(token):
        folder = shutil.copytree(resolve("nano-teacher").folder, tmp_path / "model")
        path = folder / "tokenizer.json"
        content = json.loads(path.read_text())
        added = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
        content["added_tokens"].append({"id": ROWS, "content": token, **added})
        path.write_text(json.dumps(content))
        return folder

    return make


@pytest.fixture
def evaluate(minizoo, tmp_path):
    def call(model, task, *words):
        return minizoo("eval", model, "--tasks", task, "--limit", 2, "--device", "cpu", *words, "--json")

    return call


@pytest.mark.parametrize(("task", "token"), [("nano_words", ", "), ("nano_prose", ", "), ("nano_sums", ". ")])
@pytest.mark.parametrize("words", [("--results", "R"), ("--dry-run",)])
def test_a_token_beyond_the_embedding_is_refused_before_weights_are_loaded(
    evaluate, model, tmp_path, monkeypatch, task, token, words
):
    def never(*_):
        raise AssertionError("weights were loaded")

    monkeypatch.setattr(accuracy, "open_backend", never)
    ran = evaluate(model(token), task, *(str(tmp_path / word) if word == "R" else word for word in words))
    assert (ran.code, ran.json()["code"]) == (2, "token-outside-vocabulary")
    what = ran.json()["what"]
    assert f"embedding of {ROWS} rows" in what
    assert f"task {task}, document " in what
    assert f"token {ROWS} ({token!r})" in what
    assert "Nothing was run" in what
    assert not list(tmp_path.glob("R/runs/*/*/*/record.json"))


def test_a_larger_tokenizer_whose_further_ids_never_occur_is_fine(evaluate, model, tmp_path):
    ran = evaluate(model("<|never|>"), "nano_words", "--results", tmp_path / "R")
    assert ran.code == 0, ran.err
    assert "never" not in ran.err


def test_a_stand_in_tokenizer_of_another_model_is_refused_in_a_dry_run(evaluate, model):
    plain = resolve("nano-teacher").folder
    ran = evaluate("nano-teacher", "nano_words", "--dry-run", "--tokenizer", model(", "))
    assert (ran.code, ran.json()["code"]) == (2, "token-outside-vocabulary")
    assert evaluate("nano-teacher", "nano_words", "--dry-run", "--no-probe", "--tokenizer", plain).code == 0


def test_a_config_of_fewer_rows_than_the_weights_is_refused_by_its_own_word(evaluate, model, tmp_path):
    folder = model("<|never|>")
    edit_config(folder, vocab_size=200)
    ran = evaluate(folder, "nano_words", "--results", tmp_path / "R")
    assert (ran.code, ran.json()["code"]) == (2, "token-outside-vocabulary")


@pytest.mark.parametrize(
    ("config", "rows"),
    [
        ({"model_type": "llama", "vocab_size": 96}, 96),
        ({"model_type": "gemma3", "vocab_size": 5, "text_config": {"vocab_size": 96}}, 96),
        ({"model_type": "llama", "vocab_size": 0}, 0),
        ({"model_type": "llama", "vocab_size": "96"}, None),
        ({"model_type": "llama"}, None),
    ],
)
def test_rows_are_those_of_the_text_model_where_the_config_tells(config, rows):
    assert rows_of(config) == rows


class Words:
    def decode(self, tokens, skip_special_tokens=True):
        return "word"


@pytest.mark.parametrize(
    ("request_", "rows", "wrong"),
    [
        (ScoreRequest((1, 2), (3,)), 4, None),
        (ScoreRequest((1, 4), (3,)), 4, "token 4 ('word')"),
        (ScoreRequest((1,), (3, 9)), 4, "token 9 ('word')"),
        (GenerateRequest((4,), 1), 4, "token 4 ('word')"),
        (ScoreRequest((-1, 2), (3,)), 4, "token -1"),
        (ScoreRequest((0,), (0,)), 0, "token 0 ('word')"),
        (ScoreRequest((1, 4), (3,)), None, None),
    ],
)
def test_every_part_of_a_request_is_looked_at(request_, rows, wrong):
    requests = [*([ScoreRequest((0,), (0,))] if rows else []), request_]
    units = [Unit(UnitKey("task", 7, i, 0), "task", request) for i, request in enumerate(requests)]
    if wrong is None:
        check_vocabulary(units, rows, Words())
        return
    with pytest.raises(TokenOutsideVocabulary) as told:
        check_vocabulary(units, rows, Words())
    assert wrong in told.value.what
    assert "document 7" in told.value.what
