"""`MinizooLM` beside lm-eval's own HFLM in one process, both in fp32: the same tokens, answers and results."""

import itertools
import json
import logging
import math
import shutil
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from support.chat_template import copy_with_chat_template
from support.paths import ROOT
from support.tolerances import assert_logprobs, logprob_tolerance

from backends.contract import Generation, Score
from harness.lmeval.model import MinizooLM, register
from zoo.errors import (
    BackendBroke,
    ChatTemplateMissing,
    PromptImpossible,
    ScoresNotFinite,
    TokenOutsideVocabulary,
    UnsupportedRequest,
)

LONG = "Once upon a time there was a big dog. " * 90
STORY = "Once upon a time"
PAIRS = [
    (STORY, " there was a little girl"),
    (STORY + " ", "there was a little girl"),
    (STORY, " there was a red ball"),
    ("", "Lily ran"),
    ("", "<s>Lily ran"),
    (" ", "Lily ran"),
    ("<s>One day", " Tim"),
    (LONG, " The end."),
]
TEXTS = ["", "One day.", "<s>One day.", LONG]
TASKS = ["nano_words", "nano_prose", "nano_sums"]
BOTH = ["minizoo", "hflm"]


def instance(kind, *arguments, task="t", doc=0, idx=0, repeats=1):
    from lm_eval.api.instance import Instance

    return Instance(kind, {}, arguments, idx, (task, doc, repeats))


def scored(pairs=PAIRS, task="t"):
    return [instance("loglikelihood", *pair, task=task, doc=at) for at, pair in enumerate(pairs)]


def rolling(texts=TEXTS):
    return [instance("loglikelihood_rolling", text, doc=at) for at, text in enumerate(texts)]


def generation(prompt=STORY, task="t", doc=0, repeats=1, **settings):
    return instance("generate_until", prompt, {"max_gen_toks": 12, **settings}, task=task, doc=doc, repeats=repeats)


class Opened:
    """One model of each kind for each set of arguments, opened once."""

    def __init__(self, folder):
        self.folder, self.known = folder, {}

    def __call__(self, which, **arguments):
        from lm_eval.models.huggingface import HFLM

        made = {"minizoo": MinizooLM, "hflm": HFLM}[which]
        key = which, tuple(sorted(arguments.items()))
        if key not in self.known:
            told = {"pretrained": str(self.folder), "dtype": "float32", "device": "cpu", **arguments}
            self.known[key] = made(**told)
        return self.known[key]

    def both(self, **arguments):
        return [self(which, **arguments) for which in BOTH]


@pytest.fixture(scope="module")
def opened(stories):
    return Opened(stories)


@pytest.fixture(scope="module")
def chatty(stories, tmp_path_factory):
    """The same model with a chat template that takes no system turn."""
    return Opened(copy_with_chat_template(stories, tmp_path_factory.mktemp("chat") / "tuned"))


@pytest.fixture
def lm(opened):
    """Ours with no count and no cache of an earlier test."""
    from lm_eval.api.model import CacheHook

    lm = opened("minizoo")
    lm.truncated.clear()
    lm.set_cache_hook(CacheHook(None))
    return lm


class Spy:
    """An engine that notes what it is asked; `change` makes another answer of each."""

    def __init__(self, engine, change=lambda answer: answer):
        self._engine, self._change, self.asked = engine, change, []

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def score(self, requests):
        self.asked += requests
        return map(self._change, self._engine.score(requests))

    def generate(self, requests):
        self.asked += requests
        return map(self._change, self._engine.generate(requests))


@pytest.fixture
def spied(lm, monkeypatch):
    spy = Spy(lm.engine)
    monkeypatch.setattr(lm, "engine", spy)
    return spy


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


# Requests of a call


def test_what_is_cut_is_counted_and_told_once_a_task(lm, caplog):
    asked = [*scored([(LONG, " a"), (LONG, " b"), (STORY, " c")]), *scored([(LONG, " a")], task="other")]
    with caplog.at_level(logging.WARNING):
        lm.loglikelihood(asked)
        lm.generate_until([generation(LONG, task="written")])
    assert lm.truncated == {"t": 2, "other": 1, "written": 1}
    told = [record.getMessage() for record in caplog.records if "cut on the left" in record.getMessage()]
    assert len(told) == 3
    assert "task t: 2 requests longer than the context of 512 tokens" in told[0]


def test_equal_requests_are_computed_once(lm, spied):
    found = lm.loglikelihood([*scored(PAIRS[:2]), *scored(PAIRS[:2], task="other")] * 3)
    assert found == found[:2] * 6
    assert len(spied.asked) == 2
    spied.asked.clear()
    greedy = generation(repeats=4)
    assert lm.generate_until([greedy] * 4) == lm.generate_until([greedy]) * 4
    assert len(spied.asked) == 2


