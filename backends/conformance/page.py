"""The tables of docs/conformance.md, made from the checks and the catalogue.

python -m backends.conformance.page
"""

from __future__ import annotations

import sys
from pathlib import Path

from backends.conformance.faults import faults
from backends.conformance.table import CHECKS

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"


def checks_table() -> str:
    """A row a check: its name, what it holds a backend to, whether an evaluation's self-check asks it, its known faults."""
    rows = ["| check | asks | self-check | known faults |", "| --- | --- | --- | --- |"]
    for check in CHECKS:
        count = sum(fault.check == check.name for fault in faults())
        rows.append(f"| `{check.name}` | {check.promise} | {'yes' if check.short else ''} | {count or ''} |")
    return "\n".join(rows)


def faults_table() -> str:
    """A row a fault: what, where, the thread, the check that catches it."""
    rows = ["| fault | engine, versions | caught by |", "| --- | --- | --- |"]
    for fault in faults():
        where = fault.engine if fault.versions == "?" else f"{fault.engine}; {fault.versions}"
        rows.append(f"| [{fault.id}]({fault.thread}): {fault.what} | {where} | `{fault.check}` |")
    return "\n".join(rows)


def page(text: str) -> str:
    """The page with its tables as they are now; ValueError where a marker is missing."""
    for name, table in (("checks", checks_table()), ("faults", faults_table())):
        begin, end = f"<!-- {name}:begin -->\n", f"\n<!-- {name}:end -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"the page has no place for the table of {name}")
        text = before + begin + table + end + after
    return text


if __name__ == "__main__":
    made = page(PAGE.read_text("utf-8"))
    sys.exit(PAGE.write_text(made, "utf-8") == 0)
