"""The card's command from nothing: a model and the data of its suite from the hub, and what happens where some cannot be had.

The suite is `paper` with one subject of MMLU. The hub is emulated, its models are tiny, and minizoo is a process of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from support.fake_hub import FakeHub, parquet
from support.hub_datasets import hub_datasets
from support.hub_repository import Repository, from_folder
from support.paths import ROOT
from support.tiny_checkpoints import tiny

from harness.lmeval.loading.index import folders_of
from harness.suites.suite import load_suite
from zoo.files import cache_folder
from zoo.registry.loader import load_registry

MODEL = "mistral-nemo-minitron-8b"
PICKLED = "minitron-8b"
XLSUM = "csebuetnlp/xlsum"
END = 50256
"""GPT-2's end of text."""
SHAPE: dict[str, Any] = {
    "vocab_size": END + 1,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "max_position_embeddings": 8192,
    "bos_token_id": END,
    "eos_token_id": END,
}
MMLU = """\
group: mmlu
task: [mmlu_anatomy]
aggregate_metric_list: [{metric: acc, weight_by_size: true}]
"""


def ends_at_once(folder: Path, tokenizer: Path, family: str = "mistral") -> Path:
    """A model whose every text ends with its first token, so that nothing waits for generations."""
    from safetensors.torch import load_file, save_file

    tiny(family, folder, **SHAPE)
    weights = load_file(folder / "model.safetensors")
    for name, tensor in weights.items():
        tensor.normal_(std=0.02)
        if "norm" in name or "embed" in name:
            tensor += 1
    weights["lm_head.weight"][END] = (
        0.25  # far above all others at temperature 0.2, and no answer's probability underflows
    )
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    shutil.copy(tokenizer / "tokenizer.json", folder)
    words = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>", "bos_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(words))
    return folder


def under_its_id(name: str, folder: Path) -> Repository:
    """The folder under the id and the revision that the registry has for a model."""
    entry = load_registry().resolve(name)
    assert entry.hub is not None
    one = from_folder(folder, entry.hub.id)
    one.commit = str(entry.hub.revision)
    return one


