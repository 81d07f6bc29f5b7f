"""A model that packing does not follow is run only in ways that leave its log p, and so its tokens, as they are."""

import itertools

import pytest
import torch
import transformers
from support.score_requests import in_order
from support.tiny_models import DIMS, DYNAMIC_ROPE, config_of, tiny_of
from support.tolerances import assert_logprobs

from backends.contract import GenerateRequest, ScoreRequest, StreamRequest
from backends.hf.generate import plain_generations
from backends.hf.plain_stream import plain_stream
from backends.hf.plain_ways import PlainWays, plain_ways
from backends.hf.unpacked import unpacked_scores

SIZES = {"vocab_size": 300, "eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 0}
CONFIGS = {
    "bloom": transformers.BloomConfig(**SIZES, hidden_size=48, n_layer=2, n_head=4),
    "rwkv": transformers.RwkvConfig(
        **SIZES, hidden_size=48, attention_hidden_size=48, num_hidden_layers=2, context_length=256
    ),
    "mamba": transformers.MambaConfig(**SIZES, hidden_size=48, state_size=8, num_hidden_layers=2),
    "dynamic-rope": config_of("llama", rope_parameters=DYNAMIC_ROPE, max_position_embeddings=48),
    "roberta": transformers.RobertaConfig(
        **SIZES, is_decoder=True, hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
        max_position_embeddings=256,
    ),
}  # fmt: skip
ALL = PlainWays(True, True, True, True, True)


class Nothing:
    """A tokenizer that is never asked."""

    eos_id = None

    def decode(self, tokens, skip_special_tokens=True):
        return ""


class Once:
    """A feed of what is there from the beginning."""

    def __init__(self, asked):
        self.asked = asked

    def take(self, room, idle):
        asked, self.asked = self.asked[:room], self.asked[room:]
        return asked or None


@pytest.fixture(scope="module", params=CONFIGS)
def model(request):
    torch.manual_seed(0)
    made = tiny_of(CONFIGS[request.param])
    made.generation_config.eos_token_id = None
    return made


def prompts():
    return [tuple((7 * i + 3 * j * j + 5) % 290 + 5 for j in range(length)) for i, length in enumerate([20, 3, 55, 1])]


def greedy(model, prompt, count):
    tokens = list(prompt)
    for _ in range(count):
        with torch.inference_mode():
            tokens.append(int(model(torch.tensor([tokens]), use_cache=False).logits[0, -1].argmax()))
    return tuple(tokens[len(prompt) :])


def test_generated_and_streamed_tokens_are_those_of_the_models_own_forward_pass(model):
    ways = plain_ways(model)
    own = [greedy(model, prompt, 8) for prompt in prompts()]
    asked = [GenerateRequest(prompt, 8) for prompt in prompts()]
    made = sorted(plain_generations(model, Nothing(), asked, 512, ways), key=lambda made: made.index)
    assert [generation.tokens for generation in made] == own
    ticks = itertools.count()
    feed = Once([StreamRequest(i, prompt, 8) for i, prompt in enumerate(prompts())])
    streamed = {}
    for step in plain_stream(model, feed, 2, lambda: float(next(ticks)), ways.streams_cached):
        for index, token in step.tokens:
            streamed.setdefault(index, []).append(token)
    assert [tuple(streamed[i]) for i in range(len(own))] == own


def test_scores_are_those_of_each_sequence_alone(model):
    asked = [ScoreRequest(prompt[:1], prompt[1:], per_token=True) for prompt in prompts() if len(prompt) > 1]
    together = in_order(unpacked_scores(model, asked, 512, plain_ways(model).right_padded))
    for request, score in zip(asked, together, strict=True):
        (alone,) = unpacked_scores(model, [request], 512)
        assert_logprobs(score.token_logprobs, alone.token_logprobs)


@pytest.mark.parametrize(
    ("name", "not_done"),
    [("rwkv", "generated one at a time"), ("dynamic-rope", "scored one at a time, generated one at a time")],
)
def test_what_is_not_done_is_said(name, not_done):
    assert plain_ways(tiny_of(CONFIGS[name])).not_taken == f"{not_done}, since it changes log p"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_model_that_takes_every_way_is_run_in_the_quickest(dtype):
    ways = plain_ways(tiny_of(config_of("llama")).to(dtype))
    assert ways == ALL
    assert ways.not_taken == ""


def test_a_cache_that_changes_log_p_is_not_used(monkeypatch):
    model = tiny_of(transformers.MistralConfig(**{**DIMS, "num_hidden_layers": 2}))
    forward = type(model).forward

    def forgetful(self, *args, past_key_values=None, use_cache=None, **more):
        out = forward(self, *args, past_key_values=past_key_values, use_cache=use_cache, **more)
        if past_key_values is not None and past_key_values.get_seq_length() > 1:
            out.logits = out.logits * 1.01
        return out

    monkeypatch.setattr(type(model), "forward", forgetful)
    ways = plain_ways(model)
    assert not ways.cached
    assert not ways.streams_cached
    asked = [GenerateRequest(prompt, 6) for prompt in prompts()]
    made = sorted(plain_generations(model, Nothing(), asked, 512, ways), key=lambda made: made.index)
    assert [generation.tokens for generation in made] == [greedy(model, prompt, 6) for prompt in prompts()]


def test_a_class_that_heeds_no_logits_to_keep_is_scored_as_it_is(monkeypatch):
    model = tiny_of(config_of("llama"))
    asked = [ScoreRequest(prompt[:-1], prompt[-1:]) for prompt in prompts()[:3]]
    expected = in_order(unpacked_scores(model, asked, 512))
    forward = type(model).forward

    def heedless(self, *args, logits_to_keep=0, **more):
        return forward(self, *args, **more)

    monkeypatch.setattr(type(model), "forward", heedless)
    assert_logprobs([s.logprob for s in in_order(unpacked_scores(model, asked, 512))], [s.logprob for s in expected])
