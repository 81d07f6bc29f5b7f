"""A night as JUnit's XML: the gate's cases, a case a job, a case a finding that decides."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from minizoo.display.gate.junit import FORBIDDEN
from minizoo.display.gate.junit import junit as of_gate

if TYPE_CHECKING:
    from harness.gates.outcome import GateOutcome
    from harness.records.night import JobOutcome, NightOutcome

TAGS = {"regressed": "failure", "platform": "failure", "infra": "error", "undecided": "skipped"}
"""Kind of a finding → what its case is; one that decides nothing has none."""


def junit(outcome: NightOutcome, gate: GateOutcome | None) -> bytes:
    """The document in UTF-8: beside the gate's suite one of the jobs, where what failed for want of surroundings is an `error`,
    what did not run is `skipped`, and a regression or a machine that changed is a `failure`."""
    root = ET.fromstring(of_gate(gate)) if gate is not None else ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite", name=_legal(f"minizoo nightly {outcome.plan}"))
    for job in outcome.jobs:
        _job(suite, job)
    gated = {row.pair.model for row in gate.verdicts} if gate is not None else set[str]()
    for number, finding in enumerate(outcome.findings, 1):
        if finding.kind == "regressed" and any(model in finding.text for model in gated):
            continue  # the gate's own case says it
        if tag := TAGS.get(finding.kind):
            case = ET.SubElement(suite, "testcase", classname=_legal(finding.about), name=f"{finding.kind} {number}")
            ET.SubElement(case, tag, message=_legal(finding.text)).text = _legal(finding.text)
    for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(kind, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _job(suite: ET.Element, job: JobOutcome) -> None:
    seconds = sum(attempt.seconds for attempt in job.attempts)
    case = ET.SubElement(suite, "testcase", classname="job", name=_legal(job.job), time=f"{seconds:.1f}")
    tag = {"done": None, "failed": "error", "infra_failed": "error"}.get(job.status, "skipped")
    told = "\n".join(
        f"attempt {one.number} on {one.host}: {one.code or 'done'} in {one.seconds:.0f} s" for one in job.attempts
    )
    if tag is None:
        ET.SubElement(case, "system-out").text = _legal(told)
    else:
        message = f"{job.status}: {job.text or job.code or 'no reason is known'}"
        ET.SubElement(case, tag, message=_legal(message)).text = _legal(told)


def _legal(text: str) -> str:
    """The text without what XML cannot hold."""
    return FORBIDDEN.sub("", text)
