"""`minizoo eval A B C`: refusals of all first, then a run each, and one document; and what each record says of itself."""

import contextlib
import datetime
import io
import json
import weakref

import pytest
from support.paths import ROOT

import backends.hf.backend as hf
from harness.store.query import query
from minizoo.cli import run

SUITE = ["--suite", ROOT / "examples/my_suite.yaml"]
MODELS = ["nano-teacher", "no-such-model", "nano-width-pruned"]
TASKS = ["nano_words", "nano_endings"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def evaluated(results):
    """(exit code, document, stderr, models whose weights were still there when the next was loaded) of one command."""
    alive, loaded, whole = [], [], hf.load_pretrained

    def load(checkpoint, *options):
        alive.extend(name for name, model in loaded if model() is not None)
        model = whole(checkpoint, *options)
        loaded.append((checkpoint.name, weakref.ref(model)))
        return model

    argv = ["eval", *MODELS, *SUITE, "--limit", 3, "--dtype", "bfloat16", "--results", results, "--json"]
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(hf, "load_pretrained", load)
        code = run([str(word) for word in [*argv, "--device", "cpu"]])
    return code, json.loads(out.getvalue()), err.getvalue(), alive


def records(evaluated):
    return [record for each in evaluated[1]["evaluations"] for record in each.get("records", ())]


def test_each_model_has_its_run_and_the_one_that_cannot_has_its_error(evaluated):
    code, document, err, _ = evaluated
    assert (code, document["exit_code"], document["schema"]) == (2, 2, "minizoo.evaluations/1")
    teacher, unknown, student = document["evaluations"]
    assert [each["model"] for each in document["evaluations"]] == MODELS
    assert [each["exit_code"] for each in document["evaluations"]] == [0, 2, 0]
    assert unknown["error"]["code"] == "unknown-model"
    assert [record["task"] for each in (teacher, student) for record in each["records"]] == TASKS * 2
    assert teacher["run_id"] != student["run_id"]
    assert err.count("minizoo: ") == 1


def test_the_first_models_memory_is_given_back_before_the_second_is_loaded(evaluated):
    assert evaluated[3] == []


def test_a_record_names_the_dtype_of_its_weights_and_that_of_its_products(evaluated, results):
    for record in records(evaluated):
        assert (record["setting"]["dtype"], record["setting"]["compute_dtype"]) == ("bfloat16", "float32")
        assert record["setting"]["processor"]
    rows = query(results, "SELECT DISTINCT dtype, compute_dtype FROM scores WHERE source = 'measured'")
    assert rows == [{"dtype": "bfloat16", "compute_dtype": "float32"}]


def test_a_task_has_a_start_of_its_own_and_its_wall_time(evaluated, results):
    for each in (evaluated[1]["evaluations"][0], evaluated[1]["evaluations"][2]):
        words, endings = each["records"]
        moments = [
            datetime.datetime.fromisoformat(moment)
            for record in (words, endings)
            for moment in (record["started_at"], record["finished_at"])
        ]
        assert words["run_started_at"] == endings["run_started_at"] <= words["started_at"]
        assert moments == sorted(moments)
        assert endings["wall_s"] > 0
        assert words["wall_s"] + endings["wall_s"] <= each["wall_s"]
    walls = query(results, "SELECT DISTINCT task, wall_s FROM scores WHERE source = 'measured' ORDER BY wall_s")
    assert [row["wall_s"] for row in walls] == pytest.approx(sorted(record["wall_s"] for record in records(evaluated)))
    (run_wall,) = query(results, "SELECT min(wall_s) AS s FROM runs")
    assert 0 < run_wall["s"] < 1000


def test_a_record_says_what_was_computed(evaluated):
    for record in records(evaluated):
        work = record["work"]
        assert work["asked_tokens"] == record["counts"]["tokens"] > work["computed_tokens"] > 0
        assert work["scoring_s"] >= 0 == work["new_tokens"]
        assert work["flops_per_token"] > 1e5


def test_pages_show_both_dtypes(minizoo, evaluated, results, tmp_path):
    assert minizoo("report", "--results", results, "--out", tmp_path).code == 0
    pages = [path.read_text("utf-8") for path in (tmp_path / "runs").glob("*-*-*.html")]
    assert any("bfloat16 weights, float32 products" in page for page in pages)


def test_the_plain_form_multiplies_in_the_weights_own_dtype(minizoo, tmp_path):
    ran = minizoo(
        "eval", "nano-teacher", "--tasks", "nano_endings", "--limit", 2, "--eager", "--dtype", "bfloat16", "--results",
        tmp_path, "--json",
    )  # fmt: skip
    (record,) = ran.json()["records"]
    assert (record["setting"]["dtype"], record["setting"]["compute_dtype"]) == ("bfloat16", "bfloat16")
    assert record["work"]["computed_tokens"] == record["work"]["asked_tokens"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nano-teacher", "./nano-teacher", "nano-teacher"], "are one model"),
        (["nano-teacher", "nano-width-pruned", "--name", "mine"], "--name says something of one model"),
        (
            ["nano-teacher", "nano-width-pruned", "--dry-run", "--tokenizer", "/tmp"],
            "--tokenizer says something of one model",
        ),
        (["nano-teacher", "--model", "nano-width-pruned"], "given twice"),
        (["nano-teacher", "--chat", *SUITE], "--chat goes with --tasks"),
    ],
)
def test_what_cannot_be_said_of_several_models_or_of_a_suite_is_refused(minizoo, tmp_path, words, says):
    ran = minizoo("eval", *words, "--results", tmp_path / "r")
    assert ran.code == 2
    assert says in ran.err
    assert not (tmp_path / "r" / "runs").exists()


def test_a_dry_run_of_several_models_is_one_document(minizoo, tmp_path):
    ran = minizoo(
        "eval",
        "--model",
        "nano-teacher",
        "--model",
        "nano-width-pruned",
        *SUITE,
        "--dry-run",
        "--no-probe",
        "--json",
        "--results",
        tmp_path,
    )
    assert ran.code == 0
    document = ran.json()
    assert document["schema"] == "minizoo.plans/1"
    assert [(each["model"], each["suite"]) for each in document["plans"]] == [
        ("nano-teacher", "mine"), ("nano-width-pruned", "mine"),
    ]  # fmt: skip
