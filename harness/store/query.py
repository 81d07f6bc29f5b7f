"""Read-only queries of the results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.store.catch_up import catch_up
from harness.store.connection import connected, database_path, fetched, locked


def query(results: Path, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Catch up with the records (see `catch_up` for what it raises), run one query and return its rows as dictionaries."""
    return Reader(results).rows(sql, parameters)


class Reader:
    """Many queries of one state of the results: catches up with the records once, when it is made.

    Each query opens a connection of its own and holds the lock no longer. Raises what `catch_up` does.
    """

    def __init__(self, results: Path) -> None:
        catch_up(results)
        self._results = results

    @property
    def results(self) -> Path:
        """The results folder, where the records' own files are."""
        return self._results

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The rows of one query as dictionaries."""
        with locked(self._results), connected(database_path(self._results), read_only=True) as connection:
            return fetched(connection.execute(sql, list(parameters)))
