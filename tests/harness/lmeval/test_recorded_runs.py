"""A run through lm-eval's evaluator leaves records: lm-eval's numbers, with the samples and errors of `minizoo eval`."""

import json
import sys
from dataclasses import replace

import pytest
from support.imported import samples_of
from support.lm_eval_runs import LEAVES, run_lm_eval, write_tasks

from harness.lmeval.drop_in.recorded import record_run
from harness.records.derived import estimate
from harness.records.files import SAMPLE_COLUMNS, new_run_id, read_record, write_record
from harness.store.query import query
from zoo.registry.loader import load_registry

SUMS = {"value", "statistics"}


@pytest.fixture(scope="module")
def lm(stories):
    from harness.lmeval.model import MinizooLM

    return MinizooLM(pretrained=str(stories), dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    yield write_tasks(folder, "recorded_tasks")
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def whole(lm, suite):
    """A run of every document."""
    return run_lm_eval(lm, suite)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def recorded(lm, whole, results):
    """The records of that run, by task."""
    made = record_run(lm, whole.task_dict, whole.results, whole.facts, results)
    return {record.task: record for record in made}


@pytest.fixture(scope="module")
def own(suite, stories, results):
    """The records of `minizoo eval` over the same tasks, in the same store."""
    from minizoo.cli import run

    asked = ["eval", stories, "--suite", suite, "--results", results, "--device", "cpu", "--dtype", "float32"]
    assert run([str(word) for word in asked]) == 0
    found = [read_record(path) for path in results.rglob("record.json")]
    return {record.task: record for record in found if record.suite == "mine"}


def record_of(lm, one, folder, **facts):
    made = record_run(lm, one.task_dict, one.results, replace(one.facts, **facts), folder)
    return {record.task: record for record in made}


def assert_same_samples(ours, theirs):
    """Equal in all, but for the last digits of log-probabilities: what is packed together is another."""
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        exact = [name for name in SAMPLE_COLUMNS if name not in ("value", "responses", "filtered", "gold_logprob")]
        assert [one[name] for name in exact] == [other[name] for name in exact]
        for name in ("value", "gold_logprob"):
            assert one[name] == (None if other[name] is None else pytest.approx(other[name], rel=1e-5))
        for answer, its in zip(answers_of(one), answers_of(other), strict=True):
            assert answer == (its if isinstance(its, str) else pytest.approx(its, rel=1e-5))


def answers_of(row):
    """Every text, or number, of the answers to its document."""
    answers = [*json.loads(row["responses"]), *json.loads(row["filtered"])]
    while any(isinstance(answer, list) for answer in answers):
        answers = [part for answer in answers for part in (answer if isinstance(answer, list) else [answer])]
    return answers


def test_every_value_is_lm_evals_to_the_last_bit(whole, recorded):
    assert list(recorded) == [*LEAVES, "both"]
    for name, record in recorded.items():
        printed = {
            key: value for key, value in whole.results["results"][name].items() if "," in key and "_stderr" not in key
        }
        assert {f"{score.metric},{score.filter}": score.value for score in record.scores} == printed
        assert record.status == "ok"


def test_samples_are_those_of_minizoo_eval(results, recorded, own):
    for name in LEAVES:
        assert_same_samples(samples_of(results, recorded[name]), samples_of(results, own[name]))
    assert {row["occurrence"] for row in samples_of(results, recorded["boolq"])} == {0, 1}


def test_errors_chance_and_clusters_are_those_of_minizoo_eval(recorded, own):
    for name, record in recorded.items():
        for ours, theirs in zip(record.scores, own[name].scores, strict=True):
            assert ours.model_dump(exclude=SUMS) == theirs.model_dump(exclude=SUMS)
            assert errors_of(ours) == pytest.approx(errors_of(theirs), rel=1e-5)
    assert recorded["boolq"].scores[0].clusters == 3
    assert estimate(recorded["both"].scores[0]).lower is not None


def errors_of(score):
    return {name: number for name, number in vars(estimate(score)).items() if number is not None}


def test_what_was_measured_and_how_is_told_as_by_minizoo_eval(recorded, own):
    for name, record in recorded.items():
        same = (
            "task_version",
            "task_digest",
            "shots",
            "limit",
            "members",
            "subject",
            "context",
            "decoding",
            "chat_template",
        )
        assert [getattr(record, each) for each in same] == [getattr(own[name], each) for each in same]
        assert record.counts == own[name].counts
        assert (record.source, record.suite, record.overflow) == ("measured", "lm-eval", "truncate")
        assert record.setting.model_dump(include={"backend", "dtype", "device"}) == own[name].setting.model_dump(
            include={"backend", "dtype", "device"}
        )


def test_both_stand_on_the_board(results, recorded, own):
    measured = "SELECT task, suite FROM scores WHERE source = 'measured' AND metric = 'acc' ORDER BY task, suite"
    rows = query(results, measured)
    tasks = ("adding", "boolq", "both")
    assert [(row["task"], row["suite"]) for row in rows] == [
        (task, suite) for task in tasks for suite in ("lm-eval", "mine")
    ]


def test_the_first_documents_alone_are_no_whole_run(lm, suite, tmp_path):
    run = run_lm_eval(lm, suite, tasks=["both"], limit=5)
    made = record_of(lm, run, tmp_path)
    for name, total in (("boolq", 12), ("adding", 20)):
        record = made[name]
        assert (record.limit, record.counts.documents, record.counts.documents_total) == (5, 5, total)
        assert [(score.n, score.total) for score in record.scores] == [(5, total)] * 2
        assert record.resolved_suite["tasks"][0]["documents"] == f"the first 5 of {total}"
    group = made["both"]
    assert group.scores[0].value == run.results["results"]["both"]["acc,none"]
    assert [stratum.weight for stratum in group.scores[0].statistics.strata] == [0.5, 0.5]
    assert (group.limit, group.scores[0].total) == (5, 32)
    (row,) = query(tmp_path, "SELECT DISTINCT \"limit\" FROM scores WHERE task = 'boolq' AND source <> 'published'")
    assert row["limit"] == 5


def test_a_part_that_was_not_drawn_is_never_held_against_a_published_score(recorded, tmp_path):
    """Winogrande is published of Llama 3.1 8B: 1,266 of its 1,267 documents, taken for a sample, would reproduce it."""
    model = load_registry().find("llama-3.1-8b")
    real = recorded["adding"]
    subject = real.subject.model_copy(
        update={"id": model.id, "kind": "registry", "entry": model.model_dump(mode="json")}
    )
    score = real.scores[0].model_copy(update={"value": 0.77, "n": 1266, "total": 1267})
    for run, resolved in (
        ("whole", {}),
        ("part", {"tasks": [{"task": "winogrande", "departure": "not drawn at random"}]}),
    ):
        told = {
            "run_id": new_run_id(),
            "task": "winogrande",
            "subject": subject,
            "shots": 5,
            "scores": (score,),
            "suite": run,
        }
        write_record(tmp_path, real.model_copy(update=told | {"resolved_suite": resolved}))
    verdicts = query(tmp_path, "SELECT DISTINCT suite, verdict = 'not comparable' AS apart, reason FROM reproduction")
    assert {row["apart"] for row in verdicts if row["suite"] == "whole"} == {False}
    assert {(row["apart"], row["reason"]) for row in verdicts if row["suite"] == "part"} == {
        (True, "not drawn at random")
    }


def test_named_documents_have_their_own_places_and_hashes(lm, suite, results, own, tmp_path):
    run = run_lm_eval(lm, suite, tasks=["adding"], samples={"adding": [17, 3, 4]})
    record = record_of(lm, run, tmp_path)["adding"]
    kept = samples_of(tmp_path, record)
    assert_same_samples(kept, [row for row in samples_of(results, own["adding"]) if row["doc_id"] in (3, 4, 17)])
    assert record.resolved_suite["tasks"][0]["documents"] == "3 named ones: [3, 4, 17]"
    assert (record.limit, record.scores[0].n, record.scores[0].total) == (3, 3, 20)


def test_what_changes_prompts_or_answers_is_told(lm, suite, tmp_path):
    asked = {"system_instruction": "Be brief.", "gen_kwargs": "max_gen_toks=4"}
    run = run_lm_eval(lm, suite, tasks=["told"], **asked)
    record = record_of(lm, run, tmp_path)["told"]
    (entry,) = record.resolved_suite["tasks"]
    assert "system instruction" in entry["departure"]
    assert "--gen_kwargs" in entry["departure"]
    assert record.resolved_suite["lm_eval"]["gen_kwargs"] == "max_gen_toks=4"
    assert record.resolved_suite["lm_eval"]["fewshot_seed"] == 1234


def test_another_tokenizer_or_first_token_than_the_checkpoints_is_told(lm, whole, recorded, tmp_path, monkeypatch):
    monkeypatch.setattr(lm.tokenizer, "name_or_path", "another")
    monkeypatch.setattr(lm, "custom_prefix_token_id", 7)
    record = record_of(lm, whole, tmp_path)["tales"]
    assert record.resolved_suite["lm_eval"]["model_args"] == {"tokenizer": "another", "prefix_token_id": "7"}
    assert record.resolved_suite["tasks"][0]["departure"] == "--model_args gave tokenizer, prefix_token_id"
    assert recorded["tales"].subject.tokenizer_digest
    assert record.subject.tokenizer_digest == ""  # which tokenizer it was nobody has read
    assert "departure" not in recorded["tales"].resolved_suite["tasks"][0]


def test_answers_that_nobody_judged_are_not_recorded(lm, suite, tmp_path):
    run = run_lm_eval(lm, suite, tasks=["told"], predict_only=True)
    assert record_run(lm, run.task_dict, run.results, run.facts, tmp_path) == []
    assert not (tmp_path / "runs").exists()


def test_another_number_than_lm_evals_is_no_score(lm, whole, tmp_path):
    changed = json.loads(json.dumps(whole.results["results"]))
    changed["boolq"]["acc,none"] += 1 / 12
    made = record_run(lm, whole.task_dict, {"results": changed}, whole.facts, tmp_path)
    record = next(record for record in made if record.task == "boolq")
    assert (record.status, record.code, record.scores) == ("failed", "task-failed", ())
    assert "once more" in record.reason
    assert "both" not in {record.task for record in made}  # no group of a task without a score
    assert {record.task for record in made if record.status == "ok"} == {"adding", "told", "tales"}


def test_requests_of_other_documents_have_no_score(lm, suite, tmp_path):
    """lm-eval's request cache keeps the documents of one --samples for the next."""
    run = run_lm_eval(lm, suite, tasks=["adding"], samples={"adding": [0, 1]})
    record = record_of(lm, run, tmp_path, samples={"adding": [2, 3]})["adding"]
    assert (record.status, record.code) == ("failed", "task-failed")
    assert "other documents" in record.reason


def test_answers_that_are_no_number_are_no_score(lm, suite, tmp_path):
    run = run_lm_eval(lm, suite, tasks=["adding"], limit=2)
    run.task_dict["tasks"]["adding"].instances[1].resps[0] = (float("nan"), False)
    record = record_of(lm, run, tmp_path)["adding"]
    assert (record.status, record.code) == ("failed", "scores-not-finite")


def test_records_that_cannot_be_written_leave_nothing(lm, whole, tmp_path, monkeypatch):
    from harness.records import files
    from zoo.errors import NotWritable

    def full_at_the_second(folder, record, samples):
        if record.task == "adding":
            raise OSError(28, "No space left on device")
        return write_record(folder, record, samples)

    monkeypatch.setattr(files, "write_record", full_at_the_second)
    with pytest.raises(NotWritable):
        record_run(lm, whole.task_dict, whole.results, whole.facts, tmp_path)
    assert not list((tmp_path / "runs").rglob("record.json"))
