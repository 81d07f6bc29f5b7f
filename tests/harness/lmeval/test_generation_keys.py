"""A task's generation keys mean what they mean to lm-eval's own model, or are refused by name."""

from itertools import product
from types import SimpleNamespace

import pytest
import torch
from transformers import GenerationConfig

from harness.lmeval.loading.generation import LIMITS, SUPPORTED, new_tokens, refusal, request_options, stop_strings

ABSENT = object()


def passed_to_generate(gen_kwargs, prompt=7):
    """What lm-eval's own model gives to transformers' `generate` for these keys."""
    from lm_eval.models.huggingface import HFLM
    from lm_eval.models.utils import normalize_gen_kwargs

    kwargs = dict(normalize_gen_kwargs(gen_kwargs, HFLM.max_gen_toks.fget(None)))
    kwargs.pop("until")
    limit = kwargs.pop("max_gen_toks")
    got = {}
    stand_in = SimpleNamespace(
        tokenizer=SimpleNamespace(pad_token_id=0),
        device=torch.device("cpu"),
        mixed_precision_dtype=None,
        model=SimpleNamespace(generate=lambda **given: got.update(given)),
    )
    length = kwargs.pop("max_length", prompt + limit)
    HFLM._model_generate(stand_in, context=torch.zeros(1, prompt), max_length=length, stop=[], **kwargs)
    return got


@pytest.mark.parametrize(
    ("do_sample", "temperature"), product([ABSENT, None, True, False], [ABSENT, 0, 0.0, 0.3, "0.7", 1])
)
def test_tokens_are_drawn_where_lm_eval_draws_them_and_at_its_temperature(do_sample, temperature):
    """But at temperature 0 `do_sample: true` is greedy, where transformers would refuse to draw."""
    given = {"do_sample": do_sample, "temperature": temperature}
    given = {key: value for key, value in given.items() if value is not ABSENT}
    assert refusal(given) is None
    theirs = passed_to_generate(given)
    expected = float(theirs.get("temperature", 0)) if theirs["do_sample"] else 0.0
    assert request_options(given, 7)["temperature"] == expected


@pytest.mark.parametrize("gen_kwargs", [
    {}, {"max_gen_toks": 9}, {"max_new_tokens": 9, "max_tokens": 4}, {"max_completion_tokens": 5, "max_tokens": 4},
    {"max_tokens": "12", "max_gen_toks": None}, {"max_length": 40}, {"max_length": 40, "max_tokens": 3},
], ids=str)  # fmt: skip
def test_the_limit_of_new_tokens_is_lm_evals(gen_kwargs):
    assert refusal(gen_kwargs) is None
    options = request_options(gen_kwargs, 7)
    assert options["max_new_tokens"] == passed_to_generate({k: v for k, v in gen_kwargs.items() if v})["max_length"] - 7
    if "max_length" not in gen_kwargs:
        assert new_tokens(gen_kwargs) == options["max_new_tokens"]


def test_settings_of_the_search_that_change_nothing_still_win_over_generation_config():
    given = {
        "num_beams": 1,
        "top_k": 5,
        "repetition_penalty": 1.2,
        "use_cache": True,
        "until": ["x"],
        "temperature": 0.5,
    }
    assert request_options(given, 7)["settings"] == {"num_beams": 1, "top_k": 5, "repetition_penalty": 1.2}
    greedy = request_options({**given, "do_sample": False, "top_p": 0.5}, 7)
    assert greedy["settings"] == {"num_beams": 1, "repetition_penalty": 1.2}
    assert greedy["top_p"] is None
    assert request_options({"temperature": 1, "top_p": 0.5}, 7)["top_p"] == 0.5
    assert request_options({"temperature": 1, "top_p": None}, 7)["settings"] == {"top_p": None}


@pytest.mark.parametrize(("until", "expected"), [
    ("a", ["a", "</s>"]), (["a", "b"], ["a", "b", "</s>"]), ([], ["</s>"]), (None, ["</s>"]), (["</s>"], ["</s>"]),
])  # fmt: skip
def test_stop_strings_are_the_tasks_and_the_end_of_text(until, expected):
    assert refusal({"until": until}) is None
    assert stop_strings({"until": until}, "</s>") == expected
    assert stop_strings({}, "</s>") == ["</s>"]
    assert stop_strings({"until": until}, None) == [text for text in expected if text != "</s>" or until == ["</s>"]]


@pytest.mark.parametrize(("gen_kwargs", "named"), [
    ({"num_beams": 10, "until": ["x"]}, "num_beams: 10"),
    ({"num_return_sequences": 3, "temperature": 1.0}, "num_return_sequences: 3"),
    ({"penalty_alpha": 0.6, "top_k": 4}, "penalty_alpha: 0.6"),
    ({"guidance_scale": 2}, "guidance_scale: 2"),
    ({"cache_implementation": "quantized"}, "cache_implementation: quantized"),
    ({"presence_penalty": 1.0, "best_of": 2}, "best_of, presence_penalty"),
    ({"max_gen_toks": 0}, "max_gen_toks: 0"),
    ({"max_tokens": "many"}, "max_tokens: 'many'"),
    ({"temperature": -1}, "temperature: -1"),
    ({"do_sample": "yes"}, "do_sample: 'yes'"),
    ({"until": [3]}, r"until: \[3\]"),
    (None, "None"),
], ids=str)  # fmt: skip
def test_what_is_not_run_is_named(gen_kwargs, named):
    import re

    assert re.search(named, refusal(gen_kwargs))


@pytest.mark.parametrize("gen_kwargs", [
    {"num_beams": 1}, {"num_beams": None}, {"guidance_scale": 1.0}, {"penalty_alpha": 0.6, "temperature": 0.8},
    {"length_penalty": 2.0}, {"early_stopping": True}, {"use_cache": False}, {"prompt_lookup_num_tokens": 4},
], ids=str)  # fmt: skip
def test_what_changes_no_token_is_not_refused(gen_kwargs):
    assert refusal(gen_kwargs) is None


def test_every_setting_of_transformers_is_honoured_or_refused_by_name():
    settings = {name for name in vars(GenerationConfig()) if not name.startswith("_")}
    assert settings - SUPPORTED - {"transformers_version", "continuous_batching_config"} == set()
    assert set(LIMITS) < SUPPORTED
