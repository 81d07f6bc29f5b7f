"""The report of a night on disk: a table, Markdown, JUnit's XML and the site."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

from minizoo import __version__
from minizoo.display.gate.markdown import LIMIT, summary
from minizoo.display.gate.terminal import show_gate
from minizoo.display.nightly.junit import junit
from minizoo.display.nightly.outcome import outcome_markdown, show_outcome
from minizoo.output import Output
from zoo.files import write_atomically

if TYPE_CHECKING:
    from harness.fleet.folders import NightFolder
    from harness.gates.outcome import GateOutcome
    from harness.records.night import Night, NightOutcome


def write_report(folder: NightFolder, night: Night, outcome: NightOutcome, gate: GateOutcome | None) -> None:
    """table.txt, gate.md and gate.xml in the night's report folder. Raises OSError as the system does."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told):  # off a terminal a table has all of its columns
        show_outcome(Output(), night, outcome)
        if gate is not None:
            Output().text()
            show_gate(Output(), gate)
    head = outcome_markdown(night, outcome)
    room = LIMIT - len(head.encode("utf-8", "replace")) - 1
    markdown = head if gate is None else f"{head}\n{summary(gate, room)}"
    for name, content in (("table.txt", told.getvalue()), ("gate.md", markdown)):
        write_atomically(folder.report / name, content.encode("utf-8", "replace"))
    write_atomically(folder.report / "gate.xml", junit(outcome, gate))


def write_site(folder: NightFolder) -> None:
    """The site of all results, in the night's report folder. Raises what publishing does."""
    from reports.publish import publish

    publish(folder.results, folder.report / "site", __version__)
