"""What the tolerance of log-likelihoods lets pass and what it does not, on a trained model and a long text."""

import copy

import pytest
import torch
from support.score_requests import in_order
from support.tolerances import assert_logprobs, logprob_tolerance

from backends.contract import ScoreRequest
from backends.hf.unpacked import unpacked_scores

TOKENS = 500


@pytest.fixture(scope="module")
def model(stories):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(stories, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def text(stories):
    from transformers import AutoTokenizer

    told = (
        "Once upon a time there was a little girl who lived in a small house near the forest. One day she found a key. "
        * 9
    )
    return tuple(AutoTokenizer.from_pretrained(stories)(told)["input_ids"][: TOKENS + 1])


def scored(model, context, continuation):
    (score,) = in_order(unpacked_scores(model, [ScoreRequest(context, continuation, True)], 4096))
    return score


def test_fp64_lies_within_it(model, text):
    (exact,) = unpacked_scores(copy.deepcopy(model).double(), [ScoreRequest(text[:1], text[1:], True)], 4096)
    found = scored(model, text[:1], text[1:])
    assert_logprobs(found.logprob, exact.logprob, TOKENS)
    assert_logprobs(found.token_logprobs, exact.token_logprobs)


def test_a_lost_token_does_not(model, text):
    """But for those that the model was all but certain of: a repeated text has a few."""
    each = scored(model, text[:1], text[1:]).token_logprobs
    unseen = sum(abs(logprob) <= logprob_tolerance(TOKENS) for logprob in each)
    assert unseen < 0.02 * TOKENS


def test_a_wrong_offset_does_not(model, text):
    right = scored(model, text[:1], text[1:]).token_logprobs
    with torch.no_grad():
        logp = model(torch.tensor([text[:-1]])).logits[0].log_softmax(-1)
    shifted = logp[:-1].gather(1, torch.tensor(text[2:])[:, None])[:, 0].sum()
    with pytest.raises(AssertionError):
        assert_logprobs(sum(right[:-1]), float(shifted), TOKENS - 1)


def test_half_precision_does_not(model, text):
    rounded = copy.deepcopy(model).bfloat16()
    # torch's fused bf16 kernel cannot run under ATen's plain kernels on an AVX-512 processor
    rounded.set_attn_implementation("eager")
    half = scored(rounded, text[:1], text[1:])
    with pytest.raises(AssertionError):
        assert_logprobs(half.token_logprobs, scored(model, text[:1], text[1:]).token_logprobs)
