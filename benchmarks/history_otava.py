"""Series of nights through apache-otava, by the interpreter that has it: a JSON list of logarithms a line in and out.

    OTAVA/bin/python benchmarks/history_otava.py LEAST < series.jsonl > nights.jsonl

Each night Otava analyses all nights so far, with its default window and p, and LEAST as its least magnitude. A line out: of
each night where the last change that it shows is one for the worse, [night, place of the change], from 0.
"""

import json
import logging
import math
import sys

from otava.series import AnalysisOptions, Metric, Series  # pyright: ignore[reportMissingImports]

FEWEST = 3
"""Nights before which nothing is analysed."""


def alarms(values: list[float], least: float) -> list[tuple[int, int]]:
    """The nights that show a change for the worse last, with its place."""
    found: list[tuple[int, int]] = []
    options = AnalysisOptions()
    options.min_magnitude = least
    speeds = [math.exp(value) for value in values]
    for nights in range(FEWEST, len(speeds) + 1):
        series = Series("speed", None, list(range(nights)), {"speed": Metric(1, 1.0)}, {"speed": speeds[:nights]}, {})
        points = series.analyze(options).change_points["speed"]
        if points and points[-1].forward_change_percent() < 0:
            found.append((nights - 1, int(points[-1].index)))
    return found


def main() -> None:
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        print(json.dumps(alarms(json.loads(line), float(sys.argv[1]))), flush=True)


if __name__ == "__main__":
    main()
