"""Two backends as one: the scores of the first, the text of the second, and both named in what is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest

from backends.contract import Backend, Capabilities, GenerateRequest, Options, ScoreRequest
from backends.opening import open_backend
from backends.split import Split, open_split, split_of
from zoo.checkpoint.locate import Checkpoint, locate, outline
from zoo.checkpoint.model_ref import resolve
from zoo.errors import ConflictingOptions, InvalidOption

BOTH = Split("pruned", "hf")


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return locate(outline(resolve("nano-teacher")))


class Told:
    """A backend that remembers what it was asked and whether it was closed."""

    device, dtype, tokenizer = "cpu", "float32", None
    capabilities = Capabilities(score=True, generate=True, stream=False, max_length=64)

    def __init__(self, name: str, **other: Any) -> None:
        self.name, self.versions = name, {"torch": "2", name: "1"}
        self.closed, self.options = False, Options()
        for field, value in other.items():
            setattr(self, field, value)

    def score(self, requests: Sequence[Any]) -> Any:
        return iter([(self.name, "score")])

    def generate(self, requests: Sequence[Any]) -> Any:
        return iter([(self.name, "generate")])

    def close(self) -> None:
        self.closed = True


def opener(**backends: Any) -> Any:
    """Gives the backends by their names, and them the options."""

    def open_one(_: Checkpoint, name: str, options: Options) -> Any:
        found = backends[name]
        if isinstance(found, Exception):
            raise found
        found.options = options
        return found

    return open_one


def test_a_name_with_duties_is_two_backends_and_any_other_is_one():
    assert split_of("vllm") is None
    assert split_of("score=pruned,generate=vllm") == Split("pruned", "vllm")
    assert split_of("generate=vllm, score=hf") == Split("hf", "vllm")
    for wrong in (
        "score=hf",
        "score=hf,score=vllm",
        "score=,generate=hf",
        "read=hf,generate=vllm",
        "score=a,generate=b,c=d",
    ):
        with pytest.raises(InvalidOption, match="names no two backends"):
            split_of(wrong)


def test_scores_and_text_of_two_real_backends_are_those_of_each(nano: Checkpoint):
    asked, prompt = ScoreRequest((5, 6, 7), (8, 9)), GenerateRequest((5, 6, 7), 12)
    with closing(open_split(nano, BOTH, Options(device="cpu"), open_backend)) as both:
        scores, text = list(both.score([asked])), list(both.generate([prompt]))
        assert both.name == "score=pruned,generate=hf"
        assert isinstance(both, Backend)
        assert both.capabilities.max_length == 512
    for name, found, call in (("pruned", scores, "score"), ("hf", text, "generate")):
        with closing(open_backend(nano, name, Options(device="cpu"))) as alone:
            assert list(getattr(alone, call)([asked if call == "score" else prompt])) == found


def test_settings_of_an_engine_go_to_the_one_that_has_an_engine(nano: Checkpoint):
    hf, vllm = Told("hf"), Told("vllm")
    options = Options(python="/vllm/python", engine={"max_num_seqs": 3})
    both = open_split(nano, Split("hf", "vllm"), options, opener(hf=hf, vllm=vllm))
    assert (hf.options.python, dict(hf.options.engine)) == (None, {})
    assert vllm.options == options
    both.close()
    assert hf.closed
    assert vllm.closed


def test_versions_that_differ_say_whose_they_are(nano: Checkpoint):
    hf, vllm = Told("hf"), Told("vllm", versions={"torch": "3", "vllm": "1"})
    both = open_split(nano, Split("hf", "vllm"), Options(), opener(hf=hf, vllm=vllm))
    assert dict(both.versions) == {"torch": "2 for scores, 3 for text", "hf": "1", "vllm": "1"}


@pytest.mark.parametrize("other", [{"dtype": "bfloat16"}, {"device": "cuda:0"}])
def test_two_that_hold_the_model_unlike_each_other_are_refused_and_closed(nano: Checkpoint, other: dict[str, str]):
    hf, vllm = Told("hf"), Told("vllm", **other)
    with pytest.raises(ConflictingOptions, match="unlike each other"):
        open_split(nano, Split("hf", "vllm"), Options(), opener(hf=hf, vllm=vllm))
    assert hf.closed
    assert vllm.closed


def test_the_first_is_closed_where_the_second_does_not_open(nano: Checkpoint):
    hf = Told("hf")
    with pytest.raises(RuntimeError, match="no room"):
        open_split(nano, Split("hf", "vllm"), Options(), opener(hf=hf, vllm=RuntimeError("no room")))
    assert hf.closed


def test_one_backend_for_both_is_that_backend(nano: Checkpoint):
    hf = Told("hf")
    assert open_split(nano, Split("hf", "hf"), Options(), opener(hf=hf)) is hf
