"""`minizoo baseline`: what is accepted and how it is told, what is refused and why, and what a file of baselines holds."""

import json
from pathlib import Path

import pytest
from support.accepted import accepted_run
from support.bundles import speed_run
from support.records import record

from harness.baselines.file import load_baselines
from harness.records.files import new_run_id, run_folder, write_record
from harness.records.record import Imported
from harness.records.speed_record import Reason

REASON = "measured on a quiet machine"


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def accept(minizoo, results, tmp_path, monkeypatch):
    """Accept a run into `baselines.yaml` of the folder that the command runs in."""
    monkeypatch.chdir(tmp_path)

    def call(run_id, *more, by=("--by", "Ada"), name=("--name", "teacher")):
        return minizoo("baseline", "accept", run_id, "--reason", REASON, "--results", results, *by, *name, *more)

    return call


def nothing_was_written(folder):
    return not (folder / "baselines.yaml").exists() and not (folder / "baselines").exists()


def test_accepting_tells_the_size_and_writes_the_digest(accept, results, tmp_path):
    run_id = accepted_run(results)
    ran = accept(run_id)
    assert ran.code == 0, ran.err
    baseline = load_baselines(tmp_path / "baselines.yaml")["teacher"]
    size = (tmp_path / baseline.bundle).stat().st_size
    assert f"{size / 1000:,.1f} kB (sha256 {baseline.sha256})" in ran.out
    assert f"teacher: run {run_id}, 2 records, accepted by Ada: {REASON}" in ran.out
    assert (baseline.run, baseline.accepted_by, baseline.reason, baseline.bytes) == (run_id, "Ada", REASON, size)


def test_a_run_is_named_by_the_beginning_of_its_id(accept, results):
    one, other = "01a22a49-b2b4-7dae-a9be-2b9dae16857b", "01a22a4a-0b5f-78a9-b373-f7001905d07d"
    for run_id in (one, other):
        accepted_run(results, run_id=run_id)
    assert json.loads(accept("01A22A49", "--json").out)["baseline"]["run"] == one
    ran = accept("01a22a4", "--json")
    assert (ran.code, ran.json()["code"]) == (2, "unknown-run")
    assert "01a22a4 is the beginning of 2 runs" in ran.err
    assert one in ran.err


def test_json_says_what_was_accepted_and_what_it_replaced(accept, results):
    first, second = accepted_run(results), accepted_run(results)
    assert accept(first, "--json").json()["replaced"] is None
    told = accept(second, "--json").json()
    assert told["schema"] == "minizoo.baseline/1"
    assert (told["baseline"]["run"], told["replaced"]["run"]) == (second, first)
    assert sorted(told["tasks"]) == ["arc_challenge", "winogrande"]
    assert told["removed"] == told["replaced"]["bundle"]


def test_a_replaced_bundle_stays_while_another_baseline_names_it(accept, results, tmp_path):
    first, second = accepted_run(results), accepted_run(results)
    accept(first)
    file = tmp_path / "baselines.yaml"
    entry = file.read_text()[file.read_text().index("  teacher:") :]
    file.write_text(file.read_text() + entry.replace("teacher:", "kept:", 1))
    ran = accept(second)
    assert f"It replaces run {first}, accepted on " in ran.out
    assert "Removed" not in ran.out
    kept = load_baselines(file)["kept"]
    assert (tmp_path / kept.bundle).is_file()
    accept(second, name=("--name", "kept"))
    assert not (tmp_path / kept.bundle).is_file()


def test_the_name_is_the_models_unless_it_is_no_name(accept, results, tmp_path):
    subject = record().subject.model_copy(
        update={"id": "nvidia/Minitron-4B-Base", "kind": "hub", "source": "nvidia/Minitron-4B-Base"}
    )
    ran = accept(accepted_run(results, subject=subject), name=())
    assert ran.code == 0, ran.err
    (baseline,) = load_baselines(tmp_path / "baselines.yaml").values()
    assert (baseline.name, Path(baseline.bundle).parent) == ("nvidia/Minitron-4B-Base", Path("baselines"))
    ran = accept(accepted_run(results), name=())
    assert ran.code == 2
    assert "is no name of a baseline" in ran.err
    assert "--name NAME" in ran.err


def test_who_accepts_is_gits_user_else_it_is_asked_for(accept, results, tmp_path, monkeypatch):
    run_id = accepted_run(results)
    settings = tmp_path / "gitconfig"
    settings.write_text("")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(settings))
    ran = accept(run_id, by=())
    assert (ran.code, nothing_was_written(tmp_path)) == (2, True)
    assert "git has no user.name here" in ran.err
    assert "--by NAME" in ran.err
    settings.write_text("[user]\n\tname = Grace Hopper\n")
    assert "accepted by Grace Hopper: " in accept(run_id, by=()).out


def test_a_reason_is_needed_and_is_one_line(accept, minizoo, results, tmp_path):
    run_id = accepted_run(results)
    for reason in ("", "  \n", "x" * 501, "a\x1b[31mb"):
        ran = minizoo(
            "baseline", "accept", run_id, "--reason", reason, "--by", "Ada", "--name", "t", "--results", results
        )
        assert ran.code == 2
        assert "--reason is empty" in ran.err
    assert nothing_was_written(tmp_path)
    ran = minizoo(
        "baseline", "accept", run_id, "--reason", "two\nlines", "--by", "Ada", "--name", "t", "--results", results
    )
    assert load_baselines(tmp_path / "baselines.yaml")["t"].reason == "two lines"


def test_a_part_of_the_documents_is_told(accept, results):
    ran = accept(accepted_run(results, limit=2))
    assert "2 of 2 records are of a part of the documents (--limit)" in ran.err


