"""Verdicts in words: what was found, what it is measured by, and what would have told more."""

from __future__ import annotations

from collections.abc import Collection

from harness.gates.decision import Answers, Status
from harness.gates.outcome import Findings, Numbers


def reason(found: Findings, answers: Answers, status: Status, alarms: Collection[str], total: int | None) -> str:
    """Why a row has its status. `total`: how many documents there are in all, None where there is no end of them."""
    if status == "REGRESSED":
        told = _regressed(found, answers, alarms)
    elif status == "PASS":
        told = _passed(found, answers)
    else:
        told = [_underpowered(found, answers), _needs(found, total)]
    return "; ".join(dict.fromkeys([*told, *found.notes]))


def is_better(numbers: Numbers) -> bool:
    """Whether the interval lies wholly on the better side of no difference."""
    if numbers.lower is None or numbers.upper is None:
        return False
    return numbers.lower > 0 if numbers.higher_is_better else numbers.upper < 0


def _regressed(found: Findings, answers: Answers, alarms: Collection[str]) -> list[str]:
    """Each test that found a loss in a clause."""
    numbers, told = found.numbers, list[str]()
    if "accuracy" in alarms:
        lost = "" if numbers.lost is None else f"lost {numbers.lost:,} and gained {numbers.gained:,} of {numbers.n:,}, "
        told.append(f"worse: {lost}adjusted p = {numbers.detect_adjusted:.2g}")
    if "speed" in alarms:
        told.append(f"slower, adjusted p = {numbers.detect_adjusted:.2g}")
    if "gold" in alarms and (gold := numbers.gold):
        told.append(
            f"{gold.what} changed by {gold.difference:+.3g} nats, and {gold.margin:g} may be lost, "
            f"adjusted p = {gold.p_adjusted:.2g}"
        )
    if "release" in alarms:
        told.append(f"the loss is larger than the margin of {found.margin}, adjusted p = {numbers.breach_adjusted:.2g}")
    elif answers.release == "within":
        told.append(f"within the margin of {found.margin}, and a loss all the same")
    return told


def _passed(found: Findings, answers: Answers) -> list[str]:
    told = ["better"] if is_better(found.numbers) else []
    if answers.release == "within":
        return [*told, f"no loss beyond the margin of {found.margin}"]
    return told or [f"no loss found, and one of {found.margin} would have been"]


def _underpowered(found: Findings, answers: Answers) -> str:
    if found.numbers.margin <= 0:
        return f"a margin of {found.margin} is none, as the reference scores {found.numbers.reference:g}"
    if answers.release is not None:
        return f"the loss may be smaller or larger than the margin of {found.margin}"
    return f"no loss found, but one of {found.margin} could have been missed"


def _needs(found: Findings, total: int | None) -> str:
    numbers = found.numbers
    needs = numbers.needs
    if needs is None:
        return f"how many {found.unit} would tell is not known"
    if needs <= numbers.n:
        return (
            f"its {numbers.n:,} {found.unit} would tell a loss of the margin from none, so the loss is near the margin"
        )
    if total is not None and needs > total:
        return f"needs {needs:,} {found.unit}, and there are {total:,} in all: it cannot be told, whatever is run"
    return f"needs {needs:,} {found.unit}, not {numbers.n:,}"
