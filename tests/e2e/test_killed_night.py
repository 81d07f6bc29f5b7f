"""A short plan's night, killed three times at random moments, ends as one that nobody disturbed."""

import random

from support.killed_nights import killed_night, undisturbed

SUITE = """\
name: short
description: Two tasks of the nano suite.
folders: [harness/tasks/nano]
tasks: [{task: nano_endings}, {task: nano_prose}]
"""
PLAN = """\
schema: minizoo.nightly/1
name: short
models: [nano-teacher]
suites: {suite: short.yaml, limit: 10}
deadline: 1h
"""
KILLS = 3


def test_a_night_killed_three_times_ends_in_the_same_complete_results(tmp_path):
    (tmp_path / "short.yaml").write_text(SUITE)
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    reference = tmp_path / "undisturbed"
    code, seconds = undisturbed(plan, reference)
    assert code == 0, (tmp_path / "undisturbed.log").read_text()
    draw, kills, nights = random.Random(25), 0, []
    while kills < KILLS:
        nights.append(killed_night(plan, tmp_path / f"killed-{len(nights)}", reference, KILLS - kills, seconds, draw))
        kills += len(nights[-1].moments)
    assert [night.different for night in nights] == [[]] * len(nights)
    assert [night.orphans for night in nights] == [[]] * len(nights)
    assert {night.exit_code for night in nights} == {code}