def failed(results, status="failed"):
    run_id = accepted_run(results, ("winogrande",), resolved_suite={})
    told = {"status": status, "reason": "out of memory: 3 GB", "code": "device-memory", "scores": (), "counts": None}
    write_record(results, record("mmlu", run_id=run_id, **told))
    return run_id


def invalid_speed(results):
    run_id = speed_run(results)
    (path,) = run_folder(results, run_id).rglob("record.json")
    document = json.loads(path.read_text())
    document["speed"]["validity"] = {
        "valid": False,
        "reasons": [Reason(code="throttled", text="the GPU throttled").model_dump()],
    }
    path.write_text(json.dumps(document))
    return run_id


def imported(results):
    told = Imported(tool="lm-eval", tool_version="0.4.13", file="results.json", sha256="0", time="stated")
    return accepted_run(results, source="imported", imported=told)


def interrupted(results):
    run_id = accepted_run(results, ("winogrande",))
    folder = results / "partial" / f"0123-{run_id}"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(
        json.dumps({"run_id": run_id, "finished": {}, "tasks": {"winogrande": "d", "mmlu": "d"}})
    )
    return run_id


def begun(results):
    """A run that was interrupted before its first record."""
    run_id = new_run_id()
    folder = results / "partial" / f"0123-{run_id}"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"run_id": run_id, "finished": {}, "tasks": {"mmlu": "d"}}))
    return run_id


def forgotten(results):
    """An interrupted run whose rest was thrown away."""
    asked = {"tasks": [{"task": "winogrande"}, {"task": "hellaswag"}]}
    return accepted_run(results, ("winogrande",), resolved_suite=asked)


def torn(results):
    run_id = accepted_run(results)
    path = run_folder(results, run_id) / "winogrande" / "record.json"
    path.write_text(path.read_text()[:80])
    return run_id


def no_score(results):
    return accepted_run(results, ("winogrande",), scores=())


REFUSED = {
    failed: "mmlu failed (out of memory: 3 GB)",
    lambda results: failed(results, "infra_failed"): "mmlu: its surroundings failed (out of memory: 3 GB)",
    invalid_speed: "is invalid (the GPU throttled)",
    imported: "was imported from another tool",
    lambda results: accepted_run(results, ("winogrande",), source="contributed"): "winogrande was contributed",
    interrupted: "it was interrupted before it had mmlu",
    begun: "it was interrupted before it had mmlu",
    forgotten: "it was interrupted before it had hellaswag",
    torn: "winogrande/record.json cannot be read",
    no_score: "it has neither a score nor a speed",
}


@pytest.mark.parametrize("run", REFUSED, ids=REFUSED.values())
def test_what_cannot_be_a_baseline_is_refused_by_its_reason(run, accept, results, tmp_path):
    run_id = run(results)
    ran = accept(run_id, "--json")
    assert (ran.code, ran.json()["code"]) == (2, "baseline-refused")
    assert f"Run {run_id} cannot be a baseline: " in ran.err
    assert REFUSED[run] in ran.err
    assert ran.json()["hint"]
    assert nothing_was_written(tmp_path)


def test_unknown_runs_and_folders_are_told(accept, results, tmp_path):
    ran = accept("0123abcd", "--json")
    assert (ran.code, ran.json()["code"]) == (4, "results-missing")
    accepted_run(results)
    for word in ("0123abcd", "", "nano-teacher"):
        ran = accept(word, "--json")
        assert (ran.code, ran.json()["code"]) == (2, "unknown-run")
        assert f"There is no run '{word}' in " in ran.err
    assert nothing_was_written(tmp_path)


def test_a_tag_in_a_suite_is_no_interruption(accept, results):
    asked = {"tasks": [{"task": "truthfulqa"}]}
    assert accept(accepted_run(results, ("truthfulqa_mc1", "truthfulqa_mc2"), resolved_suite=asked)).code == 0


def test_a_broken_file_is_told_and_stays(accept, results, tmp_path):
    (tmp_path / "baselines.yaml").write_text("schema: minizoo.baselines/1\nbaselines:\n  teacher: {model: x\n")
    ran = accept(accepted_run(results), "--json")
    assert (ran.code, ran.json()["code"]) == (2, "invalid-baselines")
    assert "baselines.yaml:4:1" in ran.err
    assert not (tmp_path / "baselines").exists()


def test_the_list_says_which_bundles_are_whole(accept, minizoo, results, tmp_path):
    run_id = accepted_run(results)
    for name in ("whole", "gone", "altered"):
        accept(run_id, name=("--name", name))
    assert minizoo("baseline", "list").code == 0
    found = load_baselines(tmp_path / "baselines.yaml")
    (tmp_path / found["gone"].bundle).unlink()
    (tmp_path / found["altered"].bundle).write_bytes(b"x")
    ran = minizoo("baseline", "list", "--file", tmp_path / "baselines.yaml", "--json")
    told = {each["name"]: (each["state"], each["tasks"]) for each in ran.json()["baselines"]}
    assert (ran.code, told) == (4, {"whole": ("whole", 2), "gone": ("missing", None), "altered": ("altered", None)})
    shown = minizoo("baseline", "list")
    assert REASON in shown.out
    assert found["gone"].bundle in shown.err


def test_no_file_is_told(minizoo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = minizoo("baseline", "list", "--json")
    assert (ran.code, ran.json()["code"]) == (2, "file-missing")
    (tmp_path / "baselines.yaml").write_text("schema: minizoo.baselines/1\nbaselines: {}\n")
    assert minizoo("baseline", "list").out == "baselines.yaml has no baseline.\n"
