"""The hf and the pruned backend against transformers used plainly."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from support.tolerances import assert_logprobs
from transformers import AutoModelForCausalLM

from backends.contract import Backend, GenerateRequest, Options, ScoreRequest
from backends.hf.backend import open_hf
from backends.hf.batching import length_batches
from backends.pruned.backend import open_pruned
from zoo.checkpoint.locate import locate

PROMPTS = [[1, 5, 9, 30, 77], [1, 400], [1, *range(50, 90)], [1, 7, 7, 7]]


@pytest.fixture(scope="module", params=[open_hf, open_pruned])
def backend(request, stories):
    opened = request.param(locate(str(stories)), Options(device="cpu"))
    assert isinstance(opened, Backend)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def plain(stories):
    return AutoModelForCausalLM.from_pretrained(stories, dtype=torch.float32).eval()


def requests():
    return [
        ScoreRequest((1, 5, 9), (30, 77, 12), per_token=True),
        ScoreRequest((1,), (400,)),
        ScoreRequest(tuple(range(1, 200)), (3,)),
        ScoreRequest((1, 5, 9), (30, 77, 12)),
        ScoreRequest((9, 9, 9, 9), (9, 9, 9, 9, 9)),
    ]


def in_order(results):
    return sorted(results, key=lambda result: result.index)


def test_scores_equal_a_plain_forward_pass(backend, plain):
    for request, score in zip(requests(), in_order(backend.score(requests())), strict=True):
        whole = torch.tensor([[*request.context, *request.continuation]])
        with torch.no_grad():
            logp = F.log_softmax(plain(whole).logits[0].double(), -1)[len(request.context) - 1 : -1]
        target = torch.tensor(request.continuation)
        assert_logprobs(score.logprob, float(logp.gather(1, target[:, None]).sum()), len(target))
        assert score.greedy == bool((logp.argmax(-1) == target).all())


def test_per_token_log_probabilities_sum_to_the_score(backend):
    first, *rest = in_order(backend.score(requests()))
    assert len(first.token_logprobs) == 3
    assert sum(first.token_logprobs) == pytest.approx(first.logprob)  # three fp32 numbers, added in fp64 on either side
    assert all(score.token_logprobs is None for score in rest)


def test_order_and_batch_do_not_change_scores(backend, stories):
    together = in_order(backend.score(requests()))
    backwards = in_order(backend.score(requests()[::-1]))[::-1]
    small = open_hf(locate(str(stories)), Options(device="cpu", token_budget=1))
    alone = in_order(small.score(requests()))
    for request, a, b, c in zip(requests(), together, backwards, alone, strict=True):
        assert_logprobs([b.logprob, c.logprob], [a.logprob] * 2, len(request.continuation))


def test_a_sequence_may_be_one_token_longer_than_the_context(backend):
    longest = ScoreRequest(tuple([5] * 511), (6, 7))
    (score,) = backend.score([longest])
    assert score.logprob < 0
    with pytest.raises(ValueError, match="does not fit"):
        list(backend.score([ScoreRequest(tuple([5] * 512), (6, 7))]))


@pytest.mark.parametrize("request_", [ScoreRequest((), (1,)), ScoreRequest((1,), ())])
def test_empty_parts_are_refused(backend, request_):
    with pytest.raises(ValueError, match="at least one token"):
        list(backend.score([request_]))


def test_greedy_generation_equals_transformers_alone(backend, plain):
    made = in_order(backend.generate([GenerateRequest(tuple(p), 20) for p in PROMPTS]))
    for prompt, generation in zip(PROMPTS, made, strict=True):
        alone = plain.generate(torch.tensor([prompt]), max_new_tokens=20, do_sample=False)[0, len(prompt) :].tolist()
        assert list(generation.tokens) == [token for token in alone if token != 2]


def test_rows_of_one_batch_keep_their_own_limits(backend):
    short, long = in_order(backend.generate([GenerateRequest((1, 5), 3), GenerateRequest((1, 5), 12)]))
    assert len(short.tokens) == 3
    assert short.finish == "length"
    assert long.tokens[:3] == short.tokens


def test_stop_string_ends_a_generation(backend):
    (free,) = backend.generate([GenerateRequest(tuple(PROMPTS[0]), 60)])
    text = backend.tokenizer.decode(free.tokens)
    stop = text[20:24]
    (stopped,) = backend.generate([GenerateRequest(tuple(PROMPTS[0]), 60, stop=(stop,))])
    assert stop in backend.tokenizer.decode(stopped.tokens)
    assert len(stopped.tokens) < len(free.tokens)
    assert stopped.finish == "stop"


def test_samples_depend_on_their_own_seed_alone(backend):
    def ask(seed):
        return GenerateRequest((1, 5, 9), 24, temperature=0.9, top_p=0.95, seed=seed)

    (alone,) = backend.generate([ask(7)])
    among = in_order(backend.generate([ask(1), ask(7), ask(2), GenerateRequest((1, 8), 24)]))
    assert among[1].tokens == alone.tokens
    assert len({generation.tokens for generation in among}) == 4


def test_sampling_follows_the_models_distribution(backend, plain):
    drawn = [g.tokens[0] for g in backend.generate([
        GenerateRequest((1, 5, 9), 1, temperature=1.0, seed=seed) for seed in range(600)
    ])]  # fmt: skip
    with torch.no_grad():
        p = plain(torch.tensor([[1, 5, 9]])).logits[0, -1].softmax(-1)
    likely = int(p.argmax())
    share, expected = drawn.count(likely) / 600, float(p[likely])
    assert abs(share - expected) < 4 * (expected * (1 - expected) / 600) ** 0.5


def test_prompt_without_room_is_refused(backend):
    with pytest.raises(ValueError, match="do not fit"):
        list(backend.generate([GenerateRequest(tuple([5] * 500), 13)]))


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(1, 900), st.integers(1, 40))
def test_batches_hold_every_sequence_once_and_stay_within_the_budget(lengths, budget, window):
    batches = list(length_batches(lengths, budget, window))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget
