"""Servers that answer wrongly without a word: each is found at opening, or at the request."""

import pytest
from support.served_model_small import Letters, small_checkpoint

from backends.contract import GenerateRequest, ScoreRequest
from zoo.errors import ModelNotServed, NoPromptLogprobs, PromptChanged, ServerFailing

letters = Letters()


def ids(text):
    return tuple(letters.encode([text])[0])


ONE = [ScoreRequest(ids("a context of some "), ids("letters"))]
WRONG = {
    "none": "no `prompt_logprobs`",
    "zeros": "log-probability 0",
    "chance": "log-probability -6.6",
    "shifted": "not of token",
    "reversed ranks": "are not the most probable",
}


@pytest.mark.parametrize("rows", WRONG)
def test_rows_that_are_not_of_the_prompt_are_never_scores(opened, rows):
    backend, _ = opened(rows=rows)
    assert not backend.capabilities.score
    assert backend.versions["scoring"] == "none"
    with pytest.raises(NoPromptLogprobs, match=WRONG[rows]):
        backend.score(ONE)
    assert len(list(backend.generate([GenerateRequest(ids("text"), 3)]))) == 1, "it still writes"


def test_rows_behind_a_cache_that_says_so_are_asked_again_without_it(opened, table):
    backend, does = opened(stale="told")
    context = ids("a beginning of more than sixteen letters, ")
    asked = [ScoreRequest(context, ids(word)) for word in ("one", "two", "one of them")]
    for _ in range(2):  # the second time all of it is cached
        answers = sorted(backend.score(asked), key=lambda answer: answer.index)
        assert [answer.logprob for answer in answers] == pytest.approx([table.scored(each)[0] for each in asked])
    salts = [body["cache_salt"] for body in does.seen if "cache_salt" in body]
    assert len(salts) == len(set(salts)) > 0


def test_rows_behind_a_cache_that_says_nothing_are_kept_apart_from_it(opened, table):
    backend, _ = opened(stale="untold")
    assert "cache" in backend.versions["scoring"]
    context = ids("a beginning of more than sixteen letters, ")
    asked = [ScoreRequest(context, ids(word)) for word in ("one", "two", "one of them")] * 2
    answers = sorted(backend.score(asked), key=lambda answer: answer.index)
    assert [answer.logprob for answer in answers] == pytest.approx([table.scored(each)[0] for each in asked])


def test_a_server_that_adds_a_token_is_found_at_opening(opened):
    with pytest.raises(PromptChanged, match="adds tokens"):
        opened(adds_bos=True)


def test_a_server_that_cuts_prompts_is_found_at_the_first_that_it_cuts(opened):
    with pytest.raises(PromptChanged, match="cuts it"):
        opened(cuts=20)
    backend, _ = opened(cuts=60)
    with pytest.raises(PromptChanged, match="read 60 tokens of a prompt of 107"):
        list(backend.score([ScoreRequest(ids("a") * 100, ids("letters"))]))


def test_another_model_is_refused_with_what_is_served(opened):
    with pytest.raises(ModelNotServed, match=r"serves llama, qwen, not nano-teacher.*URL#NAME"):
        opened(served="llama", others=("qwen",))
    with pytest.raises(ModelNotServed, match="not other"):
        opened(name="#other")


def test_ids_of_another_vocabulary_are_an_error(opened):
    with pytest.raises(ServerFailing, match="another vocabulary"):
        opened(checkpoint=small_checkpoint(vocab_size=30))
