"""Scores through an engine with vLLM's interface and its fault: rows that the prefix cache gave are rubbish."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.fake_vllm import VOCABULARY, FakeEngine, logprobs_after


def scoring(served: Path, engine: Any, cached: bool = True, chosen: bool = False) -> Any:
    from vllm_queue import Queue  # pyright: ignore[reportMissingImports]
    from vllm_scoring import Scoring  # pyright: ignore[reportMissingImports]

    return Scoring(Queue(engine), dict, cached, chosen)


def right(context: list[int], continuation: list[int]) -> tuple[list[float], bool]:
    """The answer by definition."""
    sequence = [*context, *continuation]
    rows = [logprobs_after(tuple(sequence[:at])) for at in range(len(context), len(sequence))]
    best = [max(range(VOCABULARY), key=lambda token, row=row: row[token]) for row in rows]
    return [row[token] for row, token in zip(rows, continuation, strict=True)], best == continuation


def questions(seed: int) -> list[dict[str, Any]]:
    """Requests that share contexts, continuations that begin alike, one-token choices, and some that repeat."""
    draw = random.Random(seed)
    made: list[tuple[list[int], list[int]]] = []
    shots = [draw.randrange(VOCABULARY) for _ in range(9)]
    for _ in range(12):
        context = shots + [draw.randrange(VOCABULARY) for _ in range(draw.randrange(8))]
        alike = [draw.randrange(VOCABULARY) for _ in range(draw.randrange(5))]
        made += [
            (context, [*alike, *(draw.randrange(VOCABULARY) for _ in range(draw.randrange(1, 7)))]) for _ in range(4)
        ]
        made += [(context, [draw.randrange(VOCABULARY)]) for _ in range(4)]
    made += made[:5]
    return [{"index": i, "context": c, "continuation": k, "per_token": True} for i, (c, k) in enumerate(made)]


@pytest.mark.parametrize("chosen", [False, True])
@pytest.mark.parametrize("short_rows", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_no_row_that_the_prefix_cache_gave_is_ever_answered(served: Path, seed: int, short_rows: bool, chosen: bool):
    asks = scoring(served, FakeEngine(short_rows=short_rows), chosen=chosen)
    asked = questions(seed)
    for _ in range(2):  # the same call twice
        got = {answer["index"]: answer for answer in asks.scores(asked)}
        assert sorted(got) == list(range(len(asked)))
        for request in asked:
            values, greedy = right(request["context"], request["continuation"])
            answer = got[request["index"]]
            assert answer["token_logprobs"] == values
            assert answer["logprob"] == pytest.approx(sum(values))
            assert answer["greedy"] is greedy
    assert asks.counts.cached_tokens > 0
    assert asks.counts.asked_again > 0


def test_continuations_that_share_a_block_of_their_own_are_asked_again_and_counted(served: Path):
    asks = scoring(served, FakeEngine(block_size=2))
    context, alike = [1, 2, 3], [4, 5, 6, 7]
    asked = [{"index": i, "context": context, "continuation": [*alike, i, i]} for i in range(2)]
    list(asks.scores(asked))
    assert asks.counts.asked_again == 1
    assert list(asks.scores(asked))
    assert asks.counts.asked_again == 2, "what an earlier call left in the cache plays no part"


def test_an_engine_that_reads_its_cache_although_it_must_not_is_refused(served: Path):
    asks = scoring(served, FakeEngine(block_size=2, obeys=False))
    asked = [{"index": i, "context": [1], "continuation": [2, 3, 4, 5, 6, i, i]} for i in range(2)]
    with pytest.raises(Exception, match="for a request that forbade it"):
        list(asks.scores(asked))


def test_without_the_prefix_cache_nothing_is_computed_ahead_and_nothing_comes_from_it(served: Path):
    engine = FakeEngine()
    asks = scoring(served, engine, cached=False)
    asked = questions(1)
    list(asks.scores(asked))
    assert asks.counts.cached_tokens == 0
    assert all(params.get("logprob_token_ids") for _, params in engine.seen)


def test_choices_of_one_token_are_one_request_that_asks_for_no_row_of_the_prompt(served: Path):
    engine = FakeEngine()
    asks = scoring(served, engine)
    asked = [{"index": i, "context": [3] * 20, "continuation": [i]} for i in range(4)]
    assert len(list(asks.scores(asked))) == 4
    ((tokens, params),) = engine.seen
    assert tokens == (3,) * 20
    assert params["prompt_logprobs"] is None
    assert params["logprob_token_ids"] == [0, 1, 2, 3]


def test_more_different_last_tokens_than_vllm_tells_together_are_several_requests(served: Path):
    from vllm_asked import ENDS_AT_ONCE, asked_prompts  # pyright: ignore[reportMissingImports]

    many = ENDS_AT_ONCE + 5
    parts = asked_prompts([{"index": i, "context": [1], "continuation": [i]} for i in range(many)])
    assert [len(part.members) for part in parts] == [ENDS_AT_ONCE, 5]


def test_a_context_worth_it_is_computed_once_before_what_needs_it_and_without_rows(served: Path):
    engine = FakeEngine(block_size=4)
    asked = [{"index": i, "context": list(range(10)), "continuation": [i, i, i]} for i in range(3)]
    list(scoring(served, engine).scores(asked))
    first, *others = engine.seen
    assert first[0] == tuple(range(8))
    assert "prompt_logprobs" not in first[1]
    assert len(others) == 3


def test_requests_in_flight_never_need_more_than_the_cache_holds(served: Path):
    engine = FakeEngine(block_size=4, blocks=13)
    asked = questions(2)
    assert len(list(scoring(served, engine).scores(asked))) == len(asked)
    assert engine.most_blocks <= 12


def test_a_call_that_is_left_in_the_middle_leaves_nothing_in_the_engine(served: Path):
    engine = FakeEngine()
    answers = scoring(served, engine).scores(questions(3))
    next(answers)
    answers.close()
    assert engine._waiting == []


@pytest.mark.parametrize("wrong", ["moved", "missing", "gone"])
def test_rows_that_are_not_about_their_tokens_are_refused(served: Path, wrong: str):
    class Wrong(FakeEngine):
        def _rows(self, tokens: tuple[int, ...], cached: int) -> Any:
            flat = super()._rows(tokens, cached)
            if wrong == "gone":
                return None
            flat.start_indices = flat.start_indices[1:] if wrong == "missing" else [0, *flat.start_indices[:-1]]
            return flat

    asked = [{"index": 0, "context": [1, 2, 3], "continuation": [4, 5, 6]}]
    with pytest.raises(Exception, match="vLLM"):
        list(scoring(served, Wrong()).scores(asked))


def test_a_logprob_that_is_no_number_is_told_as_such(served: Path):
    class Broken(FakeEngine):
        def step(self) -> list[Any]:
            outputs = super().step()
            outputs[0].outputs[0].logprobs.logprobs[1] = float("nan")
            return outputs

    (answer,) = scoring(served, Broken()).scores([{"index": 0, "context": [1], "continuation": [2], "per_token": True}])
    assert (answer["logprob"], answer["finite"], answer["token_logprobs"]) == (None, False, [None])


def test_of_equally_probable_tokens_the_lowest_id_is_the_greedy_one(served: Path):
    from vllm_asked import is_best  # pyright: ignore[reportMissingImports]

    def row(token: int, rank: int, best: int, gap: float = 0.0) -> Any:
        from support.fake_vllm import Flat

        flat = Flat()
        flat.add((token, -1.0 - gap, rank), (best, -1.0, 1))
        return flat

    assert is_best(row(5, 1, 5), 0)
    assert is_best(row(3, 2, 5), 0)
    assert not is_best(row(7, 2, 5), 0)
    assert not is_best(row(3, 2, 5, gap=0.1), 0)


def test_prompts_stand_in_the_order_of_their_tokens(served: Path):
    from vllm_asked import asked_prompts  # pyright: ignore[reportMissingImports]

    assert all(a.tokens <= b.tokens for a, b in pairwise(asked_prompts(questions(4))))


def test_by_chosen_ids_an_ending_is_asked_by_rows_only_where_its_greedy_flag_is_not_known(served: Path):
    engine = FakeEngine()
    best = {0: 0}
    context = [1, 2, 3]
    after = logprobs_after((1, 2, 3))
    best[0] = max(range(VOCABULARY), key=lambda token: after[token])
    follows = logprobs_after((1, 2, 3, best[0]))
    last = max(range(VOCABULARY), key=lambda token: follows[token])
    asked = [
        {
            "index": 0,
            "context": context,
            "continuation": [best[0], (last + 1) % VOCABULARY],
        },  # not greedy, whatever the first
        {
            "index": 1,
            "context": context,
            "continuation": [best[0], last],
        },  # perhaps greedy: p of the first is below a half
    ]
    got = {answer["index"]: answer["greedy"] for answer in scoring(served, engine, chosen=True).scores(asked)}
    assert got == {0: False, 1: True}
    ways = [("prompt_logprob_token_ids" in params, params.get("prompt_logprobs")) for _, params in engine.seen]
    assert ways == [(True, None), (False, 1)]
