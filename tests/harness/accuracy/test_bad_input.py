"""Whatever is wrong with the request or the machine: one paragraph with its code, exit code 2 or 4, nothing half-written."""

import json
import os
import resource
import subprocess
import sys

import pytest


def test_unknown_model_names_the_right_one(evaluate):
    evaluate("--model", "mistral-nemo-minitron-9b", cause="unknown-model", says=["'mistral-nemo-minitron-8b'"])


def test_unknown_hub_id_offline_says_what_to_do(evaluate):
    evaluate(
        "--model", "nvidia/Minitron-9B-Base", cause="hub-unreachable", exit_code=4, says=["'nvidia/Minitron-8B-Base'"]
    )


def test_unknown_task_names_the_right_one(evaluate, stories):
    evaluate("--model", stories, "--tasks", "helaswag", cause="unknown-task", says=["'hellaswag'"])


def test_unknown_suite_names_the_right_one(evaluate, stories):
    evaluate("--model", stories, "--suite", "smokes", cause="unknown-name", says=["'smoke'"])


def test_unknown_backend_names_the_right_one(evaluate, stories):
    evaluate("--model", stories, "--backend", "hff", cause="unknown-name", says=["'hf'"])


def test_model_without_public_weights_is_refused(evaluate):
    evaluate("--model", "nemotron-4-15b", cause="weights-not-public")


def test_folder_without_config(evaluate, tmp_path):
    (tmp_path / "empty").mkdir()
    evaluate("--model", tmp_path / "empty", cause="config-missing")


def test_missing_folder(evaluate, tmp_path):
    evaluate("--model", tmp_path / "nowhere", cause="file-missing")


@pytest.mark.parametrize("kept", [0, 5, 4000, -1])
def test_truncated_safetensors(evaluate, copy, kept):
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    evaluate("--model", copy, "--tasks", "winogrande", cause="weights-truncated", says=["model.safetensors"])


def test_safetensors_under_the_name_of_pickled_weights(evaluate, copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    evaluate("--model", copy, cause="pickle-unreadable", says=["pytorch_model.bin"])


def test_index_that_names_a_missing_shard(evaluate, copy):
    (copy / "model.safetensors").unlink()
    (copy / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": {"a": "model-00001-of-00002.safetensors"}})
    )
    evaluate("--model", copy, cause="weights-missing", says=["1 of the 1"])


def test_weights_that_do_not_fit_the_config(evaluate, copy):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 6}))
    evaluate("--model", copy, "--tasks", "winogrande", "--limit", 1, cause="weights-missing")


def test_config_that_asks_for_remote_code(evaluate, copy):
    (copy / "modeling_x.py").write_text("raise SystemExit('remote code ran')")
    auto = {"AutoConfig": "modeling_x.Config", "AutoModelForCausalLM": "modeling_x.Model"}
    (copy / "config.json").write_text(json.dumps({"model_type": "x", "max_position_embeddings": 512, "auto_map": auto}))
    evaluate(
        "--model", copy, "--tasks", "winogrande", "--limit", 1, cause="unsupported-architecture", says=["code of its own"],
    )  # fmt: skip


def test_config_that_is_not_json(evaluate, copy):
    (copy / "config.json").write_text("{")
    evaluate("--model", copy, cause="invalid-config")


def test_checkpoint_without_tokenizer(evaluate, copy):
    (copy / "tokenizer.json").unlink()
    evaluate("--model", copy, "--tasks", "winogrande", cause="tokenizer-unreadable")


def test_prompts_too_long_are_counted_before_anything_runs(evaluate, stories):
    evaluate(
        "--model", stories, "--tasks", "gsm8k,winogrande", "--limit", 7,
        cause="prompt-too-long", says=["gsm8k: 7 of 7", "--overflow truncate"],
    )  # fmt: skip


def test_suite_and_tasks_together(evaluate, stories):
    evaluate("--model", stories, "--suite", "smoke", "--tasks", "gsm8k", cause="conflicting-options")


def test_shots_without_tasks(evaluate, stories):
    evaluate("--model", stories, "--suite", "smoke", "--shots", 3, cause="conflicting-options")


def test_task_named_twice(evaluate, stories):
    evaluate("--model", stories, "--tasks", "winogrande,winogrande", cause="invalid-task")


