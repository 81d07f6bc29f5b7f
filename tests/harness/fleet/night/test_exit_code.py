"""From what a night found to its exit code: what regressed is never hidden behind what broke."""

from datetime import UTC, datetime

import pytest

from harness.fleet.night.exit_code import exit_code
from harness.records.night import Attempt, Finding, JobOutcome

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def outcome(status, step_code=None):
    attempt = Attempt(number=1, started_at=NOW, ended_at=NOW, seconds=1, host="h", exit_code=step_code)
    return JobOutcome(job="j", status=status, attempts=(attempt,))


@pytest.mark.parametrize(
    ("outcomes", "kinds", "code"),
    [
        ([("done", 0)], [], 0),
        ([("done", 0)], ["told"], 0),
        ([("done", 3)], ["undecided"], 3),
        ([("not_begun", None)], [], 3),
        ([("interrupted", None), ("infra_failed", 4)], [], 4),
        ([("failed", 2)], [], 4),
        ([("done", 0)], ["infra"], 4),
        ([("infra_failed", 4)], ["regressed"], 1),
        ([("not_begun", None)], ["platform"], 1),
        ([("failed", 70)], ["regressed"], 70),
    ],
)
def test_the_worst_counts_and_a_regression_stands_before_what_broke(outcomes, kinds, code):
    findings = [Finding(kind=kind, about="j", text="t") for kind in kinds]
    assert exit_code([outcome(*one) for one in outcomes], findings, None) == code
