"""Scoring beside lm-eval's HFLM: a record a task, whatever happens to the others. Most engines here run in this process."""

import json
import signal

import pytest
import torch

from backends.packing import prefix_tree
from benchmarks import score_engine
from benchmarks.rows import scoring
from benchmarks.rows.scored import measure as scoring_measure
from benchmarks.rows.scored.process import EngineFailed, EngineProcess
from benchmarks.rows.scored.tasks import wanted
from benchmarks.score_models import drawn
from harness.lmeval.loading.tasks import load_tasks
from harness.lmeval.prompts import build_documents, digest_of
from harness.records.files import folder_name, read_record, run_folder
from harness.store.query import query
from harness.suites.suite import load_suite, suite_of
from zoo.checkpoint.model_ref import resolve
from zoo.errors import DeviceMemory, FileMissing, InvalidOption, TokenOutsideVocabulary, UnknownModel, UnsupportedDtype

COMMAND = ["python", "-m", "benchmarks.rows.scoring"]
LARGEST = 3e-4
"""|Δ log p| of an ending in fp32: what benchmarks/score.py allows."""


class InProcess:
    """The engines without processes of their own."""

    def __init__(self, job):
        self._job, self._answer = job, score_engine.answering()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def ask(self, **more):
        try:
            return json.loads(json.dumps(self._answer(json.loads(json.dumps({**self._job, **more})))))
        except Exception as error:
            raise EngineFailed(**score_engine.failed(error)) from error


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(scoring_measure, "TURN", 0.0)
    monkeypatch.delenv("MINIZOO_DATA", raising=False)
    monkeypatch.delenv("MINIZOO_RESULTS", raising=False)


@pytest.fixture
def score(tmp_path):
    """Score tasks with nano-teacher on the CPU."""

    def run(*words, model="nano-teacher"):
        said = ["--model", model, "--device", "cpu", "--results", tmp_path / "results", "--reference-minutes", "0.001"]
        return scoring.run(scoring.arguments([*map(str, [*said, *words])]), COMMAND, InProcess)

    return run


def test_every_task_leaves_a_record_with_both_engines_times_and_answers(score, tmp_path):
    outcome = score("--tasks", "nano_words,nano_cloze")
    assert (outcome.exit_code, outcome.skipped, outcome.not_begun, outcome.ended) == (0, (), (), None)
    assert [record.task for record in outcome.records] == ["scoring.nano_words", "scoring.nano_cloze"]
    for record, of, endings in zip(outcome.records, (320, 400), (8, 2), strict=True):
        folder = run_folder(tmp_path / "results", outcome.run_id) / folder_name(record.task)
        assert read_record(folder / "record.json") == record
        facts = record.beside
        assert (record.suite, record.status, record.run_id) == ("scoring", "ok", outcome.run_id)
        assert (facts.of, facts.requests, facts.weights) == (of, endings * facts.documents, "real")
        assert 1 <= facts.documents < of
        assert record.limit == record.counts.documents == facts.documents
        assert (facts.reference, facts.tokenizer) == ("lm-eval HFLM, batch 1", "the model's own")
        assert min(facts.seconds, facts.reference_seconds, facts.peak_bytes, facts.reference_peak_bytes) > 0
        assert 1 <= facts.checked_documents <= facts.documents
        assert facts.conforms == (facts.from_fp32.flips <= facts.reference_from_fp32.flips)
        assert 0 < facts.from_fp32.largest < 1
        assert (record.setting.device, record.setting.dtype, record.setting.backend) == ("cpu", "bfloat16", "hf")
        assert record.setting.versions["scoring"] == "packed"
        assert record.setting.command == " ".join(COMMAND)
        assert (record.subject.id, record.subject.source) == ("nano-teacher", "minizoo")
    assert json.loads(json.dumps(outcome.document()))["run_id"] == outcome.run_id
    words, cloze = (record.beside for record in outcome.records)
    rows = query(
        tmp_path / "results", "SELECT task, documents, ratio, conforms, gpu, source FROM scoring ORDER BY task"
    )
    assert [row["task"] for row in rows] == ["scoring.nano_cloze", "scoring.nano_words"]
    assert rows[1]["ratio"] == pytest.approx(words.reference_seconds / words.seconds)
    assert (rows[1]["documents"], rows[1]["conforms"], rows[1]["source"]) == (
        words.documents,
        words.conforms,
        "measured",
    )
    (suite,) = query(tmp_path / "results", "SELECT tasks, seconds, extrapolated FROM scoring_suites")
    whole = sum(facts.seconds * facts.of / facts.documents for facts in (words, cloze))
    assert (suite["tasks"], suite["extrapolated"], suite["seconds"]) == (2, True, pytest.approx(whole))