@pytest.mark.parametrize(
    ("option", "value", "cause"),
    [
        ("--limit", "0", "usage"),
        ("--limit", "x", "usage"),
        ("--device", "toaster", "invalid-option"),
        ("--dtype", "int8", "unsupported-dtype"),
    ],
)
def test_impossible_options(evaluate, stories, option, value, cause):
    evaluate("--model", stories, "--tasks", "winogrande", option, value, cause=cause)


def test_absent_gpu(evaluate, stories):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    evaluate("--model", stories, "--tasks", "winogrande", "--device", "cuda", cause="device-missing", exit_code=4)


def test_suite_file_with_a_typo(evaluate, stories, tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\ntasks:\n  - {task: winogrande, shot: 5}\n")
    evaluate(
        "--model", stories, "--suite", tmp_path / "mine.yaml", cause="invalid-suite", says=["mine.yaml", "tasks.0.shot"]
    )


def test_results_folder_that_takes_no_file(minizoo, stories, data):
    ran = minizoo(
        "eval",
        "--model",
        stories,
        "--tasks",
        "winogrande",
        "--data",
        data,
        "--results",
        "/sys/minizoo-results",
        "--json",
    )
    assert (ran.code, ran.json()["code"]) == (4, "not-writable")


def test_disk_that_fills_up_keeps_what_was_finished(minizoo, stories, data, tmp_path):
    """The file-size limit stands in for a full disk: writes fail half-way, with the same kind of error."""
    argv = ["eval", "--model", stories, "--tasks", "winogrande", "--limit", 200, "--data", data, "--results", tmp_path]
    argv += ["--device", "cpu", "--json"]
    # Python would leave half of a bytecode file there too, and every later process would trip over it.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    full = subprocess.run(
        [sys.executable, "-m", "minizoo", *map(str, argv)],
        capture_output=True, text=True, check=False, env=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000)),
    )  # fmt: skip
    assert full.returncode == 4, full.stderr
    assert "Traceback" not in full.stderr
    assert json.loads(full.stdout)["code"] == "not-writable"
    assert not list(tmp_path.glob("runs/*/*/*"))
    mended = minizoo(*argv)
    assert mended.code == 0, mended.err
    assert mended.json()["reused"] > 50


def test_database_commands_without_results(minizoo, tmp_path):
    for words in (["path"], ["check"], ["rebuild"]):
        ran = minizoo("db", *words, "--results", tmp_path / "nowhere", "--json")
        assert (ran.code, ran.json()["code"]) == (4, "results-missing")


@pytest.fixture
def bare(copy):
    """A checkpoint whose tokenizer has neither BOS nor EOS."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        content = json.loads((copy / name).read_text())
        content.pop("bos_token", None), content.pop("eos_token", None)
        if "post_processor" in content:
            content["post_processor"] = None
        (copy / name).write_text(json.dumps(content))
    (copy / "special_tokens_map.json").unlink(missing_ok=True)
    return copy


def test_tokenizer_without_bos_and_eos_is_refused_only_where_a_first_token_is_needed(evaluate, bare, tmp_path):
    evaluate("--model", bare, "--tasks", "nano_prose", "--limit", 2, cause="prompt-impossible", says=["nano_prose"])
    suite = tmp_path / "mine.yaml"
    suite.write_text(
        "name: mine\nfolders: [lm_eval/tasks/winogrande, lm_eval/tasks/gsm8k]\n"
        "tasks: [{task: winogrande, limit: 2}, {task: gsm8k, shots: 0, limit: 2, decoding: {max_tokens: 8}}]\n"
    )
    evaluate("--model", bare, "--suite", suite, records=2)


def test_the_model_is_given_once(evaluate, stories):
    evaluate(stories, "--model", stories, cause="conflicting-options")
    evaluate(cause="usage")
    evaluate(stories, "--tasks", "winogrande", "--limit", 1, records=1)


@pytest.mark.parametrize("word", ["--eager", "--exact"])
def test_eager_is_accepted_under_its_old_word_too(evaluate, stories, word):
    told = evaluate(stories, "--tasks", "winogrande", "--limit", 1, word, records=1)
    assert "packed" not in told["records"][0]["setting"]["versions"]["scoring"]
