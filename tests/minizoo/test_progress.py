"""Long waits are told on stderr: off a terminal by a plain line now and then, also of what says nothing itself."""

import time
from types import SimpleNamespace

import pytest
from support.speed_fakes import QUICK
from support.terminal import on_terminal

from backends.contract import GenerateRequest, ScoreRequest
from minizoo.display.progress import EvalProgress, StepBar
from minizoo.display.scale import duration
from minizoo.display.steps import VARIABLE, Step


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setenv(VARIABLE, "0.02")


def lines_of(capsys):
    return capsys.readouterr().err.splitlines()


def until(lines, capsys, enough):
    """All lines, read until there are enough of them."""
    began = time.monotonic()
    while len(lines) < enough and time.monotonic() - began < 20:
        time.sleep(0.01)
        lines += lines_of(capsys)
    return lines


def test_a_step_that_says_nothing_itself_is_told_again_and_again(often, capsys):
    with StepBar(quiet=False) as progress:
        progress.show("loading the model", 0, 0)
        lines = until([], capsys, 3)
        progress.end("loading the model")
    lines += lines_of(capsys)
    assert all(line.startswith("loading the model: ") for line in lines)
    assert lines[-1].startswith("loading the model: done in ")


def test_with_json_a_wait_is_told_too_and_on_stderr(often, capsys):
    with StepBar(quiet=True) as progress:
        progress("scoring layers", 3, 40)
        assert until([], capsys, 1)[0].startswith("scoring layers: 3 of 40, ")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("seconds", ["30", "0", "nonsense"])
def test_what_is_over_soon_needs_no_line_and_0_tells_nothing(monkeypatch, capsys, seconds):
    monkeypatch.setenv(VARIABLE, seconds)
    with StepBar(quiet=False) as progress:
        for done in range(41):
            progress("scoring layers", done, 40)
    assert capsys.readouterr().err == ""


FAR = [
    (Step("x", 120_000, "tokens", 0.0, 41_000), "41,000 of 120,000 tokens, 410 tokens/s, 3 min 13 s left"),
    (Step("x", 16_000_000_000, "B", 0.0, 4_000_000_000, 3_000_000_000), "4.00 GB of 16.0 GB, 10.0 MB/s, 20 min left"),
    (Step("x", 40, "layers", 0.0, 10), "10 of 40 layers, 5 min 00 s left"),
    (Step("x", 40, "", 0.0), "0 of 40, 1 min 40 s so far"),
    (Step("x", 0, "", 0.0), "1 min 40 s so far"),
    (Step("x", 0, "B", 0.0, 5_000), "5.00 kB, 50.0 B/s, 1 min 40 s so far"),
    (Step("x", 40, "", 0.0, 40), "40 of 40, 1 min 40 s so far"),
]


@pytest.mark.parametrize(("step", "words"), FAR)
def test_amount_rate_and_time_left_are_told_in_the_units_of_the_step(step, words):
    assert step.told(100.0) == words


def test_waits_are_told_in_two_units_at_most():
    told = [duration(seconds) for seconds in (0, 59.6, 200, 599, 601, 3599, 4800, 172_800, 190_000)]
    assert told == [
        "0 s",
        "1 min 00 s",
        "3 min 20 s",
        "9 min 59 s",
        "10 min",
        "60 min",
        "1 h 20 min",
        "2 d 0 h",
        "2 d 4 h",
    ]


def unit(request):
    return SimpleNamespace(request=request, tokens=len(request.prompt) if hasattr(request, "prompt") else 10)


def test_an_evaluation_tells_its_phases_and_what_an_interrupted_run_left_is_no_rate(often, capsys):
    score, generation = ScoreRequest((1, 2), (3,)), GenerateRequest((1,) * 100, max_new_tokens=5)
    plans = [SimpleNamespace(units=[unit(score)] * 4 + [unit(generation)] * 2)]
    with EvalProgress(quiet=True) as progress:
        progress.begins("preparing")
        progress.planned(plans)
        progress.begins("loading the model")
        progress.answered(unit(score), computed=False)
        progress.begins("scoring")
        assert progress._steps["scoring"].given == 10
        progress.answered(unit(score), computed=True)
        lines = until([], capsys, 1)
        progress.begins("generating")
        lines = until(lines, capsys, len(lines) + 3)
    assert any(line.startswith("scoring: 20 of 40 tokens, ") for line in lines)
    assert any(line.startswith("generating: 0 of 200 tokens, ") for line in lines)


def test_a_bench_tells_each_point_its_warm_up_and_its_trials(bench, fake, often):
    fake(prefill=lambda n: time.sleep(0.05) or 0.5)
    ran = bench(*QUICK)
    assert ran.code == 0
    assert "128x128.b1 …\n" in ran.err
    assert "warm-up trials at most" in ran.err
    assert "128x128.b1: settled after 3 warm-up trials\n" in ran.err
    assert "128x128.b1: 6 trials measured\n" in ran.err
    assert any(" of 6 trials, " in line for line in ran.err.splitlines())


BARS = """
import time
from minizoo.display.progress import StepBar
with StepBar(False, "B") as progress:
    for done in range(11):
        progress("fetching [red]model\\x1b[31m", done * 10**8, 10**9)
        time.sleep(0.02)
"""


def test_on_a_terminal_a_step_is_a_bar_that_fits_into_its_line():
    lines = on_terminal(60, code=BARS)
    drawn = [piece for line in lines for piece in line.split("\r") if "fetching" in piece]
    assert "fetching [red" in drawn[-1]
    assert "━" in drawn[-1]
    assert "1.00 GB" in drawn[-1]
    assert max(map(len, drawn)) <= 60
