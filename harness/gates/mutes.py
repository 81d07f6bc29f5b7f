"""Known regressions: muted until a day, by somebody who answers for them; a mute that ended or speaks of nothing is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from harness.gates.outcome import Verdict
from harness.gates.policy import Mute, Policy


def muted(policy: Policy, verdicts: Sequence[Verdict], today: date) -> tuple[list[Verdict], list[str]]:
    """The verdicts with those REGRESSED that a mute covers as MUTED, and what is to be said of the mutes themselves."""
    return [_muted(policy.mute, one, today) for one in verdicts], [
        told for mute in policy.mute if (told := _idle(mute, verdicts))
    ]


def _muted(mutes: Sequence[Mute], verdict: Verdict, today: date) -> Verdict:
    covering = [mute for mute in mutes if mute.covers(verdict.pair.model, verdict.task)]
    if verdict.status != "REGRESSED" or not covering:
        return verdict
    mute = max(covering, key=lambda mute: mute.until)
    if mute.until < today:
        told = f"{mute.owner}'s mute of it ended on {mute.until} ({mute.reason})"
        return replace(verdict, reason=f"{verdict.reason}; {told}", mute=mute)
    told = f"muted by {mute.owner} until {mute.until}: {mute.reason}"
    return replace(verdict, status="MUTED", reason=f"{told}; {verdict.reason}", mute=mute)


def _idle(mute: Mute, verdicts: Sequence[Verdict]) -> str | None:
    """What to say of a mute that mutes nothing; None of one that does, or did until it ended."""
    covered = [one for one in verdicts if mute.covers(one.pair.model, one.task)]
    named = f"The mute of {mute.task} ({mute.model}) by {mute.owner}"
    if not covered:
        return f"{named} matches nothing in the plan."
    if all(one.status == "PASS" for one in covered):
        return f"{named} is no longer needed: all that it covers pass."
    return None
