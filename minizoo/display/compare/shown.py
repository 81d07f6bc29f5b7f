"""All that one `minizoo compare` tells, in the form that is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from minizoo.display.compare.divergence import axes_blocks, divergence_blocks
from minizoo.display.compare.document import (
    comparison_document,
    flips_document,
    plain,
    speed_document,
    split_document,
)
from minizoo.display.compare.render import markdown as as_markdown
from minizoo.display.compare.render import show_blocks
from minizoo.output import Output, note
from reports.compare.blocks import Block, comparison_blocks, speed_block, split_block
from reports.compare.flips import flips_blocks

if TYPE_CHECKING:
    from harness.compare.comparison import Comparison
    from harness.compare.factors import Split
    from harness.compare.sides.speed_ratios import SpeedRatio
    from harness.divergence.axis_loss import AxisLosses
    from harness.divergence.figures import Divergence


@dataclass(frozen=True)
class Shown:
    """All that one call compares."""

    a: str
    b: str
    comparison: Comparison | None = None
    speed: tuple[SpeedRatio, ...] = ()
    split: Split | None = None
    flips: int | None = None
    divergence: Divergence | None = None
    axes: AxisLosses | None = None

    @property
    def exit_code(self) -> int:
        """3 where a task was refused, or nothing at all was compared."""
        found = self.comparison
        if found is not None and (found.compared or found.refused_tasks):
            return found.exit_code
        return 0 if self.speed or self.divergence or self.axes else 3

    def show(self, output: Output, markdown: bool) -> None:
        """In the form that is asked for."""
        if output.as_json:
            for told in self._notes():
                note(f"{told}.")
            output.document("compare", self.document())
        elif markdown:
            output.text(as_markdown(self.blocks()).rstrip("\n"))
        else:
            show_blocks(output, self.blocks())
        if self.comparison and not self.comparison.rows and not self.speed:
            note("Nothing was compared: the two have no task in common.")

    def blocks(self) -> Iterator[Block]:
        """Tables and lines, in the order in which they are read."""
        if self.comparison:
            yield from comparison_blocks(self.comparison)
            if self.split:
                yield split_block(self.split)
            if self.flips:
                yield from flips_blocks(self.comparison, self.flips)
            if "lm-eval" not in (self.comparison.a.kind, self.comparison.b.kind):  # its files hold no speeds
                yield speed_block(self.speed, self.a, self.b)
        if self.divergence:
            yield from divergence_blocks(self.divergence)
        if self.axes:
            yield from axes_blocks(self.axes)

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            **(comparison_document(self.comparison) if self.comparison else {"rows": []}),
            "split": split_document(self.split) if self.split else None,
            "flips": flips_document(self.comparison, self.flips) if self.comparison and self.flips else None,
            "speed": speed_document(self.speed),
            "divergence": plain(self.divergence.document()) if self.divergence else None,
            "axes": plain(self.axes.document()) if self.axes else None,
            "exit_code": self.exit_code,
        }

    def _notes(self) -> list[str]:
        sides = (self.comparison.a, self.comparison.b) if self.comparison else ()
        return list(dict.fromkeys(told for side in sides for told in side.notes))
