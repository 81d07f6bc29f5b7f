"""How tokens are chosen, packed and plain: transformers' processors a sequence, what is drawn, and logits that are none."""

import pytest
import torch
from support.tiny_models import tiny
from transformers import GenerationConfig

from backends.contract import GenerateRequest
from backends.generation_config import applied_settings
from backends.hf.generate import plain_generations
from backends.hf.plain_ways import plain_ways
from backends.packing.generate import continuous_generations
from backends.packing.packed_model import PackedModel
from backends.sampling import Decoding

PROMPT = (5, 9, 30, 77)
POISON = 123
"""A token whose embedding is NaN in `poisoned`."""


class Tokenizer:
    bos_id, eos_id, vocab_size = 1, None, 300

    def decode(self, tokens, skip_special_tokens=True):
        return "".join(f"<{token}>" for token in tokens if not (skip_special_tokens and token == 2))


def packed(model, requests):
    return continuous_generations(PackedModel(model), Tokenizer(), requests, 64)


def plain(model, requests):
    return plain_generations(model, Tokenizer(), requests, 512, plain_ways(model))


def in_order(generations):
    return sorted(generations, key=lambda generation: generation.index)


@pytest.fixture(params=[packed, plain])
def way(request):
    return request.param


def model_with(**settings):
    model = tiny("llama")
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, **settings)
    return model


def test_where_no_setting_acts_the_most_probable_token_is_taken_without_a_processor():
    plainly, drawn = (GenerateRequest(PROMPT, 4, temperature=t) for t in (0.0, 0.7))
    decoding = Decoding(model_with(temperature=0.6, do_sample=True, top_k=7), Tokenizer(), [plainly, drawn])
    assert decoding.start(0).chooser is None
    assert decoding.start(1).chooser is not None
    assert Decoding(model_with(repetition_penalty=1.1), Tokenizer(), [plainly]).start(0).chooser is not None


@pytest.mark.parametrize(("own", "asked"), [
    ({"top_k": 4}, {}),
    ({"top_k": 4}, {"settings": {"top_k": 2}}),
    ({"top_p": 0.4, "repetition_penalty": 1.3}, {}),
    ({"top_p": 0.4, "min_p": 0.01, "epsilon_cutoff": 0.002, "typical_p": 0.9}, {"top_p": 0.7}),
    ({}, {}),
], ids=str)  # fmt: skip
def test_what_is_drawn_has_the_distribution_of_transformers_sampling(own, asked, way):
    """Σ (drawn − n·p)² / n·p over the tokens that may be drawn, against its 0.9999 quantile; others are never drawn."""
    from scipy.stats import chi2

    model, n = model_with(**own), 400
    named = {**asked.get("settings", {}), **({"top_p": asked["top_p"]} if "top_p" in asked else {})}
    out = model.generate(
        torch.tensor([PROMPT]), max_new_tokens=1, do_sample=True, temperature=0.8, output_scores=True,
        return_dict_in_generate=True, **named,
    )  # fmt: skip
    p = out.scores[0][0].softmax(-1)
    requests = [GenerateRequest(PROMPT, 1, temperature=0.8, seed=seed, **asked) for seed in range(n)]
    drawn = torch.bincount(torch.tensor([g.tokens[0] if g.tokens else 2 for g in way(model, requests)]), minlength=300)
    may = p > 0
    assert drawn[~may].sum() == 0
    statistic = ((drawn - n * p)[may] ** 2 / (n * p)[may]).sum()
    assert statistic < chi2.ppf(0.9999, max(1, int(may.sum()) - 1)) * 1.5


def test_neighbours_in_a_batch_with_other_settings_change_nothing(way):
    model = model_with(repetition_penalty=1.4)
    asked = [{}, {"settings": {"repetition_penalty": 1.0}}, {"settings": {"no_repeat_ngram_size": 1}}]
    requests = [GenerateRequest(PROMPT[: 1 + i], 12, **each) for i, each in enumerate(asked)]
    requests.append(GenerateRequest(PROMPT, 12, temperature=0.9, seed=3))
    together = [g.tokens for g in in_order(way(model, requests))]
    assert [next(iter(way(model, [request]))).tokens for request in requests] == together
    assert len(set(together[2])) == len(together[2])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_are_told_of_the_sequence_that_chose_from_them(value, way):
    model = model_with(repetition_penalty=1.1, top_h=0.5)
    with torch.no_grad():
        model.get_input_embeddings().weight[POISON] = value
    requests = [
        GenerateRequest(PROMPT, 5),
        GenerateRequest((*PROMPT, POISON), 5),
        GenerateRequest((POISON,), 5, temperature=1.0),
    ]
    found = [next(iter(way(model, [request]))) for request in requests]
    assert [generation.finite for generation in found] == [True, False, False]
    assert len(found[0].tokens) == 5
    assert [g.finite for g in in_order(way(model, requests))][1:] == [False, False]  # neighbours of a row may catch it


def test_logits_of_minus_infinity_alone_are_not_finite(way):
    model = model_with()
    model.lm_head.bias = torch.nn.Parameter(torch.full((300,), float("-inf")))
    (generation,) = way(model, [GenerateRequest(PROMPT, 3)])
    assert not generation.finite


def test_masks_of_processors_leave_a_generation_finite(way):
    (generation,) = way(model_with(suppress_tokens=list(range(3, 290))), [GenerateRequest(PROMPT, 6)])
    assert generation.finite


def test_a_token_that_ends_a_text_stays_in_it_where_it_has_a_text(way):
    (free,) = way(model_with(), [GenerateRequest(PROMPT, 12)])
    end = free.tokens[5]
    model = model_with()
    model.generation_config.eos_token_id = [2, end]
    (ended,) = way(model, [GenerateRequest(PROMPT, 12)])
    assert ended.tokens == free.tokens[: free.tokens.index(end) + 1]
    assert ended.finish == "stop"


def test_what_is_applied_is_told_for_the_records():
    assert applied_settings(model_with()) == ""
    told = applied_settings(model_with(repetition_penalty=1.1, top_k=0, top_p=0.8, temperature=0.6, do_sample=True))
    assert told == "repetition_penalty=1.1; when sampling top_k=0, top_p=0.8"
    model = model_with(top_k=0)
    model.generation_config.eos_token_id = [7, 2]
    assert applied_settings(model) == "eos_token_id=[2, 7]; when sampling top_k=0"
