"""`minizoo power`: what a suite would show, by the registry's sizes alone; what it refuses; what can never be told."""

import pytest

from harness.stats.paired.power import paired_needed, paired_power, unpaired_power

PLAIN = 0.05


@pytest.fixture
def suite(tmp_path):
    """A suite of two benchmarks whose sizes the registry knows, so that no data are read."""
    path = tmp_path / "two.yaml"
    path.write_text(
        "name: two\nfolders: [lm_eval/tasks/hellaswag, harness/tasks/code]\n"
        "tasks: [{task: hellaswag, metric: acc_norm}, {task: humaneval, metric: pass@1}]\n"
    )
    return path


def _level(document, task, at):
    return next(row for row in document["tasks"] if row["task"] == task)["levels"][at]


def test_power_is_that_of_the_exact_test_at_both_levels(minizoo, suite):
    told = minizoo("power", "--detect", "1pp", "--suite", suite, "--json").json()
    planned, plain = (_level(told, "hellaswag", at) for at in (0, 1))
    assert planned["alpha"] == pytest.approx(0.005 / 2)
    for level in (planned, plain):
        alpha = level["alpha"]
        assert level["paired"] == {f"{d:g}": paired_power(10042, d, 0.01, alpha) for d in (0.02, 0.04, 0.1)}
        assert level["unpaired"] == unpaired_power(10042, 0.5, 0.01, alpha)
        assert level["needs"] == paired_needed(0.04, 0.01, alpha, 0.8)
    assert plain["alpha"] == PLAIN


def test_pairs_of_models_and_gpus_share_the_alpha(minizoo, suite):
    told = minizoo("power", "--detect", "0.01", "--suite", suite, "--pairs", "20", "--json").json()
    assert _level(told, "hellaswag", 0)["alpha"] == pytest.approx(0.005 / 40)


def test_humaneval_can_never_gate_two_points_and_it_is_said(minizoo, suite):
    call = minizoo("power", "--detect", "2pp", "--suite", suite)
    assert "humaneval: its 164 documents can never gate 2 points, even where nothing else changes" in call.out
    assert "hellaswag: its" not in call.out
    assert "Greedy answers of one build are the same every night" in call.out


def test_what_is_too_small_at_the_usual_rate_is_not_called_never(minizoo, suite):
    call = minizoo("power", "--detect", "0.5pp", "--suite", suite, "--discordant", "0.1")
    assert "hellaswag: its 10,042 documents are too few for 0.5 points at" in call.out
    assert "hellaswag: its 10,042 documents can never" not in call.out


def test_more_nights_count_as_more_documents_and_one_baseline_as_twice_at_most(minizoo, suite):
    words = ("power", "--detect", "1pp", "--suite", suite, "--discordant", "0.1", "--limit", "2000", "--json")
    one, three = (_level(minizoo(*words, "--nights", nights).json(), "hellaswag", 1) for nights in ("1", "3"))
    assert three["paired"]["0.1"] == paired_power(6000, 0.1, 0.01, PLAIN) > one["paired"]["0.1"]
    needs = paired_needed(0.1, 0.01, PLAIN, 0.8)
    assert one["nights"] == -(-needs // 2000) > 2
    assert one["nights_of_one_baseline"] is None


@pytest.mark.parametrize("words", ["1", "0", "1%", "-1pp", "one", "100pp", "nan"])
def test_what_is_no_loss_is_refused_with_what_to_write(minizoo, words):
    call = minizoo("power", f"--detect={words}")
    assert call.code == 2
    assert "pp" in call.err


@pytest.mark.parametrize(("words", "loss"), [("1pp", 0.01), ("0.01", 0.01), ("0.5pp", 0.005), (" .5 PP ", 0.005)])
def test_points_and_shares_are_the_same_loss(words, loss):
    from minizoo.commands.power import loss_of

    assert loss_of(words) == pytest.approx(loss)


def test_a_measured_rate_takes_the_place_of_the_assumed_one(minizoo, suite, noise_file):
    told = minizoo(
        "power", "--detect", "1pp", "--suite", suite, "--noise", noise_file("hellaswag", 0.003), "--json"
    ).json()
    level = _level(told, "hellaswag", 1)
    assert level["measured"] == paired_power(10042, 0.01, 0.01, PLAIN)  # a loss changes as much as it is large
    assert level["needs"] == paired_needed(0.01, 0.01, PLAIN, 0.8)


def test_a_suite_whose_sizes_nobody_published_is_counted_and_a_perplexity_has_no_points(minizoo):
    told = minizoo("power", "--detect", "2pp", "--suite", "nano", "--json").json()
    rows = {row["task"]: row for row in told["tasks"]}
    assert (rows["nano_words"]["total"], rows["nano_words"]["basis"]) == (320, "the data")
    assert rows["nano_prose"]["levels"] == []
    assert rows["nano_code"]["real"]
    assert not rows["nano_words"]["real"]
