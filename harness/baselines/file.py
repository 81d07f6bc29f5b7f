"""A file of baselines, `baselines.yaml`: which run is held to be right, who says so, why and since when. Kept in git."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from harness.records.versions import is_newer
from zoo.errors import FileMissing, InternalError, InvalidBaselines
from zoo.files import write_atomically
from zoo.strict import Strict, Text
from zoo.yaml_nodes import read_nodes
from zoo.yaml_source import Located, read_located, validated

SCHEMA = "minizoo.baselines/1"
NAME = r"^[A-Za-z0-9_][\w./@+-]*$"
"""Of a baseline: one word for a command line; ids of models are such names, those of the hub too."""
HEADER = f"""\
# Runs that others are held against. Written by `minizoo baseline accept`, described in docs/baselines.md.
schema: {SCHEMA}
baselines: {{}}
"""


def _time(value: Any) -> Any:
    """YAML's own times and ISO 8601 as text; UTC where none is named."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC) if isinstance(found, datetime) else found


def _beside(path: str) -> str:
    """A file below the folder of the file of baselines."""
    parts = PurePosixPath(path).parts
    if path.startswith("/") or "\\" in path or ".." in parts or not path.endswith(".zip"):
        raise ValueError("a bundle is a .zip beside this file: 'baselines/….zip'")
    return path


Time = Annotated[datetime, BeforeValidator(_time)]
BaselineName = Annotated[str, Field(pattern=NAME, max_length=120)]


class Entry(Strict):
    """What stands below a baseline's name."""

    model: Text
    """The model that was measured, by its id or the name that its user gave it."""
    run: Text
    accepted_by: Text
    reason: Text
    accepted_at: Time
    """UTC."""
    bundle: Annotated[str, AfterValidator(_beside)]
    """The bundle with the run's outcomes, relative to this file."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the bundle."""
    bytes: Annotated[int, Field(gt=0)]


class Baseline(Entry):
    """An accepted run by its name."""

    name: BaselineName


class _File(Strict):
    schema_version: Literal["minizoo.baselines/1"] = Field(alias="schema")
    baselines: dict[BaselineName, Entry]


def load_baselines(path: Path) -> dict[str, Baseline]:
    """The baselines of a file by their names, in its order.

    FileMissing where there is none; InvalidBaselines, with file, line and column, for a file that was cut short, has a key
    that nobody knows or a name twice, or is of a newer minizoo.
    """
    if not path.exists():
        raise FileMissing(
            f"There is no file of baselines {path}.",
            "`minizoo baseline accept RUN --reason …` makes one, or give --file.",
        )
    return _baselines(read_located(path, InvalidBaselines, str(path)))


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Put the baseline into the file, in place of the one of its name; what else stands there stays, comments too.

    Written whole or not at all. Raises as `load_baselines` for a file that cannot be read, OSError as the system does.
    """
    from ruamel.yaml import YAML

    before = load_baselines(path) if path.exists() else {}
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 1 << 20
    document: Any = yaml.load(path.read_text("utf-8") if path.exists() else HEADER)
    if not before:
        document["baselines"].fa.set_block_style()
    entry = document["baselines"].setdefault(baseline.name, {})
    for key, value in _plain(baseline).items():
        entry[key] = value
    buffer = io.StringIO()
    yaml.dump(document, buffer)
    text = buffer.getvalue()
    data, _ = read_nodes(text, str(path), InvalidBaselines)
    if _baselines(Located(str(path), text, data, InvalidBaselines)) != before | {baseline.name: baseline}:
        raise InternalError(f"{path} would not say what was accepted, so it was not written.", "Please report it.")
    write_atomically(path, text.encode())


def _baselines(located: Located) -> dict[str, Baseline]:
    schema = located.data.get("schema") if isinstance(located.data, dict) else None
    if isinstance(schema, str) and _is_newer(schema):
        raise located.error(
            ("schema",), f"{schema} is of a newer minizoo, and this one reads {SCHEMA}.", "Use that one."
        )
    found = validated(_File, located).baselines
    return {name: Baseline(name=name, **dict(entry)) for name, entry in found.items()}


def _is_newer(schema: str) -> bool:
    try:
        return is_newer(schema, SCHEMA)
    except ValueError:
        return False


def _plain(baseline: Baseline) -> Mapping[str, Any]:
    document = baseline.model_dump(exclude={"name"})
    return document | {"accepted_at": f"{baseline.accepted_at:%Y-%m-%dT%H:%M:%SZ}"}
