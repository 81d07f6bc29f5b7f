"""What a night shows in the morning: a row a job, what its reader must know, the verdict last; and the same as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from minizoo.display.compare.render import escaped, prose
from minizoo.display.nightly.plan import shown
from minizoo.display.scale import duration
from minizoo.output import Column, Output

if TYPE_CHECKING:
    from harness.records.night import Finding, Job, JobOutcome, Night, NightOutcome

ABSENT = "–"
ORDER = ("failed", "infra_failed", "interrupted", "not_begun", "done")
"""The gravest first."""
STATUS = {
    "done": "done", "failed": "FAILED", "infra_failed": "INFRA FAILED", "interrupted": "interrupted",
    "not_begun": "not begun",
}  # fmt: skip
KINDS = ("regressed", "platform", "infra", "undecided", "told")
VERDICTS = {
    0: "passed",
    1: "REGRESSED, or the platform moved",
    2: "nothing ran: the request is wrong",
    3: "undecided, or nothing compared",
    4: "jobs failed by their surroundings",
    70: "a fault of minizoo's own",
    130: "interrupted",
}
"""Exit code → what it says of a night."""


def show_outcome(output: Output, night: Night, outcome: NightOutcome) -> None:
    """The table, the findings, the errors of jobs, the verdict last."""
    output.table(_columns(), _rows(night, outcome), _title(outcome))
    for line in tail(outcome):
        output.text(line)


def outcome_markdown(night: Night, outcome: NightOutcome) -> str:
    """The same as GitHub's Markdown: the verdict first, then what must be seen, then a table of the jobs."""
    columns = [column.heading for column in _columns()]
    told = [f"- {prose(_sentence(one))}" for one in findings(outcome)]
    errors = [f"- {escaped(one.job)}: {prose(one.text)}" for one in outcome.jobs if one.status != "done" and one.text]
    lines = [f"## {prose(_capital(verdict(outcome)))}", "", f"{escaped(_title(outcome))}.", ""]
    lines += [*told, *([""] if told else []), *errors, *([""] if errors else [])]
    lines += [_line(columns), f"|{'|'.join(['---'] * len(columns))}|"]
    return "\n".join([*lines, *(_line(map(escaped, row)) for row in _rows(night, outcome))]) + "\n"


def tail(outcome: NightOutcome) -> Iterator[str]:
    """What is said below the table: findings, the gravest first, then the errors of jobs, then the verdict."""
    for finding in findings(outcome):
        yield _sentence(finding)
    for job in outcome.jobs:
        if job.status != "done" and job.text:
            yield f"{job.job}: {job.text}"
    yield f"Night {outcome.id}: {verdict(outcome)}."


def findings(outcome: NightOutcome) -> list[Finding]:
    """The gravest first."""
    return sorted(outcome.findings, key=lambda one: KINDS.index(one.kind))


def verdict(outcome: NightOutcome) -> str:
    """In words, with the exit code and how many jobs there were."""
    done = sum(job.status == "done" for job in outcome.jobs)
    took = duration((outcome.ended_at - outcome.started_at).total_seconds())
    said = VERDICTS.get(outcome.exit_code, "ended")
    return f"{said} (exit code {outcome.exit_code}); {done} of {len(outcome.jobs)} jobs done in {took}"


def _title(outcome: NightOutcome) -> str:
    return f"Plan {outcome.plan}, night of {outcome.started_at:%Y-%m-%d %H:%M} UTC"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(finding: Finding) -> str:
    mark = {"regressed": "REGRESSED ", "platform": "PLATFORM ", "infra": "INFRA ", "undecided": "Undecided: "}
    return f"{mark.get(finding.kind, '')}{finding.text}"


def _columns() -> list[Column]:
    columns = [Column("status", importance=9), Column("job", importance=9), Column("model", importance=5)]
    columns += [Column("on", importance=4), Column("attempts", True, 4), Column("took", True, 6)]
    return [*columns, Column("host", importance=3), Column("accelerator", importance=3), Column("why", importance=8)]


def _rows(night: Night, outcome: NightOutcome) -> list[Sequence[str]]:
    from harness.fleet.night.files import recheck

    jobs = {one.id: one for job in night.jobs for one in (job, recheck(job))}
    ordered = sorted(outcome.jobs, key=lambda one: ORDER.index(one.status))
    return [_row(jobs.get(one.job), one) for one in ordered]


def _row(job: Job | None, one: JobOutcome) -> list[str]:
    last = one.attempts[-1] if one.attempts else None
    took = duration(sum(attempt.seconds for attempt in one.attempts)) if one.attempts else ABSENT
    return [
        STATUS[one.status],
        one.job,
        shown(job) if job else ABSENT,
        (job.suite or job.workload or ABSENT) if job else ABSENT,
        str(len(one.attempts)),
        took,
        last.host if last else ABSENT,
        (last.accelerator or "cpu") if last else ABSENT,
        one.code or "",
    ]
