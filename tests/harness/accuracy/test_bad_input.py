"""Whatever is wrong with the request or the machine: one paragraph, exit code 2 or 4, nothing half-written."""

import json
import os
import resource
import shutil
import subprocess
import sys

import pytest


@pytest.fixture
def copy(stories, tmp_path):
    """A checkpoint of one's own to break."""
    folder = tmp_path / "checkpoint"
    shutil.copytree(stories, folder)
    for path in [folder, *folder.iterdir()]:
        path.chmod(0o755)
    return folder


@pytest.fixture
def evaluate(minizoo, data, tmp_path):
    """Run `minizoo eval` and hold it to the rules for refusals."""

    def call(*args, code=2, says=(), records=0):
        results = tmp_path / "results"
        ran = minizoo("eval", "--data", data, "--device", "cpu", "--results", results, *args)
        assert ran.code == code, ran.err
        assert "Traceback" not in ran.err
        paragraph = " ".join(ran.err.split())
        for words in says:
            assert words in paragraph
        assert len(list(results.glob("runs/*/*/*/record.json"))) == records
        assert not list(results.glob("runs/*/*/.*"))
        return paragraph

    return call


def test_unknown_model_names_the_right_one(evaluate):
    evaluate("--model", "mistral-nemo-minitron-9b", says=["Did you mean 'mistral-nemo-minitron-8b'?", "minizoo models"])


def test_unknown_hub_id_offline_says_what_to_do(evaluate):
    evaluate("--model", "nvidia/Minitron-9B-Base", code=4, says=["Did you mean 'nvidia/Minitron-8B-Base'?", "folder"])


def test_unknown_task_names_the_right_one(evaluate, stories):
    evaluate("--model", stories, "--tasks", "helaswag", says=["no task named 'helaswag'", "Did you mean 'hellaswag'?"])


def test_unknown_suite_names_the_right_one(evaluate, stories):
    evaluate("--model", stories, "--suite", "smokes", says=["no suite named 'smokes'", "Did you mean 'smoke'?"])


def test_unknown_backend_names_the_right_one(evaluate, stories):
    evaluate("--model", stories, "--backend", "hff", says=["no backend named 'hff'", "Did you mean 'hf'?"])


def test_model_without_public_weights_is_refused(evaluate):
    evaluate("--model", "nemotron-4-15b", says=["no public weights"])


def test_folder_without_config(evaluate, tmp_path):
    (tmp_path / "empty").mkdir()
    evaluate("--model", tmp_path / "empty", says=["has no config.json"])


def test_missing_folder(evaluate, tmp_path):
    evaluate("--model", tmp_path / "nowhere", says=["is not a folder"])


@pytest.mark.parametrize("kept", [0, 5, 4000, -1])
def test_truncated_safetensors(evaluate, copy, kept):
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    evaluate("--model", copy, "--tasks", "winogrande", says=["model.safetensors"])


def test_no_safetensors_but_pickles(evaluate, copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    evaluate("--model", copy, says=["no *.safetensors", "safetensors only"])


def test_index_that_names_a_missing_shard(evaluate, copy):
    (copy / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors"}})
    )
    evaluate("--model", copy, says=["lacks 1 of the 1 weight files"])


def test_weights_that_do_not_fit_the_config(evaluate, copy):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 6}))
    evaluate("--model", copy, "--tasks", "winogrande", "--limit", 1, says=["lacks", "nothing was run"])


def test_config_that_asks_for_remote_code(evaluate, copy):
    (copy / "modeling_x.py").write_text("raise SystemExit('remote code ran')")
    auto = {"AutoConfig": "modeling_x.Config", "AutoModelForCausalLM": "modeling_x.Model"}
    (copy / "config.json").write_text(json.dumps({"model_type": "x", "max_position_embeddings": 512, "auto_map": auto}))
    evaluate("--model", copy, "--tasks", "winogrande", "--limit", 1, says=["without remote code"])