def test_documents_are_those_that_a_limit_chooses(score):
    (record,) = score("--tasks", "nano_words").records
    suite = load_suite("nano").model_copy(update={"tasks": (load_suite("nano").entry("nano_words"),)})
    (loaded,) = load_tasks(suite, None, limit=record.beside.documents).tasks.values()
    documents, total = build_documents(loaded)
    assert (record.task_digest, record.beside.of) == (digest_of(loaded.task, documents), total)


@pytest.mark.parametrize("weights", ["real", "random"])
def test_in_fp32_both_engines_answer_alike(score, weights):
    (record,) = score("--tasks", "nano_endings", "--dtype", "float32", "--weights", weights, "--seed", "3").records
    facts = record.beside
    assert (facts.agreement.flips, facts.agreement.largest < LARGEST) == (0, True)
    assert facts.from_fp32 == facts.agreement
    assert (facts.checked_documents, facts.conforms) == (facts.documents, True)
    assert (facts.reference_from_fp32.flips, facts.reference_from_fp32.largest) == (0, 0)
    assert (record.subject.source, facts.weights) == ("random" if weights == "random" else "minizoo", weights)


def test_random_weights_in_half_precision_are_checked_against_the_same_values_in_fp32(score):
    job = {"model": "nano-teacher", "random": True, "device": "cpu", "seed": 3}
    half = drawn({**job, "dtype": "bfloat16"}).state_dict()
    whole = drawn({**job, "dtype": "float32", "drawn": "bfloat16"}).state_dict()
    assert {value.dtype for value in whole.values()} == {torch.float32}
    assert all(torch.equal(whole[name], value.float()) for name, value in half.items())
    (record,) = score("--tasks", "nano_words", "--weights", "random", "--seed", "3").records
    assert 0 < record.beside.from_fp32.largest < 1
    assert 0 < record.beside.reference_from_fp32.largest < 1
    assert record.subject.weights_digest == "random, seed 3"


def test_a_model_without_a_tokenizer_is_scored_with_the_shipped_one(score, tmp_path):
    model = tmp_path / "bare"
    model.mkdir()
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 32, "intermediate_size": 64}
    config |= {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 768}
    (model / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 512}))
    (record,) = score("--tasks", "nano_words", "--weights", "random", model=model).records
    assert record.beside.tokenizer == "another's: nano-teacher, which ships with minizoo"
    assert record.subject.id == "bare"
    (model / "config.json").write_text(json.dumps({**config, "vocab_size": 700}))
    with pytest.raises(TokenOutsideVocabulary, match="768 token ids, and the embedding of bare 700 rows"):
        score("--tasks", "nano_words", "--weights", "random", model=model)


def test_without_data_the_shipped_tasks_stand_for_the_papers(score, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "load_part", _no_part)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "config.json").write_text('{"model_type": "llama", "vocab_size": 1000}')
    outcome = score("--weights", "random", model=tmp_path / "copy")
    assert [one.task for one in outcome.skipped] == ["nano_words", "nano_endings", "nano_cloze"]
    assert "no data" in (wanted((), resolve(str(tmp_path / "copy")), None).note or "")
    outcome = score("--weights", "random", "--data", tmp_path, model=tmp_path / "copy")
    papers = ["winogrande", "arc_challenge", "mmlu", "hellaswag", "truthfulqa_mc2"]
    assert [one.task for one in outcome.skipped] == papers


def _no_part(suite, data):
    raise FileMissing("not now.")


def test_past_the_time_no_task_begins(score, tmp_path):
    outcome = score("--max-minutes", "1e-9")
    assert (outcome.records, outcome.exit_code) == ((), 3)
    assert outcome.document()["ended"] == {"code": "time-limit", "text": "the time limit was reached"}
    assert outcome.not_begun == ("nano_words", "nano_endings", "nano_cloze")
    assert not (tmp_path / "results" / "runs").exists()


def test_what_is_done_already_is_left_out_and_what_has_no_data_or_is_no_choice_is_skipped(score, tmp_path):
    (tmp_path / "mirror").mkdir()
    names = "winogrande,nano_sums,nano_words,nano_cloze"
    outcome = score("--tasks", names, "--skip", "nano_cloze", "--data", tmp_path / "mirror")
    assert [record.task for record in outcome.records] == ["scoring.nano_words"]
    reasons = {one.task: one.reason for one in outcome.skipped}
    assert list(reasons) == ["nano_sums", "winogrande"]
    assert ".jsonl, which is not there" in reasons["winogrande"]
    assert "no choice among endings" in reasons["nano_sums"]
    assert (outcome.exit_code, outcome.not_begun, outcome.ended) == (3, (), None)


