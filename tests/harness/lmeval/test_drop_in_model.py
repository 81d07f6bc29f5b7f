"""`MinizooLM` beside lm-eval's own HFLM in one process, both in fp32: the same tokens and answers."""

import itertools
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from support.drop_in import LONG, PAIRS, STORY, TEXTS, Spy, generation, rolling, scored
from support.tolerances import assert_logprobs

from harness.lmeval.model import MinizooLM

# Answers


@pytest.mark.parametrize("add_bos", [None, True, False])
def test_scores_are_hflms(opened, add_bos):
    arguments = {} if add_bos is None else {"add_bos_token": add_bos}
    ours, theirs = opened.both(**arguments)
    pairs = [pair for pair in PAIRS if add_bos is not False or pair[0].strip() or not pair[0]]  # HFLM refuses " "
    found, expected = ours.loglikelihood(scored(pairs)), theirs.loglikelihood(scored(pairs), disable_tqdm=True)
    assert [greedy for _, greedy in found] == [greedy for _, greedy in expected]
    assert_logprobs([logprob for logprob, _ in found], [logprob for logprob, _ in expected], 12)


@pytest.mark.parametrize("add_bos", [None, True, False])
def test_log_likelihoods_of_texts_are_hflms(opened, add_bos):
    arguments = {} if add_bos is None else {"add_bos_token": add_bos}
    ours, theirs = opened.both(**arguments)
    found, expected = ours.loglikelihood_rolling(rolling()), theirs.loglikelihood_rolling(rolling(), disable_tqdm=True)
    assert_logprobs(found, expected, [len(theirs.tok_encode(text)) for text in TEXTS])


@pytest.mark.parametrize("add_bos", [None, True, False])
def test_generations_are_hflms(opened, add_bos):
    arguments = {} if add_bos is None else {"add_bos_token": add_bos}
    ours, theirs = opened.both(**arguments)
    asked = [
        generation(),
        generation(until=["girl"]),
        generation(until="was", max_gen_toks=4),
        generation("<s>One day", until=["\n", "."]),
        generation(LONG),
        generation(max_gen_toks=None, max_length=30),
        generation(do_sample=False, temperature=0.7),
    ]
    assert ours.generate_until(asked) == theirs.generate_until(asked, disable_tqdm=True)


def test_a_shorter_max_length_cuts_as_hflms(opened):
    ours, theirs = opened.both(max_length=64)
    assert ours.max_length == theirs.max_length == 64
    found, expected = ours.loglikelihood(scored()), theirs.loglikelihood(scored(), disable_tqdm=True)
    assert_logprobs([logprob for logprob, _ in found], [logprob for logprob, _ in expected], 12)
    assert_logprobs(
        ours.loglikelihood_rolling(rolling(TEXTS[-1:])), theirs.loglikelihood_rolling(rolling(TEXTS[-1:])), 1000
    )
    assert ours.generate_until([generation(LONG)]) == theirs.generate_until([generation(LONG)])


def test_another_prefix_token_stands_for_an_empty_context(opened):
    ours, theirs = opened.both(prefix_token_id=5)
    found, expected = ours.loglikelihood(scored()), theirs.loglikelihood(scored(), disable_tqdm=True)
    assert_logprobs([logprob for logprob, _ in found], [logprob for logprob, _ in expected], 12)
    assert found[3] != opened("minizoo").loglikelihood(scored())[3]


@pytest.mark.parametrize("end", ["girl", 432, "432"])
def test_thoughts_are_left_out_as_by_hflm(opened, end):
    ours, theirs = opened.both(think_end_token=end)
    asked = [generation(max_gen_toks=40), generation("Lily", until=["."])]
    found = ours.generate_until(asked)
    assert found == theirs.generate_until(asked, disable_tqdm=True)
    assert found != opened("minizoo").generate_until(asked)


# Text, tokens and lengths