def test_config_that_is_not_json(evaluate, copy):
    (copy / "config.json").write_text("{")
    evaluate("--model", copy, says=["config.json is not a model's configuration"])


def test_checkpoint_without_tokenizer(evaluate, copy):
    (copy / "tokenizer.json").unlink()
    evaluate("--model", copy, "--tasks", "winogrande", says=["has no tokenizer"])


def test_data_absent_from_the_mirror(evaluate, stories, tmp_path):
    (tmp_path / "mirror").mkdir()
    evaluate(
        "--model", stories, "--tasks", "winogrande", "--data", tmp_path / "mirror", code=4, says=["validation.jsonl"]
    )


def test_data_absent_offline(minizoo, stories, tmp_path):
    ran = minizoo("eval", "--model", stories, "--tasks", "winogrande", "--results", tmp_path)
    assert ran.code == 4
    assert "allenai/winogrande" in ran.err
    assert "--data DIR" in ran.err


def test_missing_fewshot_split_is_an_error_and_never_another_split(evaluate, stories, data, tmp_path):
    mirror = tmp_path / "mirror" / "allenai/winogrande/winogrande_xl"
    mirror.mkdir(parents=True)
    shutil.copy(data / "allenai/winogrande/winogrande_xl/validation.jsonl", mirror)
    evaluate(
        "--model", stories, "--tasks", "winogrande", "--shots", 5, "--data", tmp_path / "mirror",
        code=4, says=["train.jsonl, which is not there"],
    )  # fmt: skip
    evaluate(
        "--model", stories, "--tasks", "winogrande", "--limit", 2, "--data", tmp_path / "mirror", code=0, records=1
    )


@pytest.mark.parametrize(("line", "says"), [("{", "validation.jsonl:2 is not JSON"), ("3", "is not a JSON object")])
def test_broken_data_line_is_named(evaluate, stories, data, tmp_path, line, says):
    mirror = tmp_path / "mirror" / "allenai/winogrande/winogrande_xl"
    mirror.mkdir(parents=True)
    first = (data / "allenai/winogrande/winogrande_xl/validation.jsonl").read_text().splitlines()[0]
    (mirror / "validation.jsonl").write_text(f"{first}\n{line}\n")
    evaluate("--model", stories, "--tasks", "winogrande", "--data", tmp_path / "mirror", says=[says])


def test_data_without_the_tasks_column(evaluate, stories, tmp_path):
    mirror = tmp_path / "mirror" / "allenai/winogrande/winogrande_xl"
    mirror.mkdir(parents=True)
    (mirror / "validation.jsonl").write_text('{"question": "?", "answer": "1"}\n')
    evaluate("--model", stories, "--tasks", "winogrande", "--data", tmp_path / "mirror", says=["winogrande", "columns"])


def test_prompts_too_long_are_counted_before_anything_runs(evaluate, stories):
    evaluate(
        "--model", stories, "--tasks", "gsm8k,winogrande", "--limit", 7,
        says=["gsm8k: 7 of 7", "Nothing was run", "--overflow truncate"],
    )  # fmt: skip


def test_suite_and_tasks_together(evaluate, stories):
    evaluate("--model", stories, "--suite", "smoke", "--tasks", "gsm8k", says=["not both"])


def test_shots_without_tasks(evaluate, stories):
    evaluate("--model", stories, "--suite", "smoke", "--shots", 3, says=["--shots goes with --tasks"])


def test_task_named_twice(evaluate, stories):
    evaluate("--model", stories, "--tasks", "winogrande,winogrande", says=["stands twice"])


@pytest.mark.parametrize("words", [["--limit", "0"], ["--device", "toaster"], ["--dtype", "int8"], ["--limit", "x"]])
def test_impossible_options(evaluate, stories, words):
    evaluate("--model", stories, "--tasks", "winogrande", *words)


