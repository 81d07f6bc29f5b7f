"""Print the newest measured score of each task: python examples/read_results.py RESULTS."""

import subprocess
import sys

import duckdb

QUERY = """
SELECT model, task, metric, value, lower, upper, n FROM scores
WHERE source = 'measured' AND status = 'ok'
QUALIFY row_number() OVER (PARTITION BY model, task, metric, filter ORDER BY finished_at DESC) = 1
ORDER BY model, task, metric
"""


def main(results: str) -> None:
    caught_up = ["minizoo", "db", "path", "--results", results]  # takes in new records, prints the file
    path = subprocess.run(caught_up, check=True, capture_output=True, text=True).stdout.strip()
    with duckdb.connect(path, read_only=True) as connection:
        for model, task, metric, value, lower, upper, n in connection.execute(QUERY).fetchall():
            print(f"{model} {task} {metric}: {value:.3f} [{lower:.3f}, {upper:.3f}], n = {n:g}")


if __name__ == "__main__":
    main(sys.argv[1])
