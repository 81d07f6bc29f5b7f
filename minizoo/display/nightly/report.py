"""The report of a night on disk: a table, the gate's Markdown, JUnit's XML and the site."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from typing import TYPE_CHECKING

from minizoo import __version__
from minizoo.display.compare.render import escaped, prose
from minizoo.display.gate.markdown import LIMIT, summary
from minizoo.display.gate.terminal import show_gate
from minizoo.display.nightly.junit import junit
from minizoo.display.nightly.outcome import table
from minizoo.output import Output
from zoo.files import write_atomically

if TYPE_CHECKING:
    from harness.fleet.folders import NightFolder
    from harness.gates.outcome import GateOutcome
    from harness.records.night import Night, NightOutcome

LONGEST, MOST = 600, 100
"""Characters of a finding, and findings, in the Markdown."""


def write_report(folder: NightFolder, night: Night, outcome: NightOutcome, gate: GateOutcome | None) -> None:
    """table.txt, gate.md and gate.xml in the night's report folder. Raises OSError as the system does."""
    told = io.StringIO(table(night, outcome))
    told.seek(0, io.SEEK_END)
    if gate is not None:
        with contextlib.redirect_stdout(told):
            Output().text()
            show_gate(Output(), gate)
    for name, content in (
        ("table.txt", told.getvalue().encode("utf-8", "replace")),
        ("gate.md", _markdown(outcome, gate).encode("utf-8", "replace")),
        ("gate.xml", junit(outcome, gate)),
    ):
        write_atomically(folder.report / name, content)


def write_site(folder: NightFolder) -> None:
    """The site of all results, in the night's report folder. Raises what publishing does."""
    from reports.publish import publish

    publish(folder.results, folder.report / "site", __version__)


def _markdown(outcome: NightOutcome, gate: GateOutcome | None) -> str:
    """The night for $GITHUB_STEP_SUMMARY: its verdict and what must be known, then the gate's table; within GitHub's limit."""
    jobs = ", ".join(f"{count} {status}" for status, count in Counter(job.status for job in outcome.jobs).items())
    lines = [f"## Night {escaped(outcome.plan)}: exit code {outcome.exit_code}", "", f"Jobs: {jobs or 'none'}.", ""]
    lines += [f"- **{one.kind}** {escaped(one.about)}: {prose(one.text[:LONGEST])}" for one in outcome.findings[:MOST]]
    more = len(outcome.findings) - MOST
    lines += [f"- and {more:,} more, in table.txt"] if more > 0 else []
    head = "\n".join([*lines, ""])
    return head + ("\n" + summary(gate, LIMIT - len(head.encode()) - 1) if gate is not None else "")
