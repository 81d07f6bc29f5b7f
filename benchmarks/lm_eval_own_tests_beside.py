"""What lm-eval's tests with literal tokens of pythia are about, with the answers of its own HFLM as what is expected."""

import pytest

from benchmarks.lm_eval_stand_in import GIVEN, REAL

TEXTS = ("foo bar", "bar foo", "Once upon a time, there was a little girl named Lily.", " ", "")


@pytest.fixture(scope="module")
def both():
    return [REAL[name](pretrained=GIVEN["model"], device="cpu", dtype="float32") for name in ("ours", "HFLM")]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_encoded_and_decoded_as_hflm_does(both, text):
    ours, theirs = both
    tokens = theirs.tok_encode(text)
    assert ours.tok_encode(text) == tokens
    assert ours.tok_encode(text, add_special_tokens=False) == theirs.tok_encode(text, add_special_tokens=False)
    assert ours.tok_decode(tokens) == theirs.tok_decode(tokens)


@pytest.mark.parametrize("name", ["eot_token_id", "prefix_token_id", "max_length", "max_gen_toks", "tokenizer_name"])
def test_what_lm_eval_asks_of_a_model_is_what_hflm_says(both, name):
    ours, theirs = both
    assert getattr(ours, name) == getattr(theirs, name)


def test_a_chat_template_is_applied_as_hflm_does(both):
    turns = [
        {"role": "user", "content": "foo"},
        {"role": "assistant", "content": "bar"},
        {"role": "user", "content": "foo"},
    ]
    for lm in both:
        lm.tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    ours, theirs = both
    assert ours.apply_chat_template(turns) == theirs.apply_chat_template(turns)
    assert ours.apply_chat_template(turns[:2], add_generation_prompt=False) == theirs.apply_chat_template(
        turns[:2], add_generation_prompt=False
    )


def test_texts_are_encoded_together_as_hflm_does(both):
    ours, theirs = (lm.tok_batch_encode(["foo bar", "bar foo foo"]) for lm in both)
    assert [tensor.tolist() for tensor in ours] == [tensor.tolist() for tensor in theirs]


def test_what_follows_a_prompt_is_what_hflm_writes(both):
    context = both[1].tok_batch_encode(["foo bar"])[0]
    ours, theirs = (lm._model_generate(context, max_length=30, stop=["\n\n"])[0].tolist() for lm in both)
    assert ours == theirs