def test_repeats_of_a_drawn_text_differ_and_follow_the_seed(lm, spied):
    drawn = generation(do_sample=True, temperature=1.5, repeats=3)
    torch.manual_seed(7)
    first = lm.generate_until([drawn] * 3)
    assert len(set(first)) == 3
    assert lm.generate_until([drawn] * 3) == first
    torch.manual_seed(8)
    assert lm.seed == 8
    assert lm.generate_until([drawn] * 3) != first
    assert {request.temperature for request in spied.asked} == {1.5}


def test_drawn_texts_are_those_of_minizoos_own_evaluation(lm, spied):
    """One seed for a repeat of a request, by the rule of the records: task, document, request, repeat."""
    from harness.lmeval.prompts import Document

    drawn = generation(do_sample=True, temperature=0.9, doc=5, repeats=2)
    torch.manual_seed(0)
    lm.generate_until([drawn] * 2)
    loaded = SimpleNamespace(name="t")
    units = lm.encoder.units(loaded, [Document(5, {}, "", 0, (drawn,))])
    assert [unit.request for unit in units] == spied.asked


def test_all_tasks_of_a_call_are_one_schedule(lm, monkeypatch):
    calls = []
    real = lm.engine.score
    monkeypatch.setattr(lm.engine, "score", lambda requests: calls.append(len(requests)) or real(requests))
    lm.loglikelihood([*scored(PAIRS[:3]), *scored([("Tom", " ran")], task="other")])
    assert calls == [4]


def test_a_progress_bar_is_shown_on_stderr_unless_it_is_not_wanted(lm, capsys):
    lm.loglikelihood(scored(PAIRS[:2]))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Running loglikelihood requests: 100%" in shown.err
    lm.loglikelihood(scored(PAIRS[:2]), disable_tqdm=True)
    assert capsys.readouterr().err == ""
    assert lm.loglikelihood([]) == []


def test_hand_made_requests_without_a_task_are_answered_in_order(lm):
    from lm_eval.api.instance import Instance

    asked = [Instance("loglikelihood", {}, pair, 0) for pair in PAIRS]
    assert lm.loglikelihood(asked) == lm.loglikelihood(scored())


# lm-eval's request cache


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("loglikelihood", scored(PAIRS[:4])),
        ("loglikelihood_rolling", rolling(TEXTS[:3])),
        ("generate_until", [generation(), generation(until=["a"])]),
    ],
)
def test_a_second_run_takes_everything_from_the_cache(lm, spied, tmp_path, kind, asked):
    from lm_eval.api.model import CachingLM

    path = str(tmp_path / "cache.db")
    first = getattr(CachingLM(lm, path), kind)(asked)
    assert spied.asked
    spied.asked.clear()
    assert getattr(CachingLM(lm, path), kind)(asked) == first
    assert spied.asked == []


def test_an_interrupted_call_leaves_its_answers_in_the_cache(lm, monkeypatch, tmp_path):
    from lm_eval.api.model import CachingLM

    answered = itertools.count(1)

    def stop_after_two(answer):
        if next(answered) > 2:
            raise KeyboardInterrupt
        return answer

    real = lm.engine
    monkeypatch.setattr(lm, "engine", Spy(real, stop_after_two))
    cached = CachingLM(lm, str(tmp_path / "cache.db"))
    with pytest.raises(KeyboardInterrupt):
        cached.loglikelihood(scored(PAIRS[:4]))
    spy = Spy(real)
    monkeypatch.setattr(lm, "engine", spy)
    assert all(cached.loglikelihood(scored(PAIRS[:4])))
    assert len(spy.asked) == 2


# What is no number


@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_a_score_that_is_no_number_is_an_error_that_names_the_task(lm, monkeypatch, bad):
    spy = Spy(lm.engine, lambda score: Score(score.index, bad, False))
    monkeypatch.setattr(lm, "engine", spy)
    kept = []
    monkeypatch.setattr(lm.cache_hook, "add_partial", lambda *answer: kept.append(answer))
    with pytest.raises(ScoresNotFinite, match=r"log-probabilities are NaN or infinite, first in task t, document \d"):
        lm.loglikelihood(scored(PAIRS[:2]))
    with pytest.raises(ScoresNotFinite, match="task t"):
        lm.loglikelihood_rolling(rolling(["One day."]))
    assert kept == []


