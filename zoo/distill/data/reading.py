"""The documents of a source in their order, read as a stream: no file is ever whole in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from zoo.distill.data.documents import Chat, Document, text_of
from zoo.distill.data.hub_data import hub_rows, saved_rows
from zoo.distill.data.sources import LINES, Source
from zoo.errors import InvalidTrainingData, one_line

PIECE = 1 << 20
"""Characters of a .txt that are one document at most; a longer one goes on behind the end of that line."""
LONGEST_LINE = 1 << 28
"""Bytes of a line of JSON at most: what is longer is no line of JSON, but another kind of file."""
ROWS_AT_ONCE = 256


class _Row(NamedTuple):
    read: Callable[[], Any]
    """Makes the row, or raises InvalidTrainingData."""
    where: str
    size: int
    is_text: bool = False
    """Whether what is made is the document itself, no row with columns."""


def read_documents(source: Source, chat: Chat | None = None, skip_broken: bool = False) -> Iterator[Document]:
    """Every document of the source, empty ones included, in an order that is always the same.

    Raises InvalidTrainingData for a row that is broken, named by file and line (.txt, .jsonl) or row (.parquet, data sets);
    with `skip_broken` it is yielded with its fault instead. A file that cannot be read on always raises. Raises HubUnreachable.
    """
    for row in _rows(source):
        try:
            found = row.read()
            text = found if row.is_text else text_of(found, row.where, source.column, chat)
        except InvalidTrainingData as error:
            if not skip_broken:
                raise
            yield Document("", row.where, row.size, error.what)
            continue
        yield Document(text, row.where, row.size)


def _rows(source: Source) -> Iterator[_Row]:
    if source.hub is not None:
        for number, row in enumerate(hub_rows(source.hub, source.name), 1):
            yield _Row(lambda row=row: row, f"{source.name}:row {number}", 0)
    elif source.path is not None and not source.files:
        for number, row in enumerate(saved_rows(source.path), 1):
            yield _Row(lambda row=row: row, f"{source.path}:row {number}", 0)
    for file in source.files:
        kind = file.suffix.lower()
        read = _lines if kind in LINES else _table if kind == ".parquet" else _text
        try:
            yield from read(file, source.column)
        except OSError as error:
            raise InvalidTrainingData(f"{file} cannot be read ({error.strerror or one_line(error)}).") from None


def _text(file: Path, _column: str | None) -> Iterator[_Row]:
    """One document, of a very long file several, cut at ends of lines. The text is given as it was read, not parsed."""
    line = 1
    with file.open(encoding="utf-8-sig", newline="") as stream:
        while True:
            try:
                piece = stream.read(PIECE)
                if len(piece) == PIECE and not piece.endswith("\n"):
                    piece += stream.readline(PIECE)
            except UnicodeDecodeError:
                raise InvalidTrainingData(
                    f"{file}:{_undecodable(file)} is not UTF-8.", "Convert it with iconv."
                ) from None
            if not piece:
                return
            yield _Row(lambda piece=piece: piece, f"{file}:{line}", len(piece.encode()), is_text=True)
            line += piece.count("\n")


def _undecodable(file: Path) -> int:
    """The first line that is not UTF-8."""
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 1


def _lines(file: Path, _column: str | None) -> Iterator[_Row]:
    with file.open("rb") as stream:
        for number, line in enumerate(iter(lambda: stream.readline(LONGEST_LINE), b""), 1):
            if len(line) == LONGEST_LINE:
                raise InvalidTrainingData(
                    f"{file}:{number} has no end within {LONGEST_LINE:,} bytes.", 'Write {"text": "…"} a line.'
                )
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.strip():
                where = f"{file}:{number}"
                yield _Row(lambda line=line, where=where: _parsed(line, where), where, len(line))


def _parsed(line: bytes, where: str) -> Any:
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise InvalidTrainingData(f"{where} is not UTF-8.", "Convert the file with iconv.") from None
    except RecursionError:
        raise InvalidTrainingData(f"{where} is nested too deeply.", "Leave it out.") from None
    except ValueError as error:
        raise InvalidTrainingData(f"{where} is no JSON ({one_line(error)}).", 'Write {"text": "…"} a line.') from None


def _table(file: Path, column: str | None) -> Iterator[_Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file)
        names = _columns(table.schema_arrow.names, column)
        size = file.stat().st_size // max(1, table.metadata.num_rows)
        number = 0
        for batch in table.iter_batches(ROWS_AT_ONCE, columns=names):
            for row in batch.to_pylist():
                number += 1
                yield _Row(lambda row=row: row, f"{file}:row {number}", size)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InvalidTrainingData(f"{file} is no Parquet that can be read ({one_line(error)}).") from None


def _columns(names: list[str], column: str | None) -> list[str] | None:
    """The one column that is read, if it is there; else all, for the message to name them."""
    from zoo.distill.data.documents import COLUMNS

    wanted = [column, column.split(".")[0]] if column else list(COLUMNS)
    found = [name for name in wanted if name in names]
    return found if found else None
