"""A model's generation_config.json acts as in lm-eval's own Hugging Face model: the same texts, packed and plain."""

import json
import shutil
from types import SimpleNamespace

import pytest

from backends.contract import Options
from backends.hf.backend import open_hf
from harness.lmeval.encoding import Encoder
from harness.lmeval.responses import answer_of, cut_at_stops
from zoo.checkpoint.locate import locate
from zoo.errors import PromptTooLong, UnsupportedRequest

CONTEXTS = [
    "Once upon a time, there was a little girl named Lily. She loved to play and play and",
    "One day, a big dog",
    "The sun was hot. The sun was hot. The sun was",
]
GREEDY = {"until": ["\n\n"], "max_gen_toks": 20, "do_sample": False}
EOS = {"bos_token_id": 1, "eos_token_id": [2]}
INSTRUCT = {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.1}
CONFIGS = {
    "none": {},
    "as instruct models ship it": {**EOS, **INSTRUCT},
    "repetition_penalty": {**EOS, "repetition_penalty": 1.6},
    "no_repeat_ngram_size": {**EOS, "no_repeat_ngram_size": 2},
    "encoder penalties": {**EOS, "encoder_repetition_penalty": 1.5, "encoder_no_repeat_ngram_size": 3},
    "suppressed": {**EOS, "suppress_tokens": [261, 268, 291], "begin_suppress_tokens": [400, 401, 13, 300]},
    "bad_words_ids": {**EOS, "bad_words_ids": [[291], [268, 280], [405, 290]]},
    "sequence_bias": {**EOS, "sequence_bias": [[[300], 6.0], [[261, 268], -8.0]]},
    "several ends": {"bos_token_id": 1, "eos_token_id": [2, 426, 432, 13]},
    "no end": {"bos_token_id": 1},
    "min_new_tokens": {"bos_token_id": 1, "eos_token_id": [2, 426, 432], "min_new_tokens": 12},
    "min_length": {"bos_token_id": 1, "eos_token_id": [2, 426, 432], "min_length": 30},
    "exponential_decay": {**EOS, "exponential_decay_length_penalty": [4, 1.6]},
    "forced_eos": {"bos_token_id": 1, "eos_token_id": 2, "forced_eos_token_id": 426},
    "forced_bos": {**EOS, "forced_bos_token_id": 300},
    "watermark": {**EOS, "watermarking_config": {"bias": 4.0, "context_width": 1, "greenlist_ratio": 0.25}},
    "max_new_tokens wins": {**EOS, "max_new_tokens": 9},
    "max_new_tokens wins, more": {**EOS, "max_new_tokens": 40, "max_length": 5},
    "prompt_lookup": {**EOS, "prompt_lookup_num_tokens": 3},
    "harmless": {**EOS, "num_beams": 1, "use_cache": False, "output_scores": True, "return_dict_in_generate": False,
                 "early_stopping": True, "cache_implementation": "dynamic", "max_length": 512, "chat_format": "chatml"},
    "all at once": {**EOS, **INSTRUCT, "no_repeat_ngram_size": 3, "min_new_tokens": 8, "renormalize_logits": True,
                    "remove_invalid_values": True, "suppress_tokens": [291], "bad_words_ids": [[261, 268]]},
}  # fmt: skip


@pytest.fixture
def model_with(stories, tmp_path):
    def made(config):
        folder = tmp_path / "model"
        shutil.copytree(stories, folder, dirs_exist_ok=True)
        if config:
            (folder / "generation_config.json").write_text(json.dumps(config))
        return folder

    return made


def instances(gen_kwargs):
    from lm_eval.api.instance import Instance

    return [
        Instance(request_type="generate_until", doc={}, arguments=(text, dict(gen_kwargs)), idx=0, metadata=("t", i, 1))
        for i, text in enumerate(CONTEXTS)
    ]


def theirs(folder, gen_kwargs):
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=1)
    return lm.generate_until(instances(gen_kwargs), disable_tqdm=True)


def ours(folder, gen_kwargs, eager=False):
    """The texts as the harness cuts them."""
    texts, requests = generate(folder, gen_kwargs, eager)
    return [cut_at_stops(texts[i], request.stop) for i, request in enumerate(requests)]


def generate(folder, gen_kwargs, eager=False):
    backend = open_hf(locate(str(folder)), Options(device="cpu", eager=eager))
    loaded = SimpleNamespace(name="t")
    documents = [SimpleNamespace(doc_id=i, instances=(made,)) for i, made in enumerate(instances(gen_kwargs))]
    requests = [
        unit.request for unit in Encoder(backend.tokenizer, backend.capabilities.max_length).units(loaded, documents)
    ]
    texts = {g.index: answer_of(g, backend.tokenizer)["text"] for g in backend.generate(requests)}
    return texts, requests


