"""`python -m support.paused_eval N MARKER ARGS…`: `minizoo ARGS`, whose backend stops for good once N answers were taken.

MARKER is made at that moment, so a test can kill a run at a known place.
"""

import sys
import time
from pathlib import Path

from backends.hf.backend import HfBackend
from minizoo.cli import main


def pause_after(count: int, marker: Path) -> None:
    """Let `HfBackend.score` give `count` answers and no more."""
    whole = HfBackend.score

    def paused(self, requests):
        for given, score in enumerate(whole(self, requests)):
            if given == count:  # whoever asks for the next has written down the last
                marker.touch()
                time.sleep(3600)
            yield score

    HfBackend.score = paused


if __name__ == "__main__":
    pause_after(int(sys.argv[1]), Path(sys.argv[2]))
    main(sys.argv[3:])
