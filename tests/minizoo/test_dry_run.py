"""`--dry-run`: exact where tokenizer and data are at hand, an estimate with its basis elsewhere, and nothing is fetched."""

import os

import pytest
from support.chat_template import copy_with_chat_template

from harness.metrics.published import closest_published, expected_scores
from harness.stats.power import detectable_difference
from zoo.registry.loader import load_registry

MODEL = "mistral-nemo-minitron-8b"
COUNTED = ("documents", "documents_total", "requests", "tokens", "truncated")


@pytest.fixture
def plan(minizoo):
    def call(*args, model=MODEL):
        ran = minizoo("eval", "--model", model, "--dry-run", "--no-probe", "--json", *args)
        assert ran.code == 0, ran.err
        told = ran.json()
        return {row["task"]: row for row in told["tasks"]}, told["missing"]

    return call


@pytest.fixture(scope="module")
def _empty_hub(tmp_path_factory):
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(autouse=True)
def no_hub(monkeypatch, _empty_hub):
    """Nothing of the machine's own cache of the hub counts as at hand."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(_empty_hub))


def test_without_data_the_papers_suite_is_told_by_the_sizes_it_states(plan):
    rows, missing = plan("--suite", "paper")
    assert {name: row["documents"] for name, row in rows.items()} == {
        "winogrande": 1267, "arc_challenge": 1172, "mmlu": 14042, "hellaswag": 10042, "gsm8k": 1319,
        "truthfulqa_mc2": 817, "xlsum_en": 2307, "xlsum_en_0shot": 2307, "mbpp_0shot": 500, "humaneval": 164,
    }  # fmt: skip
    assert (rows["mmlu"]["requests"], rows["mbpp_0shot"]["requests"]) == (56168, 10000)
    assert rows["humaneval"]["requests"] == 164 * 20
    assert all(row["tokens_basis"] for row in rows.values())
    assert {"the tokenizer", "mmlu", "xlsum_en"} <= set(missing)
    assert "humaneval" not in missing  # its package has the problems


def test_published_value_and_detectable_difference_stand_with_each_task(plan):
    rows, _ = plan("--suite", "paper")
    assert (rows["winogrande"]["published"], rows["winogrande"]["published_in"]) == (80.35, "mn-minitron-news")
    assert rows["mmlu"]["detectable_difference"] == pytest.approx(detectable_difference(14042, 0.6951))
    assert 100 * rows["mmlu"]["detectable_difference"] == pytest.approx(1.54, abs=0.005)
    assert rows["hellaswag"]["shared_units"]


def test_data_and_tokenizer_make_the_numbers_exact(plan, data, assets):
    argv = ["--tasks", "winogrande,gsm8k", "--limit", 40, "--data", data]
    exact, missing = plan(*argv, "--tokenizer", assets / "tokenizers/gpt2")
    rough, _ = plan(*argv)
    assert missing == {}
    for task in ("winogrande", "gsm8k"):
        assert exact[task]["tokens_basis"] is None
        assert rough[task]["tokens_basis"] == "4 characters a token"
        assert rough[task]["requests"] == exact[task]["requests"]
        assert rough[task]["tokens"] == pytest.approx(exact[task]["tokens"], rel=0.35)
    assert (exact["gsm8k"]["truncated"], rough["gsm8k"]["truncated"]) == (0, None)


@pytest.mark.parametrize(
    ("task", "shots"), [("winogrande", 5), ("arc_challenge", 25), ("gsm8k", 5), ("truthfulqa_mc2", 0)]
)
def test_an_estimate_is_near_the_exact_count(plan, data, assets, task, shots):
    """Of the sizes in harness/metrics/task_metadata.yaml, against GPT-2's tokens of a sample."""
    argv = ["--tasks", task, "--shots", shots, "--limit", 60]
    rough, _ = plan(*argv)
    exact, _ = plan(*argv, "--data", data, "--tokenizer", assets / "tokenizers/gpt2")
    assert rough[task]["documents"] == exact[task]["documents"]
    assert rough[task]["tokens"] == pytest.approx(exact[task]["tokens"], rel=0.2)


def test_draws_of_examples_multiply_the_work_of_tasks_that_draw(plan, data):
    argv = ["--tasks", "winogrande,mmlu_anatomy", "--shots", 5, "--limit", 4]
    for at_hand in ([], ["--data", data]):
        once, _ = plan(*argv, *at_hand)
        thrice, _ = plan(*argv, *at_hand, "--fewshot-seeds", 3)
        assert thrice["winogrande"]["requests"] == 3 * once["winogrande"]["requests"] == 24
        assert thrice["mmlu_anatomy"]["requests"] == once["mmlu_anatomy"]["requests"]