@pytest.fixture(scope="module")
def served(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    torch.manual_seed(0)
    return under_its_id(MODEL, ends_at_once(tmp_path_factory.mktemp("model"), assets / "tokenizers/gpt2"))


@pytest.fixture(scope="module")
def pickled(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A model whose revision holds pytorch_model.bin and no safetensors."""
    from safetensors.torch import load_file

    torch.manual_seed(0)
    folder = ends_at_once(tmp_path_factory.mktemp("pickled"), assets / "tokenizers/gpt2", "nemotron")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return under_its_id(PICKLED, folder)


@pytest.fixture(scope="module")
def hub(served: Repository, pickled: Repository, data: Path) -> Iterator[FakeHub]:
    with FakeHub(repositories=[served, pickled, *hub_datasets(data)]) as running:
        yield running


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the suite, for the caches and the results."""
    folder = tmp_path_factory.mktemp("place")
    paper = load_suite("paper").model_dump(mode="json", exclude_none=True)
    tasks = ["own_mmlu" if one == "lm_eval/tasks/mmlu/default" else one for one in paper["folders"]]
    (folder / "own_mmlu").mkdir()
    (folder / "own_mmlu/mmlu.yaml").write_text(MMLU)
    (folder / "own_mmlu/anatomy.yaml").write_text(
        "task: mmlu_anatomy\ndataset_path: cais/mmlu\ndataset_name: anatomy\ntest_split: test\nfewshot_split: dev\n"
        "output_type: multiple_choice\ndoc_to_text: '{{question}}'\ndoc_to_choice: '{{choices}}'\ndoc_to_target: answer\n"
    )
    (folder / "ten.yaml").write_text(yaml.safe_dump({**paper, "name": "ten", "folders": tasks}))
    return folder


def known_tasks(cache: Path) -> None:
    """Put lm-eval's index of tasks into a cache that is new, as it takes longer to make than all else here."""
    folders_of(["piqa"])  # makes it, where this machine has none yet
    cache.mkdir(parents=True, exist_ok=True)
    for index in cache_folder().glob("lm-eval-tasks-*.json"):
        shutil.copy(index, cache)


def start(hub: FakeHub, place: Path, *words: object) -> subprocess.Popen[str]:
    known_tasks(place / "xdg/minizoo")
    own = {**hub.environment(place / "hf"), "XDG_CACHE_HOME": str(place / "xdg"), "PYTHONPATH": str(place)}
    argv = [sys.executable, "-m", "minizoo", "eval", *words, "--limit", 2, "--results", place / "results", "--json"]
    env = {**os.environ, **own, "MINIZOO_PROGRESS_SECONDS": "0"}
    return subprocess.Popen(
        [*map(str, argv)], env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(hub: FakeHub, place: Path, *words: object) -> tuple[int, dict[str, Any], str]:
    process = start(hub, place, *words)
    out, err = process.communicate()
    assert "Traceback" not in err
    return process.returncode, json.loads(out), err


def ended(told: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    """Entry of the suite → its record's status and code."""
    return {r["task"]: (r["status"], r["code"]) for r in told["records"] if r["task"] != "mmlu_anatomy"}


def test_the_cards_command_from_nothing_records_its_ten_entries_and_goes_on_without_a_data_set(
    hub: FakeHub, place: Path
):
    command = ("--model", MODEL, "--suite", place / "ten.yaml")
    code, told, err = run(hub, place, *command)
    assert code == 0, err
    assert set(ended(told)) == {entry.task for entry in load_suite("paper").tasks}
    assert set(ended(told).values()) == {("ok", None)}
    first_weight = next(i for i, asked in enumerate(hub.requests) if "model.safetensors" in asked)
    assert not any("/datasets/" in asked for asked in hub.requests[first_weight:]), "data were asked for after a weight"
    assert any("/datasets/" in asked for asked in hub.requests[:first_weight])
    export, _ = hub.repositories["datasets", XLSUM].tree("refs/convert/parquet") or ("", {})
    sources = {r["task"]: r["setting"]["versions"].get("data") for r in told["records"]}
    assert sources["gsm8k"] is None
    for task in ("xlsum_en", "xlsum_en_0shot"):
        assert f"the hub's Parquet export at {export}" in str(sources[task])
    assert "comes as a script, which is never run" in err

    gone = hub.repositories.pop(("datasets", XLSUM))
    try:
        kept = run(hub, place, "--model", MODEL, "--tasks", "xlsum_en_0shot", "--overflow", "truncate")
        assert ended(kept[1]) == {"xlsum_en_0shot": ("ok", None)}, "what is whole in the cache was asked for again"
        shutil.rmtree(place / "xdg/minizoo/data")
        shutil.rmtree(place / "hf/hub/datasets--csebuetnlp--xlsum")
        code, told, err = run(hub, place, *command)
    finally:
        hub.add(gone)
    assert code == 4
    missing = {"xlsum_en": ("failed", "data-missing"), "xlsum_en_0shot": ("failed", "data-missing")}
    assert ended(told) == {task: missing.get(task, ("ok", None)) for task in ended(told)}
    assert len(told["records"]) == 11  # ten entries, and the subject of the group
    for task in missing:
        assert (
            f"{task} will fail (data-missing): Task {task} needs the data set {XLSUM}, which the hub does not have"
            in err
        )


def test_a_card_whose_weights_are_pickled_is_run_and_both_digests_are_recorded(hub: FakeHub, place: Path):
    code, told, err = run(hub, place, "--model", PICKLED, "--tasks", "winogrande,gsm8k")
    assert code == 0, err
    assert ended(told) == {"winogrande": ("ok", None), "gsm8k": ("ok", None)}
    assert "pytorch_model.bin" in err
    subjects = [record["subject"] for record in told["records"]]
    assert len({subject["converted_from"] for subject in subjects} | {s["weights_digest"] for s in subjects}) == 2
    assert None not in {subject["converted_from"] for subject in subjects}


def test_each_data_set_that_cannot_be_had_fails_its_own_task_for_its_own_reason(
    stories: Path, data: Path, tmp_path: Path
):
    ids = {
        "allenai/winogrande",
        "openai/gsm8k",
        "truthfulqa/truthful_qa",
        "allenai/ai2_arc",
        "google-research-datasets/mbpp",
    }
    sets = {one.id: one for one in hub_datasets(data, ids)}
    sets["openai/gsm8k"].gated = "manual"
    sets["truthfulqa/truthful_qa"].files["multiple_choice/validation-00000-of-00001.parquet"] = parquet([{"q": "?"}])
    for id, known, other in [
        ("allenai/ai2_arc", b'"test"', b'"toast"'),
        ("google-research-datasets/mbpp", b'"full"', b'"half"'),
    ]:
        card = sets[id].files["README.md"]
        assert isinstance(card, bytes)
        sets[id].files["README.md"] = card.replace(known, other, 1)
    tasks = "winogrande,gsm8k,truthfulqa_mc2,arc_challenge,mbpp_0shot,piqa"
    with FakeHub(repositories=list(sets.values())) as hub:
        code, told, err = run(hub, tmp_path, stories, "--tasks", tasks, "--overflow", "truncate")
    assert code == 4
    records = {record["task"]: record for record in told["records"]}
    assert records["winogrande"]["status"] == "ok"
    expected = {
        "gsm8k": ("data-missing", "is gated on the hub. Accept its licence at huggingface.co/datasets/openai/gsm8k"),
        "truthfulqa_mc2": ("invalid-task", "the columns of its data"),
        "arc_challenge": ("data-missing", "with its split test, which it does not have"),
        "mbpp_0shot": ("data-missing", "the hub does not have the configuration"),
        "piqa": ("data-missing", "which the hub does not have, or only for whom it is private"),
    }
    for task, (cause, words) in expected.items():
        assert (records[task]["status"], records[task]["code"]) == ("failed", cause)
        assert words in records[task]["reason"]
        assert f"{task} will fail ({cause}): {records[task]['reason']}" in err


def test_where_no_task_can_run_no_weight_is_asked_for_and_every_reason_is_told(served: Repository, tmp_path: Path):
    with FakeHub(repositories=[served]) as hub:
        code, told, _ = run(hub, tmp_path, "--model", MODEL, "--tasks", "winogrande,piqa")
    assert (code, told["code"]) == (4, "data-missing")
    assert "allenai/winogrande" in told["what"]
    assert "baber/piqa" in told["what"]
    assert not any("model.safetensors" in asked for asked in hub.requests)
    assert not list((tmp_path / "results").glob("runs/**/record.json"))


def test_an_interrupt_while_data_are_fetched_says_so_in_a_line_and_the_same_command_goes_on(
    stories: Path, data: Path, tmp_path: Path
):
    (winogrande,) = hub_datasets(data, {"allenai/winogrande"})
    winogrande.pause = 0.5
    with FakeHub(repositories=[winogrande]) as hub:
        process = start(hub, tmp_path, stories, "--tasks", "winogrande")
        while not any("/stored/" in asked for asked in hub.requests):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        assert (process.returncode, json.loads(out)["code"]) == (130, "interrupted")
        assert "\n" not in err.strip()
        winogrande.pause = 0.0
        code, told, _ = run(hub, tmp_path, stories, "--tasks", "winogrande")
    assert (code, ended(told)) == (0, {"winogrande": ("ok", None)})
