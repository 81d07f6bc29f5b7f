"""A policy file: what is wrong with one is said in a paragraph with file, line and column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gates.loading import Known, check_names, load_policy, policy_names
from harness.gates.margins import Margin
from harness.suites.suite import load_suite
from zoo.errors import FileMissing, InvalidPolicy, UnknownName

HEAD = "name: mine\nalpha: {accuracy: 0.005, gold: 0.0015, speed: 0.0015}\n"
ENTRY = "accuracy:\n  - {task: nano_words, tier: critical, ask: [detect, release], margin: 1pp}\n"
MUTE = "mute:\n  - {task: nano_words, owner: anna, reason: known, until: 2026-12-24}\n"
KNOWN = Known(workloads=frozenset({"chat"}))


@pytest.fixture
def load(tmp_path):
    """Load a policy of that text, its names checked."""

    def call(text):
        path = tmp_path / "gate.yaml"
        path.write_text(text, "utf-8")
        file = load_policy(str(path))
        check_names(file, KNOWN)
        return file.policy

    return call


def entry(**changes):
    fields = {"task": "nano_words", "tier": "critical", "ask": "[release]", "margin": "1pp"} | changes
    return HEAD + "accuracy:\n  - {" + ", ".join(f"{k}: {v}" for k, v in fields.items() if v is not None) + "}\n"


def speed(**changes):
    fields = {"workload": "chat", "tier": "supporting", "ask": "[detect]"} | changes
    return HEAD + "speed:\n  - {" + ", ".join(f"{k}: {v}" for k, v in fields.items()) + "}\n"


BAD = {
    "an empty file": ("", 1, "empty"),
    "a list": ("- 1\n", 1, "mapping"),
    "no entry at all": (HEAD, 1, "asks nothing"),
    "not YAML": (HEAD + "accuracy: [", 3, "not YAML"),
    "a key twice": (HEAD + ENTRY + "name: again\n", 5, "twice"),
    "an unknown key": (entry(marign="1pp", margin=None), 4, "Did you mean 'margin'?"),
    "an unknown tier": (entry(tier="critcal"), 4, "Did you mean 'critical'?"),
    "an unknown question": (entry(ask="[relase]"), 4, "Did you mean 'release'?"),
    "an entry that asks nothing": (entry(ask="[]"), 4, "asks nothing"),
    "a question twice": (entry(ask="[detect, detect]"), 4, "stands twice"),
    "no margin": (entry(margin=None), 4, "'margin' is missing"),
    "a margin of which per cent": (entry(margin="1 %"), 4, "write `1pp` or `{relative: 1%}`"),
    "a margin in words": (entry(margin="small"), 4, "'small' is no margin"),
    "a margin of 0": (entry(margin="0"), 4, "greater than 0"),
    "a margin both ways": (entry(margin="{relative: 1%, absolute: 0.1}"), 4, "either absolute or relative"),
    "a gold margin without detect": (entry(gold_margin="0.01"), 4, "gold_margin is of detect"),
    "alphas above a half": (HEAD.replace("0.005", "0.5") + ENTRY, 2, "make 0.503 in all"),
    "an alpha of 0": (HEAD.replace("0.005", "0") + ENTRY, 2, "greater than 0"),
    "a mute without owner": (HEAD + ENTRY + MUTE.replace("owner: anna, ", ""), 6, "'owner' is missing"),
    "a mute without reason": (HEAD + ENTRY + MUTE.replace("reason: known, ", ""), 6, "'reason' is missing"),
    "a mute without end": (HEAD + ENTRY + MUTE.replace(", until: 2026-12-24", ""), 6, "'until' is missing"),
    "a day that there is not": (HEAD + ENTRY + MUTE.replace("12-24", "13-24"), 6, "month must be in 1..12"),
    "a day in words": (HEAD + ENTRY + MUTE.replace("2026-12-24", "soon"), 6, "valid date"),
    "an unknown task": (entry(task="nano_word"), 4, "Did you mean 'nano_words'?"),
    "a pattern of no task": (entry(task="'nanp_*'"), 4, "there is no task 'nanp_*'"),
    "an unknown metric": (entry(metric="acc_nrom"), 4, "Did you mean 'acc_norm'?"),
    "an unknown workload": (speed(workload="caht"), 4, "Did you mean 'chat'?"),
    "an unknown speed metric": (speed(metric="outptu_rate"), 4, "Did you mean 'output_rate'?"),
    "a newer schema": (HEAD + "schema: minizoo.policy/2\n" + ENTRY, 3, "minizoo.policy/1"),
    "one imported file": (speed(accept="imported", files=1), 4, "greater than or equal to 2"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_named_with_its_line(load, case):
    text, line, words = BAD[case]
    with pytest.raises(InvalidPolicy) as error:
        load(text)
    told = str(error.value)
    assert f"gate.yaml:{line}:" in told
    assert words in told
    assert "\n" not in told


def test_a_name_that_there_is_not_is_told_with_those_that_there_are(tmp_path):
    with pytest.raises(UnknownName, match=r"Did you mean 'nightly'\? Policies are: nightly, release, research"):
        load_policy("nigthly")
    with pytest.raises(FileMissing, match=r"none\.yaml"):
        load_policy(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("written", "absolute", "relative"),
    [("0.5pp", 0.005, None), ("2 pp", 0.02, None), ("0.005", 0.005, None), ("{absolute: 1pp}", 0.01, None),
     ("{relative: 0.01}", None, 0.01), ("{relative: 1 %}", None, 0.01)],
)  # fmt: skip
def test_margins_are_read_as_people_write_them(load, written, absolute, relative):
    margin = load(entry(margin=written)).accuracy[0].margin
    assert (margin.absolute, margin.relative) == (pytest.approx(absolute), pytest.approx(relative))


@given(st.floats(1e-6, 0.999), st.floats(-100, 100))
def test_a_relative_margin_is_a_share_of_the_references_score(share, reference):
    assert Margin(relative=share).of(reference) == pytest.approx(share * abs(reference))


def test_a_question_in_one_word_and_shares_with_a_sign(load):
    policy = load(speed(ask="detect", max_slowdown="5 %"))
    assert (policy.speed[0].ask, policy.speed[0].max_slowdown) == (("detect",), pytest.approx(0.05))


@pytest.mark.parametrize("name", policy_names())
def test_a_shipped_policy_asks_about_the_nano_suite_and_the_papers(name):
    file = load_policy(name)
    check_names(file, KNOWN)
    asked = {entry.task for entry in file.policy.accuracy}
    for suite in ("nano", "paper"):
        tasks = {entry.task.removesuffix("_0shot") for entry in load_suite(suite).tasks}
        assert tasks <= {task.removesuffix("*").removesuffix("_0shot") for task in asked}
    assert all(not entry.is_required for entry in file.policy.accuracy)


def test_the_shipped_policies_are_what_their_names_say():
    nightly, release, research = (load_policy(name).policy for name in ("nightly", "release", "research"))
    assert {entry.ask for entry in nightly.accuracy} == {("detect", "release")}
    assert {entry.ask for entry in (*release.accuracy, *research.accuracy)} == {("release",)}
    assert {entry.tier for entry in release.accuracy if entry.task in ("humaneval", "mbpp_0shot")} == {"advisory"}
    assert {research.underpowered.critical, research.underpowered.supporting} == {"warn"}
    assert nightly.alpha.total == pytest.approx(0.008)
