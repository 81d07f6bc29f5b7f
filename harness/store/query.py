"""One read-only query of the results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.store.catch_up import catch_up
from harness.store.connection import connected, database_path, fetched, locked


def query(results: Path, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Catch up with the records (see `catch_up` for what it raises), run one query and return its rows as dictionaries."""
    catch_up(results)
    with locked(results), connected(database_path(results), read_only=True) as connection:
        return fetched(connection.execute(sql, list(parameters)))