def test_a_task_of_unknown_size_is_said_to_be_unknown(plan, minizoo):
    rows, missing = plan("--suite", "pruning")
    assert rows["piqa"]["requests"] is rows["piqa"]["tokens"] is None
    assert "piqa" in missing
    shown = minizoo("eval", "--model", MODEL, "--suite", "pruning", "--dry-run")
    assert shown.code == 0
    assert "that cannot be estimated" in shown.out


def test_a_person_sees_estimates_marked_with_their_basis_and_what_is_assumed(minizoo):
    ran = minizoo("eval", "--model", MODEL, "--suite", "paper", "--dry-run")
    for words in ("≈ 358,308", "80.35", "1.5 points", "≥ hellaswag", "estimated by", "assumed for xlsum_en: prompt"):
        assert words in ran.out
    assert "--tokenizer and --data give exact numbers" in ran.err


CHAT = """\
name: chat
chat: true
folders: [lm_eval/tasks/gsm8k]
tasks: [{task: gsm8k, shots: 0, limit: 3, decoding: {max_tokens: 8}}]
"""


def test_a_suite_with_a_chat_template_is_planned_through_it(plan, minizoo, stories, data, tmp_path):
    """The counts of the dry run are those that the run records, which plain prompts do not have."""
    tuned = copy_with_chat_template(stories, tmp_path / "tuned")
    counts = {}
    for name in ("chat", "plain"):
        suite = tmp_path / f"{name}.yaml"
        suite.write_text(CHAT if name == "chat" else CHAT.replace("chat: true", "chat: false"))
        argv = ["--suite", suite, "--data", data, "--overflow", "truncate"]
        planned, missing = plan(*argv, model=tuned)
        assert missing == {}
        assert planned["gsm8k"]["tokens_basis"] is None
        ran = minizoo("eval", tuned, *argv, "--results", tmp_path / name, "--device", "cpu", "--json")
        (record,) = ran.json()["records"]
        counts[name] = record["counts"]
        assert [planned["gsm8k"][key] for key in COUNTED] == [record["counts"][key] for key in COUNTED]
    assert counts["chat"] != counts["plain"]


def test_a_tokenizer_without_a_template_gives_estimates_of_a_chat_suite_and_says_so(
    plan, minizoo, stories, data, tmp_path
):
    suite = tmp_path / "chat.yaml"
    suite.write_text(CHAT)
    rows, missing = plan("--suite", suite, "--data", data, model=stories)
    assert set(missing) == {"the chat template"}
    assert "without the chat template" in rows["gsm8k"]["tokens_basis"]
    shown = minizoo("eval", stories, "--suite", suite, "--data", data, "--dry-run", "--no-probe")
    assert "the chat template: " in shown.err
    assert "≈" in shown.out


def test_a_dry_run_leaves_the_hubs_setting_as_it_was(plan, monkeypatch):
    from datasets import config
    from huggingface_hub import constants

    seen = []
    monkeypatch.setattr(
        "harness.accuracy.dry_run.load_registry", lambda: seen.append(constants.HF_HUB_OFFLINE) or load_registry()
    )
    for module in (constants, config):
        monkeypatch.setattr(module, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    plan("--tasks", "winogrande")
    assert seen == [True]
    assert (constants.HF_HUB_OFFLINE, config.HF_HUB_OFFLINE) == (False, False)
    assert "HF_HUB_OFFLINE" not in os.environ


def test_a_mirror_that_lacks_a_file_is_named(minizoo, tmp_path, assets):
    ran = minizoo(
        "eval", "--model", MODEL, "--tasks", "winogrande", "--dry-run", "--data", tmp_path,
        "--tokenizer", assets / "tokenizers/gpt2",
    )  # fmt: skip
    assert ran.code == 0
    assert "validation.jsonl" in ran.err


def test_a_source_that_says_less_is_completed_by_one_that_prints_the_same_figure():
    """The blog's 36.22 names no decoding; the paper prints 36.2 and does."""
    expected = expected_scores(load_registry(), MODEL)
    found = closest_published(expected, "humaneval", "pass@1", 0)
    assert (found.origin, found.printed, found.temperature, found.samples_each) == ("mn-minitron-news", 36.22, 0.2, 20)
    assert closest_published(expected, "humaneval", "pass@1", 3) is None


def test_every_published_task_of_the_family_has_a_task_that_measures_it():
    tasks = {expected.task for expected in expected_scores(load_registry())}
    assert {"mmlu", "mbpp_0shot", "xlsum_en", "xlsum_en_0shot", "truthfulqa_mc2"} <= tasks
