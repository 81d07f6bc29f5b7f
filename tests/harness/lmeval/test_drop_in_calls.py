"""A call of lm-eval's requests to `MinizooLM`: equal ones once, cuts counted, the cache filled at once, no NaN for a number."""

import itertools
import logging
import math
from types import SimpleNamespace

import pytest
import torch
from support.drop_in import LONG, PAIRS, STORY, TEXTS, Spy, generation, rolling, scored

from backends.contract import Generation, Score
from harness.lmeval.model import MinizooLM
from zoo.errors import (
    BackendBroke,
    PromptImpossible,
    ScoresNotFinite,
    TokenOutsideVocabulary,
    UnsupportedRequest,
)

# Requests of a call


def test_what_is_cut_is_counted_and_told_once_a_task(lm, caplog):
    asked = [*scored([(LONG, " a"), (LONG, " b"), (STORY, " c")]), *scored([(LONG, " a")], task="other")]
    with caplog.at_level(logging.WARNING):
        lm.loglikelihood(asked)
        lm.generate_until([generation(LONG, task="written")])
    assert lm.truncated == {"t": 2, "other": 1, "written": 1}
    told = [record.getMessage() for record in caplog.records if "cut on the left" in record.getMessage()]
    assert len(told) == 3
    assert "task t: 2 requests longer than the context of 512 tokens" in told[0]


def test_equal_requests_are_computed_once(lm, spied):
    found = lm.loglikelihood([*scored(PAIRS[:2]), *scored(PAIRS[:2], task="other")] * 3)
    assert found == found[:2] * 6
    assert len(spied.asked) == 2
    spied.asked.clear()
    greedy = generation(repeats=4)
    assert lm.generate_until([greedy] * 4) == lm.generate_until([greedy]) * 4
    assert len(spied.asked) == 2


def test_repeats_of_a_drawn_text_differ_and_follow_the_seed(lm, spied):
    drawn = generation(do_sample=True, temperature=1.5, repeats=3)
    torch.manual_seed(7)
    first = lm.generate_until([drawn] * 3)
    assert len(set(first)) == 3
    assert lm.generate_until([drawn] * 3) == first
    torch.manual_seed(8)
    assert lm.seed == 8
    assert lm.generate_until([drawn] * 3) != first
    assert {request.temperature for request in spied.asked} == {1.5}


def test_drawn_texts_are_those_of_minizoos_own_evaluation(lm, spied):
    """One seed for a repeat of a request, by the rule of the records: task, document, request, repeat."""
    from harness.lmeval.prompts import Document

    drawn = generation(do_sample=True, temperature=0.9, doc=5, repeats=2)
    torch.manual_seed(0)
    lm.generate_until([drawn] * 2)
    loaded = SimpleNamespace(name="t")
    units = lm.encoder.units(loaded, [Document(5, {}, "", 0, (drawn,))])
    assert [unit.request for unit in units] == spied.asked


def test_all_tasks_of_a_call_are_one_schedule(lm, monkeypatch):
    calls = []
    real = lm.engine.score
    monkeypatch.setattr(lm.engine, "score", lambda requests: calls.append(len(requests)) or real(requests))
    lm.loglikelihood([*scored(PAIRS[:3]), *scored([("Tom", " ran")], task="other")])
    assert calls == [4]


def test_a_progress_bar_is_shown_on_stderr_unless_it_is_not_wanted(lm, capsys):
    lm.loglikelihood(scored(PAIRS[:2]))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Running loglikelihood requests: 100%" in shown.err
    lm.loglikelihood(scored(PAIRS[:2]), disable_tqdm=True)
    assert capsys.readouterr().err == ""
    assert lm.loglikelihood([]) == []


def test_hand_made_requests_without_a_task_are_answered_in_order(lm):
    from lm_eval.api.instance import Instance

    asked = [Instance("loglikelihood", {}, pair, 0) for pair in PAIRS]
    assert lm.loglikelihood(asked) == lm.loglikelihood(scored())


