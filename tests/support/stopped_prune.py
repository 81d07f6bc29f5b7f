"""`python -m support.stopped_prune STEP DONE MARKER ARGS…`: `minizoo ARGS`, which stops once so much of a step is done.

MARKER is made at that moment, so a test can interrupt or kill a pruning run at a known place.
"""

import sys
import time
from pathlib import Path

from minizoo.cli import main
from minizoo.display.progress import StepBar


def stop_at(step: str, done: int, marker: Path) -> None:
    """Let progress be told up to there and no further."""
    told = StepBar.__call__

    def stopping(self, name, so_far, of, unit=None):
        told(self, name, so_far, of, unit)
        if name == step and so_far >= done:
            marker.touch()
            time.sleep(3600)

    StepBar.__call__ = stopping


if __name__ == "__main__":
    stop_at(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    main(sys.argv[4:])
