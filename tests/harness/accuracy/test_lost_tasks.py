"""Tasks that cannot be run are recorded as failed, each for its own reason, and the others run; what refuses refuses early."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.chat_template import copy_with_chat_template

from backends import memory
from backends.contract import Score, ScoreRequest
from backends.hf.backend import HfBackend
from backends.opening import default_backend
from harness.lmeval.loading.lost import LostTask, grouped
from harness.suites.suite import SuiteTask
from zoo.checkpoint.locate import Outline, outline
from zoo.errors import DataMissing, InvalidData

WINOGRANDE, ARC = "allenai/winogrande", "allenai/ai2_arc"
SCORE = HfBackend.score


@pytest.fixture
def mirror(data: Path, tmp_path: Path) -> Path:
    """A mirror of one's own with the data of winogrande alone."""
    shutil.copytree(data / WINOGRANDE, tmp_path / "mirror" / WINOGRANDE)
    return tmp_path / "mirror"


@pytest.fixture
def ran(minizoo, stories: Path, mirror: Path, tmp_path: Path):
    def call(*words: object):
        argv = ["eval", stories, "--data", mirror, "--device", "cpu", "--overflow", "truncate", "--limit", 2]
        return minizoo(*argv, "--results", tmp_path / "results", "--json", *words)

    return call


def stopped_after_three(backend: HfBackend, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
    """As `HfBackend.score`, interrupted once three answers were taken."""
    for count, score in enumerate(SCORE(backend, requests)):
        if count == 3:
            raise KeyboardInterrupt
        yield score


def ended(document):
    return {record["task"]: (record["status"], record["code"]) for record in document["records"]}


def test_a_group_with_a_subject_missing_is_one_failed_record_that_names_it_and_runs_nothing(
    ran, data: Path, mirror: Path
):
    shutil.copytree(data / "cais/mmlu", mirror / "cais/mmlu")
    shutil.rmtree(mirror / "cais/mmlu/philosophy")
    (mirror / "cais/mmlu/jurisprudence/test.jsonl").write_text("{\n")
    done = ran("--tasks", "winogrande,mmlu_humanities")
    assert done.code == 4
    assert ended(done.json()) == {"winogrande": ("ok", None), "mmlu_humanities": ("failed", "invalid-data")}
    record = done.json()["records"][1]
    assert len(record["members"]) == 13
    assert "2 of its 13 tasks cannot be run: mmlu_jurisprudence, mmlu_philosophy" in record["reason"]
    assert "mmlu_humanities will fail (invalid-data)" in done.err


def test_tasks_without_an_aggregate_are_lost_alone():
    def leaf(name: str, error: Exception) -> LostTask:
        return LostTask(name, SuiteTask(task="all"), 0, None, "refuse", {name: error})

    lost = {"a": leaf("a", DataMissing("no a")), "d": leaf("d", InvalidData("no d"))}
    found, gone = grouped(lost, {"inner": ["a", "b"], "outer": ["a", "b", "c"]})
    assert [one.name for one in found] == ["outer", "d"]
    assert (found[0].members, gone) == (("a", "b", "c"), {"a", "b", "c", "d"})


def test_the_instruct_suite_runs_what_the_mirror_has_and_names_the_rest(
    minizoo, stories: Path, data: Path, mirror: Path, tmp_path: Path
):
    shutil.copytree(data / "openai/gsm8k", mirror / "openai/gsm8k")
    tuned = copy_with_chat_template(stories, tmp_path / "tuned")
    argv = ["eval", tuned, "--suite", "instruct", "--data", mirror, "--limit", 1, "--overflow", "truncate", "--json"]
    done = minizoo(*argv, "--device", "cpu", "--results", tmp_path / "results")
    missing = ("failed", "data-missing")
    assert done.code == 4
    assert ended(done.json()) == {"gsm8k": ("ok", None), "ifeval": missing, "mmlu_pro": missing}


def test_an_interrupted_run_goes_on_when_the_data_of_a_task_came_meanwhile(ran, data: Path, mirror: Path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(HfBackend, "score", stopped_after_three)
        assert ran("--tasks", "winogrande,arc_challenge").code == 130
    shutil.copytree(data / ARC, mirror / ARC)
    done = ran("--tasks", "winogrande,arc_challenge")
    assert (done.code, done.json()["reused"]) == (0, 3)
    assert ended(done.json()) == {"winogrande": ("ok", None), "arc_challenge": ("ok", None)}


def test_other_data_under_the_same_name_never_take_an_interrupted_runs_answers(ran, mirror: Path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(HfBackend, "score", stopped_after_three)
        assert ran("--tasks", "winogrande").code == 130
    path = mirror / WINOGRANDE / "winogrande_xl/validation.jsonl"
    path.write_text(path.read_text("utf-8").replace("the ", "that "))
    assert ran("--tasks", "winogrande").json()["reused"] == 0


def test_a_finished_run_with_a_failed_task_is_computed_again(ran):
    first, second = (ran("--tasks", "winogrande,arc_challenge").json() for _ in range(2))
    assert (second["computed"], second["reused"]) == (first["computed"], 0)
    assert second["run_id"] != first["run_id"]


def test_weights_beyond_the_devices_memory_are_refused_before_they_are_opened(ran, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda _: 1_000_000)
    done = ran("--tasks", "winogrande")
    assert (done.code, done.json()["code"]) == (4, "device-memory")
    assert "take 0.0 GB as float32, and cpu has 0.0 GB of memory free" in done.json()["what"]
    assert "`--dtype bfloat16`" in done.json()["hint"]
    assert ran("--tasks", "winogrande", "--dtype", "bfloat16").code == 0


def test_bytes_are_counted_in_the_dtype_that_is_loaded(stories: Path):
    model = outline(str(stories))
    assert memory.weight_bytes(model, "float32") == 4 * 260_032
    assert memory.weight_bytes(model, "bfloat16") == 2 * 260_032


def test_a_folder_that_only_pruned_runs_has_it_as_its_default(stories: Path):
    model = outline(str(stories))
    widths = {**model.config, "minizoo_layer_widths": {"ffn": [], "heads": []}}
    assert default_backend(model) == "hf"
    assert default_backend(Outline(model.ref, model.folder, widths)) == "pruned"


def test_a_dry_run_names_what_has_no_data_and_estimates_it(ran):
    told = ran("--tasks", "winogrande,arc_challenge", "--dry-run", "--no-probe").json()
    assert set(told["missing"]) == {"arc_challenge"}
    rows = {row["task"]: row for row in told["tasks"]}
    assert rows["winogrande"]["tokens_basis"] is None
    assert rows["arc_challenge"]["tokens_basis"]
    assert json.dumps(told)