def test_a_text_chosen_from_no_numbers_is_an_error_that_names_the_task(lm, monkeypatch):
    spy = Spy(lm.engine, lambda made: Generation(made.index, made.tokens, made.finish, finite=False))
    monkeypatch.setattr(lm, "engine", spy)
    with pytest.raises(ScoresNotFinite, match="logits are NaN or infinite, first in task sums, document 3"):
        lm.generate_until([generation(task="sums", doc=3)])


def test_an_engine_that_breaks_is_an_error_in_words(lm, monkeypatch):
    def broken(_requests):
        raise RuntimeError("CUDA error: an illegal memory access")

    monkeypatch.setattr(lm.engine, "score", broken)
    with pytest.raises(BackendBroke, match=r"hf backend broke on cpu .*illegal memory access"):
        lm.loglikelihood(scored(PAIRS[:1]))


def test_an_ending_without_a_token_is_refused_with_its_document(lm):
    with pytest.raises(PromptImpossible, match="Task t, document 1: the ending '' has no token"):
        lm.loglikelihood(scored([(STORY, " a"), (STORY, "")]))


def test_settings_that_are_not_followed_are_refused_with_the_task(lm):
    with pytest.raises(UnsupportedRequest, match=r"Task t is not run: it asks for num_beams: 4"):
        lm.generate_until([generation(num_beams=4)])


def test_a_token_beyond_the_embedding_is_refused_before_anything_runs(stories, lm):
    from transformers import AutoTokenizer

    grown = AutoTokenizer.from_pretrained(stories)
    grown.add_tokens(["<|more|>"], special_tokens=True)
    other = MinizooLM(str(stories), dtype="float32", tokenizer=grown)
    assert other.loglikelihood(scored(PAIRS[:1]))[0] == pytest.approx(lm.loglikelihood(scored(PAIRS[:1]))[0])
    with pytest.raises(TokenOutsideVocabulary, match=r"first in task t, document 1, token 512 \('<\|more\|>'\)"):
        other.loglikelihood(scored([(STORY, " a"), (STORY, "<|more|> a")]))


# Chat


def test_conversations_are_hflms(chatty):
    ours, theirs = chatty.both()
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes"},
        {"role": "user", "content": "So"},
    ]
    for system, prompt in itertools.product(([], [{"role": "system", "content": "Be good"}]), (True, False)):
        history = [*system, *(turns if prompt else turns[:2])]
        assert ours.apply_chat_template(history, prompt) == theirs.apply_chat_template(history, prompt)
    assert ours.chat_template(True) == theirs.chat_template(True)
    assert ours.tokenizer_name == theirs.tokenizer_name


def test_a_model_without_a_template_is_refused_in_words(lm):
    with pytest.raises(ChatTemplateMissing, match="no chat template"):
        lm.apply_chat_template([{"role": "user", "content": "Hi"}])


def test_arguments_of_the_template_reach_it(stories, tmp_path):
    template = "{{ enable_thinking }} {{ tone }} {% for m in messages %}{{ m.content }}{% endfor %}"
    opened = Opened(copy_with_chat_template(stories, tmp_path / "tuned", template))
    lm = opened("minizoo", enable_thinking=True, think_end_token="</think>")
    lm.chat_template_args["tone"] = "soft"
    assert lm.apply_chat_template([{"role": "user", "content": "Hi"}]) == "True soft Hi"
    with pytest.raises(
        UnsupportedRequest, match=r"enable_thinking=True does not go with log-likelihoods.*task arc, piqa"
    ):
        lm.loglikelihood([*scored(PAIRS[:1], task="piqa"), *scored(PAIRS[:1], task="arc")])
    assert lm.generate_until([generation()])


# lm-eval's evaluator


def evaluated(lm, tasks=TASKS, **told):
    import lm_eval
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(ROOT / "harness/tasks"), include_defaults=False)
    return lm_eval.simple_evaluate(
        model=lm, tasks=list(tasks), limit=6, task_manager=manager, bootstrap_iters=10, **told
    )


def test_an_evaluation_by_lm_eval_has_hflms_results(opened):
    found, expected = (evaluated(lm) for lm in opened.both())
    assert found["results"].keys() == expected["results"].keys() == set(TASKS)
    for task in TASKS:
        for name, value in expected["results"][task].items():
            wanted = pytest.approx(value, rel=logprob_tolerance(200)) if isinstance(value, float) else value
            assert found["results"][task][name] == wanted, (task, name)
        for one, other in zip(found["samples"][task], expected["samples"][task], strict=True):
            assert one["prompt_hash"] == other["prompt_hash"]
            assert one["doc_hash"] == other["doc_hash"]
    texts = [[sample["resps"] for sample in results["samples"]["nano_sums"]] for results in (found, expected)]
    assert texts[0] == texts[1]
    same = ("config", "versions", "n-shot", "n-samples", "higher_is_better", "max_length", "eot_token_id")
    same += ("tokenizer_pad_token", "tokenizer_bos_token", "tokenizer_eos_token")
    for name in same:
        apart = {"model"} if name == "config" else set()
        ours, theirs = (each[name] for each in (found, expected))
        if isinstance(ours, dict):
            ours, theirs = ({k: v for k, v in each.items() if k not in apart} for each in (ours, theirs))
        assert ours == theirs, name


