"""`minizoo data`: a mirror is filled from the hub, goes on after an interruption, and says exactly what it lacks."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from support.fake_hub import COMMIT, FakeHub, parquet
from support.paths import ROOT

from harness.data.manifest import needed_files
from harness.lmeval.loading.tasks import configs_of
from harness.suites.suite import load_suite, suite_of
from zoo.errors import InvalidTask

WINOGRANDE, PIQA = "allenai/winogrande", "baber/piqa"
VALIDATION = Path(WINOGRANDE, "winogrande_xl", "validation.jsonl")
TASKS = ("--tasks", "winogrande,piqa")


def winogrande(n: int) -> list[dict[str, str]]:
    return [{"sentence": f"The _ is {i}.", "option1": "cat", "option2": "dög", "answer": "1"} for i in range(n)]


def piqa(n: int) -> list[dict[str, Any]]:
    return [{"goal": f"Open door {i}", "sol1": "Push.", "sol2": "Weep.", "label": i % 2} for i in range(n)]


@pytest.fixture
def exports() -> dict[str, dict[str, bytes]]:
    """Two data sets: one in two Parquet files, one whose only configuration has no name."""
    return {
        WINOGRANDE: {
            "winogrande_xl/validation/0000.parquet": parquet(winogrande(1200)),
            "winogrande_xl/validation/0001.parquet": parquet(winogrande(7)),
            "winogrande_xl/train/0000.parquet": parquet(winogrande(3)),
        },
        PIQA: {"plain_text/validation/0000.parquet": parquet(piqa(40))},
    }


Pull = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def pull(tmp_path: Path) -> Pull:
    """Run `minizoo data pull` in a process of its own, with that hub for the hub."""

    def call(hub: FakeHub, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "minizoo", "data", "pull", "--data", str(tmp_path / "mirror"), *words]
        own = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "cache")}
        done = subprocess.run(
            argv,
            env={**os.environ, **own},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done

    return call


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_mirror_is_filled_with_digests_and_licences_and_then_checks_whole(pull, exports, minizoo, tmp_path: Path):
    mirror = tmp_path / "mirror"
    with FakeHub(exports, licences={WINOGRANDE: "cc-by-4.0"}) as hub:
        done = pull(hub, *TASKS)
        assert done.returncode == 0, done.stderr
        assert "cc-by-4.0" in done.stdout
        assert "not stated" in done.stdout
        asked = len(hub.asked)
        assert pull(hub, *TASKS).returncode == 0
        assert len(hub.asked) == asked, "what is whole was fetched again"
    assert lines(mirror / VALIDATION) == winogrande(1200) + winogrande(7)
    assert lines(mirror / PIQA / "default/validation.jsonl") == piqa(40)
    assert not (mirror / VALIDATION.with_name("train.jsonl")).exists(), "0 shots need no examples"
    entry = json.loads((mirror / "mirror.json").read_text())["files"][VALIDATION.as_posix()]
    assert entry["sha256"] == hashlib.sha256((mirror / VALIDATION).read_bytes()).hexdigest()
    assert (entry["rows"], entry["revision"], entry["licence"]) == (1207, COMMIT, "cc-by-4.0")
    assert minizoo("data", "check", "--data", mirror, *TASKS).code == 0


def test_what_was_pulled_is_what_an_evaluation_reads(pull, exports, minizoo, stories, tmp_path: Path):
    with FakeHub(exports) as hub:
        assert pull(hub, "--tasks", "winogrande", "--shots", "2").returncode == 0
    ran = minizoo(
        "eval", "--model", stories, "--tasks", "winogrande", "--shots", 2, "--limit", 3, "--data", tmp_path / "mirror",
        "--results", tmp_path / "results", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert ran.json()["records"][0]["counts"]["documents_total"] == 1207


def test_an_interrupted_pull_keeps_what_it_has_and_goes_on_from_there(pull, exports, tmp_path: Path):
    mirror = tmp_path / "mirror"
    first = sum(len(content) for content in exports[WINOGRANDE].values()) - len(
        exports[WINOGRANDE]["winogrande_xl/train/0000.parquet"]
    )
    exports[PIQA] = {"plain_text/validation/0000.parquet": parquet(piqa(20_000))}
    with FakeHub(exports, breaks_after=first + 20_000) as hub:
        broken = pull(hub, *TASKS)
        assert broken.returncode == 4
        assert "hub cannot be reached" in broken.stderr
        assert "goes on" in broken.stderr
        assert (mirror / VALIDATION).is_file()
        assert not list(mirror.rglob("*piqa*/**/*.jsonl*")), "half a file"
        hub.down, hub.breaks_after, before = False, None, len(hub.asked)
        done = pull(hub, *TASKS)
        assert done.returncode == 0, done.stderr
        later = hub.asked[before:]
    assert set(later) == {"plain_text/validation/0000.parquet"}
    assert lines(mirror / PIQA / "default/validation.jsonl") == piqa(20_000)


def test_check_names_each_missing_file_and_the_tasks_that_need_it(minizoo, tmp_path: Path):
    ran = minizoo("data", "check", "--data", tmp_path / "nowhere", *TASKS)
    assert ran.code == 4
    assert f"missing: {VALIDATION} (it is not there), for winogrande" in ran.out
    assert "0 of 2 files are here" in ran.out
    assert "minizoo data pull" in ran.out
    files = minizoo("data", "check", "--data", tmp_path / "nowhere", *TASKS, "--json").json()["files"]
    assert [(one["path"], one["state"]) for one in files] == [
        (VALIDATION.as_posix(), "missing"),
        (f"{PIQA}/default/validation.jsonl", "missing"),
    ]


def test_a_file_that_is_no_longer_what_was_pulled_is_named_and_fetched_again(pull, exports, minizoo, tmp_path: Path):
    mirror = tmp_path / "mirror"
    with FakeHub(exports) as hub:
        pull(hub, *TASKS)
        (mirror / VALIDATION).write_text("".join((mirror / VALIDATION).read_text().splitlines(keepends=True)[:-1]))
        ran = minizoo("data", "check", "--data", mirror, *TASKS)
        assert ran.code == 4
        assert f"changed: {VALIDATION} (its sha256 is not the one that was pulled)" in ran.out
        assert pull(hub, *TASKS).returncode == 0
    assert len(lines(mirror / VALIDATION)) == 1207


def test_files_put_there_by_hand_are_read_counted_and_never_replaced(pull, exports, minizoo, tmp_path: Path):
    mine = tmp_path / "mirror" / VALIDATION
    mine.parent.mkdir(parents=True)
    mine.write_text(json.dumps(winogrande(1)[0]) + "\n")
    with FakeHub(exports) as hub:
        assert pull(hub, *TASKS).returncode == 0
    assert len(lines(mine)) == 1
    files = minizoo("data", "check", "--data", tmp_path / "mirror", *TASKS, "--json").json()["files"]
    assert [(one["state"], one["rows"], one["licence"]) for one in files] == [
        ("by hand", 1, "unknown"),
        ("whole", 40, "not stated"),
    ]


@pytest.mark.parametrize(("content", "says"), [("{", "is not JSON"), ("", "is empty"), ("\udc80", "utf-8")])
def test_a_file_by_hand_that_does_not_read_is_broken(minizoo, tmp_path: Path, content: str, says: str):
    mine = tmp_path / VALIDATION
    mine.parent.mkdir(parents=True)
    mine.write_bytes(content.encode("utf-8", "surrogateescape"))
    ran = minizoo("data", "check", "--data", tmp_path, "--tasks", "winogrande")
    assert ran.code == 4
    assert "broken: " in ran.out
    assert says in ran.out


def test_what_the_hub_does_not_give_is_told_and_the_rest_is_fetched(pull, exports, tmp_path: Path):
    del exports[WINOGRANDE]["winogrande_xl/train/0000.parquet"]
    with FakeHub(exports, gated={PIQA}) as hub:
        done = pull(hub, "--tasks", "winogrande,piqa,boolq", "--shots", "1")
    assert done.returncode == 4
    assert "aps/super_glue: the hub has no such data set" in done.stderr
    assert f"{PIQA}: it is gated" in done.stderr
    assert "train.jsonl: the hub's Parquet export has no such configuration and split" in done.stderr
    assert (tmp_path / "mirror" / VALIDATION).is_file()


def test_without_the_hub_a_pull_says_so_and_leaves_nothing_half_done(minizoo, tmp_path: Path):
    ran = minizoo("data", "pull", "--data", tmp_path / "mirror", *TASKS, "--json")
    assert (ran.code, ran.json()["code"]) == (4, "hub-unreachable")
    assert "minizoo data check" in ran.json()["hint"]
    assert [path.name for path in (tmp_path / "mirror").iterdir() if not path.name.startswith(".")] == []


def test_two_pulls_into_one_mirror_do_not_meet(minizoo, tmp_path: Path):
    with FileLock(tmp_path / ".mirror.lock"):
        ran = minizoo("data", "pull", "--data", tmp_path, *TASKS, "--json")
    assert (ran.code, ran.json()["code"]) == (4, "busy")


@pytest.mark.parametrize(
    ("words", "cause", "says"),
    [
        (["--suite", "papr"], "unknown-name", "'paper'"),
        (["--tasks", "winogrand"], "unknown-task", "'winogrande'"),
        (["--suite", "paper", "--tasks", "piqa"], "conflicting-options", "--suite"),
        (["--shots", "5"], "conflicting-options", "--shots"),
    ],
)
def test_wrong_words_are_answered_with_the_right_ones(minizoo, tmp_path: Path, words: list[str], cause: str, says: str):
    for command in ("check", "pull"):
        ran = minizoo("data", command, "--data", tmp_path, *words, "--json")
        assert (ran.code, ran.json()["code"]) == (2, cause)
        assert says in ran.err


def test_a_manifest_that_is_none_is_named(minizoo, tmp_path: Path):
    (tmp_path / "mirror.json").write_text('{"files": [1]}')
    ran = minizoo("data", "check", "--data", tmp_path, *TASKS, "--json")
    assert (ran.code, ran.json()["code"]) == (2, "invalid-data")
    assert "mirror.json" in ran.json()["what"]


def test_a_mirror_that_cannot_be_written_to_is_refused_before_anything_is_fetched(minizoo):
    ran = minizoo("data", "pull", "--data", "/sys/minizoo-mirror", *TASKS, "--json")
    assert (ran.code, ran.json()["code"]) == (4, "not-writable")


@pytest.mark.parametrize(
    "field",
    [{"dataset_path": "../../etc"}, {"dataset_name": "../x"}, {"test_split": "../passwd"}, {"test_split": "a/b"}],
)
def test_data_of_a_task_can_lead_nowhere_outside_the_mirror(field: dict[str, str]):
    good = {"task": "evil", "dataset_path": "etc", "dataset_name": "x", "test_split": "passwd", "num_fewshot": 0}
    assert [one.path for one in needed_files([good])] == [Path("etc/x/passwd.jsonl")]
    with pytest.raises(InvalidTask, match="evil"):
        needed_files([{**good, **field}])


def test_a_suite_needs_what_its_shots_draw_from_and_no_more():
    paper = {(one.dataset, one.split) for one in needed_files(configs_of([load_suite("paper")]))}
    assert ("Rowan/hellaswag", "train") in paper
    assert ("allenai/ai2_arc", "validation") not in paper
    assert needed_files(configs_of([load_suite("nano")])) == []  # generated by seed
    bare = {one.split for one in needed_files(configs_of([suite_of(["winogrande"], 0)]))}
    shown = {one.split for one in needed_files(configs_of([suite_of(["winogrande"], 5)]))}
    assert (bare, shown) == ({"validation"}, {"validation", "train"})


def test_the_mirror_of_the_tests_has_the_papers_suite(minizoo, data: Path):
    ran = minizoo("data", "check", "--data", data, "--suite", "paper", "--suite", "smoke")
    assert ran.code == 0
    assert "126 of 126 files are here" in ran.out
