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
    "Tom and Ben are",
    "The sun was hot. The sun was hot. The sun was",
]
GREEDY = {"until": ["\n\n"], "max_gen_toks": 28, "do_sample": False}
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
    "harmless": {**EOS, "num_beams": 1, "use_cache": False, "output_scores": True, "return_dict_in_generate": False,
                 "early_stopping": True, "length_penalty": 2.0, "max_length": 512, "chat_format": "chatml"},
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
    backend = open_hf(locate(str(folder)), Options(device="cpu", eager=eager))
    loaded = SimpleNamespace(name="t")
    documents = [SimpleNamespace(doc_id=i, instances=(made,)) for i, made in enumerate(instances(gen_kwargs))]
    requests = [
        unit.request for unit in Encoder(backend.tokenizer, backend.capabilities.max_length).units(loaded, documents)
    ]
    texts = {g.index: answer_of(g, backend.tokenizer)["text"] for g in backend.generate(requests)}
    return [cut_at_stops(texts[i], request.stop) for i, request in enumerate(requests)]


@pytest.mark.parametrize("name", CONFIGS)
def test_texts_are_those_of_lm_evals_own_model(name, model_with):
    folder = model_with(CONFIGS[name])
    expected = theirs(folder, GREEDY)
    assert ours(folder, GREEDY) == expected
    assert ours(folder, GREEDY, eager=True) == expected