def test_absent_gpu(evaluate, stories):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    evaluate("--model", stories, "--tasks", "winogrande", "--device", "cuda", code=4, says=["torch sees no GPU"])


def test_suite_file_with_a_typo(evaluate, stories, tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\ntasks:\n  - {task: winogrande, shot: 5}\n")
    evaluate("--model", stories, "--suite", tmp_path / "mine.yaml", says=["mine.yaml", "tasks.0.shot"])


def test_results_folder_that_takes_no_file(minizoo, stories, data):
    ran = minizoo(
        "eval", "--model", stories, "--tasks", "winogrande", "--data", data, "--results", "/sys/minizoo-results"
    )
    assert ran.code == 4
    assert "cannot be written to" in ran.err


def test_disk_that_fills_up_keeps_what_was_finished(minizoo, stories, data, tmp_path):
    """The file-size limit stands in for a full disk: writes fail half-way, with the same kind of error."""
    argv = ["eval", "--model", stories, "--tasks", "winogrande", "--limit", 200, "--data", data, "--results", tmp_path]
    argv += ["--device", "cpu", "--json"]
    full = subprocess.run(
        [sys.executable, "-m", "minizoo", *map(str, argv)],
        capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000)),
    )  # fmt: skip
    assert full.returncode == 4, full.stderr
    assert "Traceback" not in full.stderr
    assert "could not be written" in full.stderr
    assert not list(tmp_path.glob("runs/*/*/*"))
    mended = minizoo(*argv)
    assert mended.code == 0, mended.err
    assert mended.json()["reused"] > 50


def test_database_commands_without_results(minizoo, tmp_path):
    for words in (["path"], ["check"], ["rebuild"]):
        ran = minizoo("db", *words, "--results", tmp_path / "nowhere")
        assert ran.code == 4
        assert "no results folder" in ran.err


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
    evaluate("--model", bare, "--tasks", "nano_prose", "--limit", 2, says=["neither BOS nor EOS", "nano_prose"])
    suite = tmp_path / "mine.yaml"
    suite.write_text(
        "name: mine\nfolders: [lm_eval/tasks/winogrande, lm_eval/tasks/gsm8k]\n"
        "tasks: [{task: winogrande, limit: 2}, {task: gsm8k, shots: 0, limit: 2, decoding: {max_tokens: 8}}]\n"
    )
    evaluate("--model", bare, "--suite", suite, code=0, records=2)


COLUMNS = {
    "xlsum_en_0shot": ("csebuetnlp/xlsum/english/test.jsonl", {"text": "An article."}, "summary"),
    "mbpp_0shot": ("google-research-datasets/mbpp/full/test.jsonl", {"text": "Add two numbers.", "code": ""}, "test_list"),
    "wikitext2_2048": (
        "EleutherAI/wikitext_document_level/wikitext-2-raw-v1/test.jsonl", {"text": "A page."}, "page",
    ),
}  # fmt: skip


@pytest.mark.parametrize("task", COLUMNS)
def test_data_without_a_column_of_minizoos_own_tasks_is_refused_before_anything_runs(evaluate, stories, tmp_path, task):
    path, row, column = COLUMNS[task]
    mirror = tmp_path / "mirror"
    (mirror / path).parent.mkdir(parents=True)
    (mirror / path).write_text(json.dumps(row) + "\n")
    evaluate(
        "--model", stories, "--tasks", task, "--data", mirror, "--overflow", "truncate", says=[task, column, "column"]
    )


@pytest.mark.parametrize("task", COLUMNS)
def test_an_absent_split_of_minizoos_own_tasks_is_named_with_the_command_that_fetches_it(
    evaluate, stories, tmp_path, task
):
    (tmp_path / "mirror").mkdir()
    evaluate(
        "--model", stories, "--tasks", task, "--data", tmp_path / "mirror",
        code=4, says=[COLUMNS[task][0], f"minizoo data pull --tasks {task}"],
    )  # fmt: skip
