"""A gate's verdicts as JUnit's XML, a test case a verdict, which every CI shows; never a case that says less than the table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from minizoo.display.gate.cells import (
    difference_cells,
    flip_cells,
    gold_cells,
    interval_words,
    metric_words,
    p_cells,
    score_cells,
)

if TYPE_CHECKING:
    from harness.gates.outcome import GateOutcome, Verdict

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write (2.2, Char)."""


def junit(outcome: GateOutcome) -> bytes:
    """The document in UTF-8: `failure` is a regression that fails the gate, `error` what could not be told where that fails it,
    `skipped` what is told and fails nothing. Where the gate fails for want of anything compared, a case of its own says so."""
    suite = ET.Element("testsuite", name=_legal(f"minizoo gate {outcome.policy.name}"))
    for verdict in outcome.verdicts:
        _case(suite, outcome, verdict)
    if outcome.word == "NOTHING COMPARED" and not suite.findall("testcase/error"):
        case = ET.SubElement(suite, "testcase", classname="gate", name="anything compared")
        _outcome(case, "error", outcome.headline, outcome.headline)
    for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(kind, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _case(suite: ET.Element, outcome: GateOutcome, verdict: Verdict) -> None:
    owner = _legal(f"{verdict.pair.model} against {verdict.pair.against}")
    case = ET.SubElement(suite, "testcase", classname=owner, name=_legal(f"{verdict.task} {metric_words(verdict)}"))
    numbers = _numbers(outcome, verdict)
    if tag := _tag(outcome, verdict):
        _outcome(case, tag, f"{verdict.status}: {verdict.reason}", numbers)
    else:
        ET.SubElement(case, "system-out").text = _legal(f"{verdict.status}: {verdict.reason}\n{numbers}")


def _tag(outcome: GateOutcome, verdict: Verdict) -> str | None:
    if verdict.status == "PASS":
        return None
    if verdict.status == "REGRESSED":
        return "skipped" if verdict.tier == "advisory" else "failure"
    if verdict.status == "MUTED":
        return "skipped"
    return "error" if outcome.policy.underpowered.fails(verdict.tier) else "skipped"


def _outcome(case: ET.Element, tag: str, message: str, text: str) -> None:
    ET.SubElement(case, tag, message=_legal(message)).text = _legal(text)


def _numbers(outcome: GateOutcome, verdict: Verdict) -> str:
    """Every number of the verdict, a line each."""
    numbers = verdict.numbers
    told = [
        f"tier {verdict.tier}, asked {' and '.join(verdict.ask)}",
        f"entry {verdict.where}" if verdict.where else "",
    ]
    if numbers is not None:
        names = ["n", "reference", "candidate", "difference", interval_words(outcome), "margin", "lost", "gained", "p"]
        names += ["p adjusted", "Δ log p", "its interval", "its p adjusted"]
        cells = [*score_cells(verdict), *difference_cells(verdict), *flip_cells(numbers), *p_cells(verdict)]
        told += [f"{name}: {cell}" for name, cell in zip(names, [*cells, *gold_cells(numbers)], strict=True)]
        told.append(f"test: {numbers.test}")
    return "\n".join(line for line in told if line)


def _legal(text: str) -> str:
    """The text without what XML cannot hold."""
    return FORBIDDEN.sub("", text)
