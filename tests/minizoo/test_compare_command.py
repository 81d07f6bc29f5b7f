"""`minizoo compare` on two real evaluations, its three forms, and its exit codes."""

import json
import shutil
import tarfile

import pyarrow.parquet as pq
import pytest
from support.compared import keep, subject
from support.paths import ROOT

from harness.compare.resolve import resolve_side
from harness.compare.sides.speed_ratios import speed_ratios
from harness.store.query import query

OLD = ROOT / "tests" / "fixtures" / "results-086f72e"
"""A results folder with trials of nano-width-pruned taken in turn with nano-teacher's."""
HOSTILE = "evil|name<img src=x>`*[link](http://x)@team\n\x1b[31m"


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Both models on two tasks, a few documents each."""
    from minizoo.cli import run

    results = tmp_path_factory.mktemp("evaluated")
    words = ["--tasks", "nano_words,nano_prose", "--limit", "16", "--device", "cpu", "--dtype", "float32"]
    assert run(["eval", "nano-teacher", "nano-width-pruned", *words, "--results", str(results)]) == 0
    return results


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


def test_a_pruned_model_beside_its_teacher(minizoo, evaluated):
    ran = minizoo("compare", "nano-teacher", "nano-width-pruned", "--results", evaluated, "--json", "--show-flips")
    assert ran.code == 0, ran.err
    document = ran.json()
    scores = {
        (row["model"], row["task"], row["metric"]): row["value"] for row in query(evaluated, "SELECT * FROM scores")
    }
    rows = {row["task"]: row for row in document["rows"]}
    for name, metric in (("nano_words", "acc"), ("nano_prose", "word_perplexity")):
        row = rows[name]
        assert (row["metric"], row["verdict"], row["n"]) == (metric, "worse", 16)
        measured = [scores[model, name, metric] for model in ("nano-teacher", "nano-width-pruned")]
        assert [row["a_value"], row["b_value"]] == pytest.approx(measured)
        assert row["lower"] <= row["difference"] <= row["upper"]
    assert rows["nano_words"]["gold"]["difference"] < 0
    assert rows["nano_words"]["gold"]["p_holm"] < 0.05
    first = document["flips"][0]
    assert first["lost"]
    assert first["a_answer"]["ending"] == first["position"] != first["b_answer"]["ending"]
    assert (document["further_metrics"], document["exit_code"]) == (2, 0)


def test_a_checkout_without_results_compares_the_records_of_reference_and_says_so(minizoo, results):
    ran = minizoo("compare", "nano-teacher", "nano-width-pruned", "--results", results)
    assert ran.code == 0, ran.err
    assert "There is no result of nano-width-pruned in" in ran.out
    rows = [line.split() for line in ran.out.splitlines() if line.startswith("nano_") and "<0.0001" in line]
    assert {row[-1] for row in rows if "McNemar" not in row} >= {"worse"}
    assert not results.exists()


def test_the_tables_say_what_was_lost_and_how_to_measure_the_rest(minizoo, evaluated):
    ran = minizoo(
        "compare", "nano-teacher", "nano-width-pruned", "--results", evaluated, "--show-flips", 1, "--by", "length"
    )
    assert ran.code == 0, ran.err
    for words in (
        "nano-width-pruned (B) beside nano-teacher (A)", "exact McNemar", "worse", "By length", "characters",
        "2 further metrics of the same answers: --every-metric shows them.", "Speed: no trials of the two taken in turn",
    ):  # fmt: skip
        assert words in ran.out


def test_every_metric_has_a_row_where_all_are_asked_for(minizoo, evaluated):
    words = ["--results", evaluated, "--json", "--every-metric", "--tasks", "nano_p*"]
    ran = minizoo("compare", "nano-teacher", "nano-width-pruned", *words)
    metrics = {row["metric"] for row in ran.json()["rows"]}
    assert metrics == {"word_perplexity", "byte_perplexity", "bits_per_byte"}


def test_columns_that_an_older_minizoo_did_not_write_are_told_from_the_answers(minizoo, evaluated, results):
    shutil.copytree(evaluated / "runs", results / "runs")
    words = ["compare", "nano-teacher", "nano-width-pruned", "--results", results, "--json", "--tasks", "nano_words"]
    now = minizoo(*words).json()["rows"][0]
    for path in results.rglob("samples.parquet"):
        table = pq.read_table(path)
        pq.write_table(table.drop_columns(["cluster", "gold", "gold_logprob", "length"]), path)
    (results / "minizoo.duckdb").unlink()
    then = minizoo(*words)
    assert then.json()["rows"][0] == now
    split = minizoo(*words, "--by", "length").json()["split"]
    assert split["levels"] == []
    assert "the lengths of its prompts are not known" in split["refused"][0]


def test_kl_and_axes_run_the_models_and_stand_beside(minizoo, evaluated):
    words = ["--tasks", "nano_words", "--limit", 2, "--kl", "--axes", "nano-width-pruned", "--device", "cpu"]
    ran = minizoo("compare", "nano-teacher", "nano-width-pruned", "--results", evaluated, "--json", *words)
    assert ran.code == 0, ran.err
    document = ran.json()
    assert document["divergence"]["kl"]["value"] > 0
    assert [row["axis"] for row in document["axes"]["rows"]] == ["hidden", "ffn", "whole plan"]
    assert document["rows"][0]["task"] == "nano_words"


def test_markdown_takes_nothing_of_a_hostile_name(minizoo, results):
    for name in ("old", HOSTILE):
        keep(
            results,
            name,
            [1.0, 0.0, 1.0],
            subject=subject(name),
            columns={"filtered": json.dumps([f"answer {HOSTILE}"])},
        )
    one, other = (row["run_id"] for row in query(results, "SELECT run_id FROM records ORDER BY model DESC"))
    ran = minizoo("compare", one, other, "--results", results, "--markdown")
    assert ran.code == 0, ran.err
    assert (
        "### evil\\|name\\<img src=x\\>\\`\\*\\[link\\](http\\://x)\\@\u200bteam\\\\n\\\\x1b\\[31m (B) beside old (A)"
        in ran.out
    )
    assert "\x1b" not in ran.out
    rows = [line for line in ran.out.splitlines() if line.startswith("| winogrande")]
    assert len(rows) == 2
    assert "\x1b" not in minizoo("compare", one, other, "--results", results, "--show-flips").out


def test_refused_and_nothing_in_common_are_exit_code_3(minizoo, results):
    keep(results, "old", [1.0, 0.0], shots=5)
    keep(results, "new", [1.0, 0.0], shots=0)
    keep(results, "other", [1.0, 0.0], "arc_challenge")
    refused = minizoo("compare", "old", "new", "--results", results)
    assert refused.code == 3
    assert "winogrande refused: other shots: 5 against 0." in refused.out
    nothing = minizoo("compare", "old", "other", "--results", results, "--json")
    assert (nothing.code, nothing.json()["exit_code"], nothing.json()["only_a"]) == (3, 3, ["winogrande"])
    assert "no task in common" in nothing.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nano-teachr", "nano-teacher"), "Did you mean 'nano-teacher'"),
        (("minitron-8b", "minitron-4b"), "Run `minizoo eval minitron-8b` first"),
        (("a", "b", "--json", "--markdown"), "exclude each other"),
        (("a", "b", "--limit", 3), "go with --kl or --axes"),
        (("a", "b", "--by", "colour"), "colour"),
    ],
    ids=["unknown", "not evaluated", "two forms", "limit alone", "factor"],
)
def test_what_is_asked_wrongly_is_exit_code_2(minizoo, results, words, says):
    ran = minizoo("compare", *words, "--results", results)
    assert ran.code == 2
    assert says in ran.err


@pytest.fixture(scope="module")
def speeds(tmp_path_factory):
    results = tmp_path_factory.mktemp("speeds")
    with tarfile.open(OLD / "runs.tar.xz") as archive:
        archive.extractall(results)  # a file of our own; Python 3.11.2 knows no filter
    return results


def test_speeds_taken_in_turn_are_ratios_either_way_round(speeds):
    teacher, pruned = (resolve_side(name, speeds) for name in ("nano-teacher", "nano-width-pruned"))
    ahead, back = speed_ratios(teacher, pruned, speeds), speed_ratios(pruned, teacher, speeds)
    stored = query(speeds, "SELECT * FROM speed_ratios ORDER BY task, metric, mode")
    assert len(ahead) == len(back) == len(stored) == 8
    for there, here in zip(ahead, back, strict=True):
        assert there.ratio == pytest.approx(1 / here.ratio)
        assert (there.lower, there.upper) == pytest.approx((1 / here.upper, 1 / here.lower))
        assert (there.a_batch, there.b_batch) == (here.b_batch, here.a_batch)
        assert there.p_holm >= there.p_value
    assert {(row.metric, row.mode, row.ratio) for row in ahead} == {
        (r["metric"], r["mode"], r["ratio"]) for r in stored
    }
    assert {row.b_batch for row in ahead} == {1, 4}


def test_models_of_which_speeds_alone_are_there_are_compared(minizoo, speeds):
    words = ["--results", speeds, "--tasks", "none", "--markdown"]
    ran = minizoo("compare", "nano-teacher", "nano-width-pruned", *words)
    assert ran.code == 0, ran.err
    assert "### Speed" in ran.out
    assert "equal memory (4 / 1)" in ran.out
