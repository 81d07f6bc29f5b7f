"""A generation's settings in a server's fields: nothing is left to the server, nothing that it cannot follow is sent."""

import json

import pytest

from backends.contract import GenerateRequest
from backends.openai.dialects import DIALECTS, PLAIN
from backends.openai.settings import eos_ids, fields_of, file_settings, limit_of
from zoo.errors import InvalidConfig, UnsupportedRequest

VLLM, SGLANG, LLAMA = DIALECTS["vllm"], DIALECTS["sglang"], DIALECTS["llamacpp"]


def asked(temperature=0.0, top_p=None, seed=0, **settings):
    return GenerateRequest((5, 6), 7, temperature=temperature, top_p=top_p, settings=settings, seed=seed)


def test_greedy_says_so_and_turns_off_what_a_server_may_have_of_its_own():
    fields = fields_of(asked(), {"temperature": 0.6, "top_p": 0.9, "do_sample": True}, VLLM)
    assert fields["temperature"] == 0
    assert (fields["repetition_penalty"], fields["top_k"], fields["min_p"], fields["min_tokens"]) == (1.0, 0, 0, 0)
    assert "top_p" not in fields
    assert "seed" not in fields
    assert fields_of(asked(), {}, SGLANG)["top_k"] == -1


def test_drawing_follows_the_request_then_the_file_then_transformers():
    file = {"top_p": 0.9, "min_p": 0.1, "top_k": 20}
    fields = fields_of(asked(0.8, seed=11), file, VLLM)
    assert (fields["top_p"], fields["min_p"], fields["top_k"], fields["seed"]) == (0.9, 0.1, 20, 11)
    fields = fields_of(asked(0.8, top_p=0.5, top_k=3), file, VLLM)
    assert (fields["top_p"], fields["top_k"]) == (0.5, 3)
    assert fields_of(asked(0.8), {}, VLLM)["top_k"] == 50, "transformers' default acts whenever tokens are drawn"


def test_settings_that_change_greedy_tokens_are_sent_where_there_is_a_field():
    assert fields_of(asked(repetition_penalty=1.3, min_new_tokens=4), {}, VLLM)["min_tokens"] == 4
    assert fields_of(asked(), {"repetition_penalty": 1.2}, VLLM)["repetition_penalty"] == 1.2
    assert "repetition_penalty" not in fields_of(asked(repetition_penalty=1.0), {}, LLAMA)


@pytest.mark.parametrize(
    ("request_", "file", "dialect", "named"),
    [
        (asked(no_repeat_ngram_size=3), {}, VLLM, "no_repeat_ngram_size: 3"),
        (asked(), {"bad_words_ids": [[5]]}, VLLM, "bad_words_ids"),
        (asked(repetition_penalty=1.3), {}, LLAMA, "repetition_penalty: 1.3"),
        (asked(0.7), {}, PLAIN, "top_k: 50"),
        (asked(num_beams=4), {}, VLLM, "num_beams"),
        (asked(nonsense=4), {}, VLLM, "nonsense"),
    ],
)
def test_what_no_field_can_say_is_refused_by_name(request_, file, dialect, named):
    with pytest.raises(UnsupportedRequest, match=named):
        fields_of(request_, file, dialect)


def test_the_checkpoints_file_says_where_a_text_ends_and_how_long_it_may_be(tmp_path):
    assert file_settings(tmp_path) == {}
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [3, 4], "max_new_tokens": 9}))
    file = file_settings(tmp_path)
    assert eos_ids(file, {"eos_token_id": 8}, 5) == {3, 4, 5}
    assert eos_ids({}, {"eos_token_id": 8}, None) == {8}
    assert limit_of(asked(), file) == 9
    assert limit_of(asked(), {}) == 7
    (tmp_path / "generation_config.json").write_text("[1")
    with pytest.raises(InvalidConfig):
        file_settings(tmp_path)
