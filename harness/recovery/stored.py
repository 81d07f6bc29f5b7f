"""Families of a results folder: which of its models belong together, their results, and what to run where some lack."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harness.compare.items import Side
from harness.compare.sides.run_side import run_side, shown_side
from harness.records.record import Distilled, Record
from harness.recovery.family import Family, Known, Member, families
from harness.recovery.measuring import commands, commands_of_tasks
from harness.recovery.recover import Sides, missing_tasks, recovery_rows
from harness.recovery.row import ROLES, RecoveryRow, Role
from harness.store.query import Reader
from zoo.registry.loader import Registry

MODELS = """
SELECT r.model, r.subject, r.kind, r.given_name, r.location, r.known_digest, r.parent, max(r.finished_at) AS newest,
       CASE WHEN r.kind = 'folder' THEN json_extract(r.record, '$.subject.distilled') END AS distilled
FROM records r
WHERE r.status = 'ok' AND (r.run_id, r.task) IN (SELECT (run_id, task) FROM metrics)
GROUP BY ALL ORDER BY newest DESC, r.model
"""


@dataclass(frozen=True)
class Recovery:
    """A family with its rows; without any where one of the three has no results, and then `commands` say what to run."""

    family: Family
    rows: tuple[RecoveryRow, ...] = ()
    commands: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def name(self, role: Role) -> str:
        """What the member is shown as."""
        member = self.family.members()[role]
        return member.known.shown if member.known else member.word


def known_models(reader: Reader) -> list[Known]:
    """Every model that the results have a score of, the newest first."""
    return [_known(row) for row in reader.rows(MODELS)]


def _known(row: dict[str, Any]) -> Known:
    told = row["distilled"]
    return Known(
        shown=row["model"],
        id=row["subject"],
        is_folder=row["kind"] == "folder",
        digest=row["known_digest"],
        names=frozenset(filter(None, (row["given_name"], row["subject"], row["location"]))),
        location=row["location"] or "",
        parent=row["parent"],
        distilled=Distilled.model_validate_json(told) if told and told != "null" else None,
    )


def known_of_run(record: Record) -> Known:
    """The model of one run, by any of its records."""
    subject = record.subject
    return Known(
        shown=subject.name or subject.id,
        id=subject.id,
        is_folder=subject.kind == "folder",
        digest=subject.weights_digest or None,
        names=frozenset(filter(None, (subject.name, subject.id, subject.source))),
        location=subject.source,
        parent=subject.parent,
        distilled=subject.distilled,
        run_id=record.run_id,
    )


def recoveries(reader: Reader, found: Iterable[Family]) -> list[Recovery]:
    """Each family with its rows, from the newest results of each of the three, or from the run that is meant."""
    return [_recovery(reader, family) for family in found]


def stored_recoveries(reader: Reader, registry: Registry, name: str | None = None) -> list[Recovery]:
    """Of all families that the results have a model of; with `name` of those that this model is one of."""
    found = families(known_models(reader), registry)
    wanted = [family for family in found if (family.has(name) if name else not family.missing)]
    return recoveries(reader, wanted)


def of_family(family: Family) -> Recovery:
    """A family where there are no results at all: what to run."""
    return Recovery(family, (), commands([member.word for member in family.members().values()], ()))


def _recovery(reader: Reader, family: Family) -> Recovery:
    loaded = {role: _side(reader, member) for role, member in family.members().items()}
    there = {role: side for role, side in loaded.items() if side is not None and side.results}
    notes = [*family.notes, *(member.why for member in family.missing if member.why)]
    lacking = [member.word for role, member in family.members().items() if role not in there]
    if lacking:
        return Recovery(family, (), commands(lacking, list(there.values())), tuple(notes))
    sides = Sides(*(there[role] for role in ROLES))
    notes += commands_of_tasks({role: member.word for role, member in family.members().items()}, missing_tasks(sides))
    rows = recovery_rows(sides)
    if not rows:
        notes.append("the three have no task in common")
    return Recovery(family, tuple(rows), (), tuple(notes))


def _side(reader: Reader, member: Member) -> Side | None:
    known = member.known
    if known is None:
        return None
    if known.run_id is not None:
        return run_side(known.shown, reader.results, known.run_id, reader)
    return shown_side(known.shown, reader.results, reader)
