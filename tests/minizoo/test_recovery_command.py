"""`minizoo show --recovery`, and the tables that `eval` of several and `show` print: the same cells everywhere."""

import json

import pytest
from support.recovering import DISTILLED, MODELS, PARENT, PRUNED, family_file, keep_family

from harness.records.files import read_record
from harness.store.scan import scan
from minizoo.display.models.recovery import recoveries_of_runs, show_recoveries
from minizoo.output import Output


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIZOO_REGISTRY", str(family_file(tmp_path)))
    return tmp_path


def test_show_prints_the_table_and_json_has_the_same_numbers(minizoo, results):
    keep_family(results)
    ran = minizoo("show", DISTILLED, "--recovery", "--results", results, "--json")
    assert ran.code == 0, ran.err
    (family,) = ran.json()["recoveries"]
    assert [family[role] for role in ("parent", "pruned", "distilled")] == list(MODELS)
    share = family["rows"][0]["recovered"]
    cell = f"{100 * share['value']:.1f} %"
    whole = minizoo("show", DISTILLED, "--results", results)
    assert cell in whole.out
    assert "Recovery: my-distilled (distilled) beside my-pruned (pruned) and nano-teacher (parent)" in whole.out
    assert minizoo("show", PARENT, "--results", results, "--json").json()["recoveries"][-1] == family
    markdown = minizoo("show", PRUNED, "--recovery", "--markdown", "--results", results).out
    assert markdown.startswith("#### Recovery")
    assert f"| {cell} |" in markdown


def test_without_results_it_says_what_to_run(minizoo, results):
    ran = minizoo("show", DISTILLED, "--recovery", "--results", results / "none")
    assert ran.code == 3
    assert [line.strip() for line in ran.out.splitlines() if "minizoo eval" in line] == [
        f"minizoo eval {' '.join(MODELS)}"
    ]
    alone = minizoo("show", "minitron-8b", "--recovery", "--results", results / "none")
    assert (alone.code, "in no family" in alone.out) == (3, True)
    assert not (results / "none").exists()
    assert minizoo("show", DISTILLED, "--markdown").code == 2


def test_eval_of_all_three_ends_with_their_recovery(results, capsys):
    """From the runs themselves: an older result of the same models has no part in it."""
    keep_family(results, task="piqa")
    old = {run.folder.name for run in scan(results)}
    keep_family(results)
    runs = [read_record(run.records[0]) for run in scan(results) if run.folder.name not in old]
    (found,) = recoveries_of_runs(results, runs)
    assert [row.key.task for row in found.rows] == ["winogrande"]
    show_recoveries(Output(), [found])
    assert "won back" in capsys.readouterr().out
    assert recoveries_of_runs(results, runs[:2]) == []


def test_what_was_trained_on_is_marked_wherever_its_score_is_shown(minizoo, results):
    family_file(results, distilled={"trained_on": {"tasks": ["winogrande"], "source": "mine"}})
    keep_family(results)
    told = minizoo("show", DISTILLED, "--results", results).out
    assert told.count("winogrande §") == 2
    assert "my-distilled was trained on its text" in told
    compared = minizoo("compare", PARENT, DISTILLED, "--results", results).out
    assert "B was trained on text of this task" in compared
    board = minizoo("report", "--format", "markdown", "--results", results).out
    (line,) = [line for line in board.splitlines() if line.startswith("| Mine") and "§" in line]
    assert line.count("§") == 1
    assert "§" not in minizoo("show", PRUNED, "--results", results, "--json").out
    rows = json.loads(minizoo("show", DISTILLED, "--results", results, "--json").out)
    assert [row["trained_on"] for row in rows["measured"]] == [True]
    assert rows["recoveries"][0]["rows"][0]["trained_on"] == ["distilled"]
