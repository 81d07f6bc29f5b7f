"""`MinizooLM` under lm-eval's own evaluator, in turns of chat, and how it is opened: the results are HFLM's."""

import itertools
import json
import logging
import shutil

import pytest
import torch
from support.chat_template import copy_with_chat_template
from support.drop_in import PAIRS, Opened, generation, scored
from support.paths import ROOT
from support.tolerances import assert_logprobs, logprob_tolerance

from harness.lmeval.model import MinizooLM, register
from zoo.errors import (
    ChatTemplateMissing,
    UnsupportedRequest,
)

TASKS = ["nano_words", "nano_prose", "nano_sums"]


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


def test_an_evaluation_again_takes_every_answer_from_lm_evals_cache(lm, spied, tmp_path):
    cache = str(tmp_path / "answers")
    first = evaluated(lm, use_cache=cache)
    assert spied.asked
    spied.asked.clear()
    again = evaluated(lm, use_cache=cache)
    assert again["results"] == first["results"]
    assert spied.asked == []


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
