"""Series of nights through apache-otava, by the interpreter that has it: a JSON list of numbers a line in and out.

    OTAVA/bin/python benchmarks/nights/otava_series.py < series.jsonl > nights.jsonl

A line in: the times of one series, a night each. Each night Otava analyses all nights so far by its defaults, as its `analyze`
does. A night alarms where it shows a change for the worse, three nights or more from any that an earlier night has shown. A
line out: the nights that alarmed, from 0.
"""

import json
import logging
import sys

from otava.series import AnalysisOptions, Metric, Series  # pyright: ignore[reportMissingImports]

FEWEST = 3
"""Nights before which nothing is analysed."""
NEAR = 2
"""Nights by which the place of a change may move without being another one."""


def alarms(values: list[float]) -> list[int]:
    """The nights on which a change for the worse is first shown."""
    told: list[int] = []
    found: list[int] = []
    for nights in range(FEWEST, len(values) + 1):
        series = Series("speed", None, list(range(nights)), {"time": Metric(-1, 1.0)}, {"time": values[:nights]}, {})
        points = series.analyze(AnalysisOptions()).change_points["time"]
        worse = [int(point.index) for point in points if point.forward_change_percent() > 0]
        if any(all(abs(place - known) > NEAR for known in told) for place in worse):
            found.append(nights - 1)
        told += worse
    return found


def main() -> None:
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        print(json.dumps(alarms(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