def test_an_evaluation_in_turns_has_hflms_prompts_and_texts(chatty):
    told = {"apply_chat_template": True, "fewshot_as_multiturn": True, "system_instruction": "Be good"}
    found, expected = (evaluated(lm, ["nano_sums"], **told)["samples"]["nano_sums"] for lm in chatty.both())
    assert found[0]["arguments"][0][0].count("<user>") == 4
    for one, other in zip(found, expected, strict=True):
        assert one["arguments"] == other["arguments"]
        assert one["resps"] == other["resps"]


def test_a_class_by_name_is_opened_with_the_command_lines_words(stories, spied):
    from lm_eval.api.registry import get_model
    from lm_eval.models.huggingface import HFLM

    register()
    register()
    assert get_model("minizoo") is MinizooLM
    assert get_model("hf") is HFLM
    words = f"pretrained={stories},dtype=float32,add_bos_token=False,max_length=100,revision=main"
    lm = get_model("minizoo").create_from_arg_string(
        words, {"batch_size": "auto", "max_batch_size": None, "device": "cpu"}
    )
    assert (lm.add_bos_token, lm.max_length, lm.batch_size, str(lm.device)) == (False, 100, "auto", "cpu")
    same = get_model("minizoo").create_from_arg_obj({"pretrained": str(stories), "dtype": "float32"}, {"device": "cpu"})
    assert same.checkpoint.name == lm.checkpoint.name == "stories260k"


# How a model is opened


def stated(stories, folder, dtype):
    shutil.copytree(stories, folder)
    config = json.loads((folder / "config.json").read_text())
    config.pop("torch_dtype")
    (folder / "config.json").chmod(0o644)
    (folder / "config.json").write_text(json.dumps({**config, **({"dtype": dtype} if dtype else {})}))
    return str(folder)


@pytest.mark.parametrize(("dtype", "expected"), [("bfloat16", "bfloat16"), (None, "float32")])
def test_auto_is_the_checkpoints_own_dtype_as_with_hflm(stories, tmp_path, dtype, expected):
    from lm_eval.models.huggingface import HFLM

    folder = stated(stories, tmp_path / "model", dtype)
    assert MinizooLM(folder).engine.dtype == expected
    assert HFLM(folder, device="cpu").model.dtype == getattr(torch, expected)


def test_a_subfolder_another_tokenizer_and_the_plain_form_are_followed(stories, tmp_path):
    shutil.copytree(stories, tmp_path / "whole/step3")
    lm = MinizooLM(tmp_path / "whole", subfolder="step3", tokenizer=str(stories), dtype=torch.float32, eager=True)
    assert lm.checkpoint.folder == tmp_path / "whole/step3"
    assert lm.tokenizer.name_or_path == str(stories)
    assert lm.engine.tokenizer.inner is lm.tokenizer
    assert lm.engine.versions["scoring"] == "plain"
    assert lm.loglikelihood(scored(PAIRS[:1]))[0][0] < 0
    lm.close()


def test_a_model_that_packing_does_not_follow_is_run_plainly_and_that_is_told_once(stories, tmp_path, caplog):
    from transformers import BloomConfig, BloomForCausalLM

    shutil.copytree(stories, tmp_path / "bloom", ignore=lambda *_: ["config.json", "model.safetensors"])
    torch.manual_seed(0)
    BloomForCausalLM(BloomConfig(vocab_size=512, hidden_size=32, n_layer=1, n_head=2)).save_pretrained(
        tmp_path / "bloom"
    )
    with caplog.at_level(logging.WARNING):
        ours, theirs = Opened(tmp_path / "bloom").both()
        found, expected = ours.loglikelihood(scored(PAIRS[:4])), theirs.loglikelihood(scored(PAIRS[:4]))
    assert_logprobs([logprob for logprob, _ in found], [logprob for logprob, _ in expected], 12)
    assert ours.get_model_info() == theirs.get_model_info()
    told = [record.getMessage() for record in caplog.records if "without packing" in record.getMessage()]
    assert len(told) == 1
    assert "bloom is run without packing, since its" in told[0]
