"""Nights killed with SIGKILL at random moments, each of which must end in the results of a night that nobody disturbed.

    python benchmarks/night_kills.py --kills 20 --out benchmarks/night_kills.json      # examples/nightly-nano.yaml
    python benchmarks/night_kills.py --kills 20 --plan benchmarks/night_kills.yaml   # the whole family, 20 documents a task

One night runs undisturbed. Then nights are begun, killed at moments drawn evenly from the time that a whole one takes, at most
--most-a-night times each, and begun again by the same command, until there were --kills in all. Compared are jobs, their
states, scores, every document's value and the gate's exit code; no run may be there twice, no partial one be left, and no
process outlive its night. Speeds are another each time and are not compared. Exits 1 where anything differs.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import shlex
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
from support.killed_nights import Killed, killed_night, undisturbed  # noqa: E402


def main() -> int:
    """Run the nights and write the document."""
    args = _arguments()
    draw = random.Random(args.seed)
    with tempfile.TemporaryDirectory(prefix="night-kills-", dir=args.scratch) as scratch:
        reference = Path(scratch) / "undisturbed"
        code, seconds = undisturbed(args.plan, reference)
        print(f"Undisturbed: exit code {code} in {seconds:.0f} s.", file=sys.stderr)
        nights: list[Killed] = []
        left = args.kills
        while left > 0:
            results = Path(scratch) / f"killed-{len(nights) + 1}"
            night = killed_night(args.plan, results, reference, min(left, args.most_a_night), seconds, draw)
            nights.append(night)
            left -= len(night.moments)
            told = f"{len(night.moments)} kills, exit code {night.exit_code}, {len(night.different)} differences"
            print(f"Night {len(nights)}: {told}, {len(night.orphans)} orphans; {left} kills left.", file=sys.stderr)
    document = {
        "schema": "minizoo.night-kills/1",
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", *sys.argv]),
        "minizoo": version("minizoo"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "seed": args.seed,
        "undisturbed": {"exit_code": code, "seconds": round(seconds, 1)},
        "kills": sum(len(night.moments) for night in nights),
        "nights": [
            {
                "killed_after_s": night.moments,
                "exit_code": night.exit_code,
                "attempts": night.attempts,
                "differences": night.different,
                "orphans": night.orphans,
            }
            for night in nights
        ],
    }
    text = json.dumps(document, indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + "\n", "utf-8")
    return int(any(night.different or night.orphans or night.exit_code != code for night in nights))


def _arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--plan", type=Path, default=ROOT / "examples" / "nightly-nano.yaml")
    words.add_argument("--kills", type=int, default=20)
    words.add_argument("--most-a-night", type=int, default=5)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--scratch", type=Path, help="Where results are kept meanwhile.")
    words.add_argument("--out", type=Path)
    return words.parse_args()


if __name__ == "__main__":
    sys.exit(main())