@pytest.mark.parametrize("name", CONFIGS)
def test_texts_are_those_of_lm_evals_own_model(name, model_with):
    folder = model_with(CONFIGS[name])
    expected = theirs(folder, GREEDY)
    assert ours(folder, GREEDY) == expected
    assert ours(folder, GREEDY, eager=True) == expected


TASK_KEYS = [
    {"until": "was", "max_tokens": 20},
    {"until": ["girl", "was"], "max_new_tokens": 20, "max_tokens": 3},
    {"until": [], "max_completion_tokens": "15"},
    {"max_length": 50},
    {"until": ["\n"], "max_gen_toks": 12, "do_sample": False, "temperature": 0.7, "num_beams": 1},
    {"until": [""], "max_gen_toks": 12},
    {
        "until": ["."],
        "max_gen_toks": 20,
        "repetition_penalty": 1.0,
        "top_k": 4,
        "min_new_tokens": 9,
        "num_return_sequences": 1,
    },
    {"until": ["</s>"], "max_gen_toks": 12, "temperature": 0.0, "no_repeat_ngram_size": 1, "eos_token_id": 432},
]


@pytest.mark.parametrize("gen_kwargs", TASK_KEYS, ids=str)
def test_a_tasks_own_keys_win_over_the_models_as_in_lm_eval(gen_kwargs, model_with):
    folder = model_with({**EOS, "repetition_penalty": 1.3, "num_beams": 1})
    expected = theirs(folder, gen_kwargs)
    assert ours(folder, gen_kwargs) == expected
    assert ours(folder, gen_kwargs, eager=True) == expected


SEARCHES = {
    "num_beams": 4, "num_return_sequences": 2, "guidance_scale": 1.5, "penalty_alpha": 0.6, "dola_layers": "high",
    "token_healing": True, "stop_strings": ["."], "max_time": 3.0, "cache_implementation": "quantized",
    "force_words_ids": [[5]], "assistant_ensemble_weight": 0.5,
}  # fmt: skip


@pytest.mark.parametrize("eager", [False, True], ids=["packed", "plain"])
@pytest.mark.parametrize("name", SEARCHES)
def test_a_setting_that_changes_the_search_is_refused_by_name_before_the_first_token(name, eager, model_with):
    """But for one that transformers itself refuses to load, which is refused with its words."""
    both = {"num_beams": 4} if name == "num_return_sequences" else {}
    with pytest.raises(UnsupportedRequest, match=f"{name}: "):
        generate(model_with({**EOS, **both, name: SEARCHES[name]}), GREEDY, eager)


@pytest.mark.parametrize("setting", [
    {"repetition_penalty": 0}, {"repetition_penalty": "1.1"}, {"bad_words_ids": [[5000]]}, {"no_repeat_ngram_size": 2.5},
    {"suppress_tokens": "all"}, {"sequence_bias": {"5": 1.0}},
], ids=str)  # fmt: skip
def test_a_value_that_makes_no_sense_is_refused_in_words(setting, model_with):
    with pytest.raises(UnsupportedRequest, match=next(iter(setting))):
        generate(model_with({**EOS, **setting}), GREEDY)


def test_a_limit_of_generation_config_that_does_not_fit_is_refused_in_words(model_with):
    with pytest.raises(PromptTooLong, match="max_new_tokens to 510"):
        generate(model_with({**EOS, "max_new_tokens": 510}), GREEDY)


def test_a_setting_that_acts_only_when_sampling_leaves_greedy_texts_as_they_are(model_with):
    plain = ours(model_with({}), GREEDY)
    sampling = {"do_sample": True, "temperature": 0.1, "top_k": 3, "min_p": 0.4, "top_h": 0.3}
    assert ours(model_with({**EOS, **sampling}), GREEDY) == plain


def test_settings_in_config_json_act_where_there_is_no_generation_config(model_with):
    folder = model_with({})
    config = json.loads((folder / "config.json").read_text())
    old = {"repetition_penalty": 1.5, "no_repeat_ngram_size": 2, "max_length": 7}
    (folder / "config.json").write_text(json.dumps({**config, **old}))
    expected = theirs(folder, GREEDY)
    assert ours(folder, GREEDY) == expected
    assert ours(model_with(EOS), GREEDY) != expected  # with a generation_config.json they do not