def test_an_engine_out_of_memory_costs_its_task_alone(score, monkeypatch):
    open_it = score_engine.opened

    def opened(job):
        if job["task"] == "nano_words":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return open_it(job)

    monkeypatch.setattr(score_engine, "opened", opened)
    outcome = score("--tasks", "nano_words,nano_cloze")
    bad, good = outcome.records
    assert (bad.status, bad.code, bad.beside) == ("failed", "device-memory", None)
    assert bad.reason == "out of memory: CUDA out of memory. Tried to allocate 2.00 GiB"
    assert (good.status, outcome.exit_code) == ("ok", 4)


def test_weights_that_do_not_fit_in_fp32_leave_the_rest_of_the_record(score, monkeypatch):
    def no_room(job):
        if job["dtype"] == "float32":
            raise DeviceMemory("The weights take 48.0 GB in float32, and cuda has 23.1 GB of memory free.")

    monkeypatch.setattr(score_engine, "check_room", no_room)
    outcome = score("--tasks", "nano_words")
    facts = outcome.records[0].beside
    assert (facts.checked_documents, facts.from_fp32, facts.reference_from_fp32, facts.conforms) == (
        0,
        None,
        None,
        None,
    )
    assert facts.note.startswith("not checked against fp32: The weights take 48.0 GB in float32")
    assert (facts.documents > 0, outcome.exit_code) == (True, 0)


def test_answers_that_are_no_numbers_are_no_row(score, monkeypatch):
    monkeypatch.setattr(score_engine, "_timed", _nan(score_engine._timed))
    (record,) = score("--tasks", "nano_words").records
    assert (record.status, record.code) == ("failed", "scores-not-finite")


def _nan(timed):
    def spoiled(call, job):
        times, result = timed(call, job)
        return times, [(float("nan"), False)] * len(result) if job["engine"] == "hflm" else result

    return spoiled


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["--reference-minutes", "0"], InvalidOption),
        (["--max-minutes", "-1"], InvalidOption),
        (["--data", "nowhere"], FileMissing),
        (["--tokenizer", "nowhere"], FileMissing),
        (["--device", "tpu"], InvalidOption),
        (["--dtype", "int8"], UnsupportedDtype),
        (["--model", "nano-teecher"], UnknownModel),
    ],
)
def test_bad_words_are_refused_before_anything_is_scored(score, words, cause, tmp_path):
    with pytest.raises(cause):
        score(*words)
    assert not (tmp_path / "results" / "runs").exists()


def test_an_engine_that_is_killed_is_told_by_its_signal():
    with EngineProcess({"engine": "none", "threads": None}) as engine:
        engine._process.send_signal(signal.SIGKILL)
        with pytest.raises(EngineFailed, match="was ended by SIGKILL, as Linux does where memory runs out") as failure:
            engine.ask(device="cpu")
    assert (failure.value.code, failure.value.status) == ("backend-broke", "infra_failed")


def test_the_command_scores_in_processes_of_their_own_and_prints_json(tmp_path, capsys):
    said = ["--model", "nano-teacher", "--tasks", "nano_words", "--dtype", "float32", "--reference-minutes", "0.0001"]
    code = scoring.main([*said, "--device", "cpu", "--results", str(tmp_path), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert read_record(next(tmp_path.glob("runs/*/*/*/record.json"))).model_dump(mode="json") == told["records"][0]
    assert told["records"][0]["beside"]["agreement"]["flips"] == 0


def test_a_job_that_names_a_task_asks_for_its_first_documents(tmp_path, monkeypatch):
    monkeypatch.setattr(prefix_tree, "WORTH_SHARING", prefix_tree.WORTH_SHARING)  # an ideal tree changes it
    job = {
        "model": str(resolve("nano-teacher").folder),
        "random": False,
        "device": "cpu",
        "dtype": "float32",
        "threads": 1,
    }
    job |= {"batch_size": 1, "row_budget": 0, "turn": 0}
    job |= {"task": "nano_words", "shots": 3, "documents": 2, "data": str(tmp_path)}
    theirs, ours = (score_engine.answering()({**job, "engine": engine}) for engine in ("hflm", "packed"))
    (loaded,) = load_tasks(suite_of(("nano_words",), 3), tmp_path).tasks.values()
    loaded.task.build_all_requests(limit=2)
    assert theirs["documents"] == ours["documents"] == [i.doc_id for i in loaded.task.instances]
    assert max(abs(a[0] - b[0]) for a, b in zip(theirs["answers"], ours["answers"], strict=True)) < LARGEST
    assert ours["ideal"]["tokens"] <= ours["tokens"] < sum(rows * columns for rows, columns in theirs["shapes"])
