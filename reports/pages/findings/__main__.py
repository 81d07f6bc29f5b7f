"""`python -m reports.pages.findings`: docs/findings.md and its pictures, made anew from the committed record."""

from __future__ import annotations

from pathlib import Path

import click

from harness.findings.record import read_record
from reports.pages.findings.markdown import write
from reports.pages.findings.stored import COMMITTED


@click.command()
@click.option("--record", type=click.Path(dir_okay=False, path_type=Path), default=COMMITTED, show_default=True)
@click.option("--docs", type=click.Path(file_okay=False, path_type=Path), default=Path("docs"), show_default=True)
def main(record: Path, docs: Path) -> None:
    """Write the write-up of RECORD below DOCS; without a record it says what will be tested."""
    for path in write(read_record(record), docs):
        click.echo(path)


if __name__ == "__main__":
    main()