@pytest.mark.parametrize("add_bos", [None, True, False])
def test_the_text_side_is_hflms(opened, add_bos):
    arguments = {} if add_bos is None else {"add_bos_token": add_bos}
    ours, theirs = opened.both(**arguments)
    for text in ["", " ", STORY, "<s>" + STORY, LONG]:
        for special in (None, True, False):
            tokens = theirs.tok_encode(text, add_special_tokens=special)
            assert ours.tok_encode(text, add_special_tokens=special) == tokens
            assert ours.tok_decode(tokens) == theirs.tok_decode(tokens)
        assert ours.tok_encode(text, left_truncate_len=3) == theirs.tok_encode(text, left_truncate_len=3)
    for batch in ([STORY, "a"], ["<s>" + STORY, "a"], ["a", "<s>" + STORY]):
        for side, length in itertools.product(("left", "right"), (None, 3)):
            for found, expected in zip(
                *(lm.tok_batch_encode(batch, side, length) for lm in (ours, theirs)), strict=True
            ):
                assert found.tolist() == expected.tolist()
    assert ours._encode_pair(STORY + " ", "there") == theirs._encode_pair(STORY + " ", "there")
    for name in ("eot_token_id", "prefix_token_id", "max_length", "max_gen_toks", "batch_size", "device", "rank"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("world_size", "add_bos_token", "tokenizer_name", "vocab_size", "backend"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.tokenizer.pad_token == theirs.tokenizer.pad_token


@pytest.mark.parametrize("add_bos", [None, True, False])
def test_both_entrances_make_the_same_tokens(opened, add_bos):
    lm = opened("minizoo", add_bos_token=add_bos) if add_bos is not None else opened("minizoo")
    pairs = [pair for pair in PAIRS[:-1] if pair[0].strip()]
    spy, encoded = Spy(lm.engine), []
    lm.engine = spy
    try:
        lm.loglikelihood(scored(pairs))
        for context, continuation in pairs:
            encoded.append(tuple(map(tuple, lm._encode_pair(context, continuation))))
    finally:
        lm.engine = spy._engine
    assert {(request.context, request.continuation) for request in spy.asked} == set(encoded)


def test_encoded_requests_are_scored_as_by_hflm(opened, lm):
    asked = [(("a", "b"), lm.tok_encode(STORY), lm.tok_encode(" there", False)), (None, [1] * 600, [5, 6])]
    found, expected = lm._loglikelihood_tokens(asked), opened("hflm")._loglikelihood_tokens(asked, disable_tqdm=True)
    assert_logprobs([logprob for logprob, _ in found], [logprob for logprob, _ in expected], 4)
    assert lm.truncated == {"unnamed": 1}


def test_encoded_prompts_are_continued_as_by_hflm(opened, lm):
    context = lm.tok_batch_encode([STORY])[0]
    found, expected = (each._model_generate(context, max_length=20, stop=["was"]) for each in opened.both())
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("add_bos", [None, True, False])
@pytest.mark.parametrize("backend", ["causal", "seq2seq"])
def test_methods_taken_from_the_class_work_on_another_object(opened, add_bos, backend):
    """lm-eval's own tests do so."""
    from lm_eval.models.huggingface import HFLM

    def stub(model):
        made = Mock()
        made.add_bos_token, made.backend, made.tokenizer = add_bos, backend, opened("hflm").tokenizer
        made.prefix_token_id = 1
        return [getattr(model, name).__get__(made, model) for name in ("tok_encode", "tok_batch_encode")]

    (encode, batch), (their_encode, their_batch) = stub(MinizooLM), stub(HFLM)
    for text in (STORY, "<s>" + STORY):
        assert encode(text) == their_encode(text)
        assert batch([text, "a"])[0].tolist() == their_batch([text, "a"])[0].tolist()


def test_the_context_is_worked_out_on_another_object_as_by_hflm():
    from lm_eval.models.huggingface import HFLM

    def stub(**told):
        return SimpleNamespace(_DEFAULT_MAX_LENGTH=HFLM._DEFAULT_MAX_LENGTH, **{"_max_length": None, **told})

    nested = SimpleNamespace(config=SimpleNamespace(text_config=SimpleNamespace(max_position_embeddings=131072)))
    for made in (stub(_max_length=512), stub(model=nested, tokenizer=None)):
        assert MinizooLM.max_length.fget(made) == HFLM.max_length.fget(made)


def test_what_results_say_of_the_model_is_what_hflm_says(opened):
    ours, theirs = opened.both()
    assert ours.get_model_info() == theirs.get_model_info()
