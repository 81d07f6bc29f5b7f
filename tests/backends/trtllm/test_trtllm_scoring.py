"""What the worker asks of the engine: rows where they are needed alone, as many as fit, and each timed prompt for itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from support.fake_trtllm.local import installed, options_for

from zoo.checkpoint.locate import Checkpoint


@pytest.fixture(scope="module")
def engines(nano: Checkpoint, numbers: Any) -> Iterator[tuple[Any, Any]]:
    """One engine without block reuse, one with it."""
    with installed(numbers) as module:
        made = [module.Engine(str(nano.folder), options_for(nano, enable_block_reuse=on)) for on in (False, True)]
        yield made[0], made[1]
        for engine in made:
            engine.close()


def asked(*pairs: tuple[list[int], list[int]]) -> list[dict[str, Any]]:
    return [{"index": i, "context": context, "continuation": ending} for i, (context, ending) in enumerate(pairs)]


def test_choices_of_one_token_are_one_prompt_without_rows_also_with_block_reuse(engines: tuple[Any, Any]):
    choices = asked(*(([3, 4, 5, 6], [end]) for end in (7, 8, 9)))
    answers = []
    for engine in engines:
        engine._llm.asked.clear()
        answers.append(list(engine.score(choices)))
        ((tokens, params, _),) = engine._llm.asked
        assert tokens == [3, 4, 5, 6]
        assert params.prompt_logprobs is None
        assert params.return_generation_logits
    assert [one["logprob"] for one in answers[0]] == [one["logprob"] for one in answers[1]]


def test_rows_are_refused_with_block_reuse(engines: tuple[Any, Any]):
    with pytest.raises(Exception, match="enable_block_reuse off") as refused:
        list(engines[1].score(asked(([3, 4], [5, 6]))))
    assert refused.value.kind == "unsupported"  # pyright: ignore[reportAttributeAccessIssue]


def test_prompts_are_asked_together_while_their_logits_fit(engines: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch):
    engine = engines[0]
    calls: list[int] = []
    whole = engine._llm.generate
    monkeypatch.setattr(
        engine._llm, "generate", lambda inputs, *a, **k: calls.append(len(inputs)) or whole(inputs, *a, **k)
    )
    monkeypatch.setattr(engine._scoring, "_rows", 10)
    assert len(list(engine.score(asked(*(([n, 4], [5, 6]) for n in range(10)))))) == 10
    assert calls == [3, 3, 3, 1]


def test_a_prompt_whose_logits_do_not_fit_is_refused_as_memory(
    engines: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(engines[0]._scoring, "_rows", 3)
    with pytest.raises(Exception, match="out of memory: 3 rows") as refused:
        list(engines[0].score(asked(([1, 2, 3], [4, 5]))))
    assert refused.value.kind == "memory"  # pyright: ignore[reportAttributeAccessIssue]


def test_a_request_longer_than_the_engine_is_refused_before_it_is_asked(engines: tuple[Any, Any]):
    with pytest.raises(Exception, match="514 tokens do not fit into 513"):
        engines[0].score(asked(([1] * 512, [2, 2])))


def test_each_timed_request_has_a_salt_of_its_own_and_its_own_count(engines: tuple[Any, Any]):
    engine = engines[1]
    engine._llm.asked.clear()
    feed = [[{"index": 0, "prompt": [1, 2, 3], "new_tokens": 4}, {"index": 1, "prompt": [1, 2, 3], "new_tokens": 2}]]
    steps = list(engine.stream(lambda room, idle: feed.pop() if feed else None, 2, 10))
    told = [index for step in steps for index, _ in step["tokens"]]
    assert (told.count(0), told.count(1)) == (4, 2)
    assert len({salt for _, _, salt in engine._llm.asked}) == 2
    assert all(a["time"] <= b["time"] for a, b in pairwise(steps))


def test_more_streams_than_sequences_are_refused_as_memory(engines: tuple[Any, Any]):
    with pytest.raises(Exception, match="opened for 128 sequences"):
        list(engines[0].stream(lambda room, idle: None, 129, 10))


@pytest.mark.parametrize("request_", [{"temperature": 0.7}, {"settings": {"min_tokens": 3}}])
def test_what_is_not_followed_is_refused_at_the_check(engines: tuple[Any, Any], request_: dict[str, Any]):
    with pytest.raises(Exception, match=r"seed|min_tokens") as refused:
        engines[0].check([request_])
    assert refused.value.kind == "unsupported"  # pyright: ignore[reportAttributeAccessIssue]
