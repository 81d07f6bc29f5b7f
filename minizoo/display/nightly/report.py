"""The report of a night on disk: a table, the gate's Markdown, JUnit's XML and the site."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

from minizoo import __version__
from minizoo.display.gate.markdown import summary
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
    with contextlib.redirect_stdout(told):
        show_outcome(Output(), night, outcome)
        if gate is not None:
            Output().text()
            show_gate(Output(), gate)
    markdown = outcome_markdown(night, outcome) + ("\n" + summary(gate) if gate is not None else "")
    for name, content in (
        ("table.txt", told.getvalue().encode()),
        ("gate.md", markdown.encode()),
        ("gate.xml", junit(outcome, gate)),
    ):
        write_atomically(folder.report / name, content)


def write_site(folder: NightFolder) -> None:
    """The site of all results, in the night's report folder. Raises what publishing does."""
    from reports.publish import publish

    publish(folder.results, folder.report / "site", __version__)