# lm-eval's request cache


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("loglikelihood", scored(PAIRS[:4])),
        ("loglikelihood_rolling", rolling(TEXTS[:3])),
        ("generate_until", [generation(), generation(until=["a"])]),
    ],
)
def test_a_second_run_takes_everything_from_the_cache(lm, spied, tmp_path, kind, asked):
    from lm_eval.api.model import CachingLM

    path = str(tmp_path / "cache.db")
    first = getattr(CachingLM(lm, path), kind)(asked)
    assert spied.asked
    spied.asked.clear()
    assert getattr(CachingLM(lm, path), kind)(asked) == first
    assert spied.asked == []


def test_an_interrupted_call_leaves_its_answers_in_the_cache(lm, monkeypatch, tmp_path):
    from lm_eval.api.model import CachingLM

    answered = itertools.count(1)

    def stop_after_two(answer):
        if next(answered) > 2:
            raise KeyboardInterrupt
        return answer

    real = lm.engine
    monkeypatch.setattr(lm, "engine", Spy(real, stop_after_two))
    cached = CachingLM(lm, str(tmp_path / "cache.db"))
    with pytest.raises(KeyboardInterrupt):
        cached.loglikelihood(scored(PAIRS[:4]))
    spy = Spy(real)
    monkeypatch.setattr(lm, "engine", spy)
    assert all(cached.loglikelihood(scored(PAIRS[:4])))
    assert len(spy.asked) == 2


# What is no number


@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_a_score_that_is_no_number_is_an_error_that_names_the_task(lm, monkeypatch, bad):
    spy = Spy(lm.engine, lambda score: Score(score.index, bad, False))
    monkeypatch.setattr(lm, "engine", spy)
    kept = []
    monkeypatch.setattr(lm.cache_hook, "add_partial", lambda *answer: kept.append(answer))
    with pytest.raises(ScoresNotFinite, match=r"log-probabilities are NaN or infinite, first in task t, document \d"):
        lm.loglikelihood(scored(PAIRS[:2]))
    with pytest.raises(ScoresNotFinite, match="task t"):
        lm.loglikelihood_rolling(rolling(["One day."]))
    assert kept == []


def test_a_text_chosen_from_no_numbers_is_an_error_that_names_the_task(lm, monkeypatch):
    spy = Spy(lm.engine, lambda made: Generation(made.index, made.tokens, made.finish, finite=False))
    monkeypatch.setattr(lm, "engine", spy)
    with pytest.raises(ScoresNotFinite, match="logits are NaN or infinite, first in task sums, document 3"):
        lm.generate_until([generation(task="sums", doc=3)])


def test_an_engine_that_breaks_is_an_error_in_words(lm, monkeypatch):
    def broken(_requests):
        raise RuntimeError("CUDA error: an illegal memory access")

    monkeypatch.setattr(lm.engine, "score", broken)
    with pytest.raises(BackendBroke, match=r"hf backend broke on cpu .*illegal memory access"):
        lm.loglikelihood(scored(PAIRS[:1]))


def test_an_ending_without_a_token_is_refused_with_its_document(lm):
    with pytest.raises(PromptImpossible, match="Task t, document 1: the ending '' has no token"):
        lm.loglikelihood(scored([(STORY, " a"), (STORY, "")]))


def test_settings_that_are_not_followed_are_refused_with_the_task(lm):
    with pytest.raises(UnsupportedRequest, match=r"Task t is not run: it asks for num_beams: 4"):
        lm.generate_until([generation(num_beams=4)])


def test_a_token_beyond_the_embedding_is_refused_before_anything_runs(stories, lm):
    from transformers import AutoTokenizer

    grown = AutoTokenizer.from_pretrained(stories)
    grown.add_tokens(["<|more|>"], special_tokens=True)
    other = MinizooLM(str(stories), dtype="float32", tokenizer=grown)
    assert other.loglikelihood(scored(PAIRS[:1]))[0] == pytest.approx(lm.loglikelihood(scored(PAIRS[:1]))[0])
    with pytest.raises(TokenOutsideVocabulary, match=r"first in task t, document 1, token 512 \('<\|more\|>'\)"):
        other.loglikelihood(scored([(STORY, " a"), (STORY, "<|more|> a")]))
