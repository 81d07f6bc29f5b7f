"""Who is whose: parent, pruned-only and distilled child, by the registry's lineage or by what distilled folders say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.records.record import Distilled
from harness.recovery.row import ROLES, Role
from zoo.registry.loader import Model, Registry


@dataclass(frozen=True)
class Known:
    """A model that there are results of, as the store or a run tells it."""

    shown: str
    """The name that it is shown by, which its results are found by."""
    id: str
    """The registry or hub id, or a folder's name."""
    is_folder: bool
    digest: str | None
    """Of its weights; None where nobody here has computed it."""
    names: frozenset[str] = frozenset()
    """Every word that a user or another record may call it by."""
    location: str = ""
    """Of a folder, its path."""
    parent: str | None = None
    distilled: Distilled | None = None
    run_id: str | None = None
    """Set where the results of one run are meant."""


@dataclass(frozen=True)
class Member:
    """One of the three: what to call it in a command, and its results; `why` there are none that can be taken, in words."""

    word: str
    known: Known | None
    why: str = ""


@dataclass(frozen=True)
class Family:
    """Parent, the pruned-only child that was trained, and what it became."""

    parent: Member
    pruned: Member
    distilled: Member
    notes: tuple[str, ...] = ()

    def members(self) -> dict[Role, Member]:
        """By role."""
        return dict(zip(ROLES, (self.parent, self.pruned, self.distilled), strict=True))

    def has(self, name: str) -> bool:
        """Whether a model of that shown name, id or word is one of the three."""
        return any(name in _called(member) for member in self.members().values())

    @property
    def missing(self) -> tuple[Member, ...]:
        """Those without results."""
        return tuple(member for member in self.members().values() if member.known is None)


def families(known: Sequence[Known], registry: Registry) -> list[Family]:
    """All families that the registry or the models themselves tell of, those of the registry first.

    `known` are in the order of their newest results, the newest first. Nothing is guessed: a member of which the results are of
    other weights than the distilled one was made from counts as without results.
    """
    found = [_registered(model, known) for model in registry.models.values() if _has_pruned(model)]
    return [*found, *(_of_folder(each, known, registry) for each in known if each.distilled is not None)]


def _has_pruned(model: Model) -> bool:
    lineage = model.lineage
    return lineage is not None and lineage.pruned is not None and lineage.parent is not None


def _registered(model: Model, known: Sequence[Known]) -> Family:
    lineage = model.lineage
    ids = ((lineage.parent or "", lineage.pruned or "") if lineage else ("", "")) + (model.id,)
    parent, pruned, distilled = (_by_id(id_, known) for id_ in ids)
    return Family(parent, pruned, distilled, tuple(_several(ids, known)))


def _by_id(name: str, known: Sequence[Known]) -> Member:
    return Member(name, next((each for each in known if each.id == name and not each.is_folder), None))


def _several(ids: Sequence[str], known: Sequence[Known]) -> Iterator[str]:
    for name in ids:
        weights = [each.shown for each in known if each.id == name and not each.is_folder]
        if len(dict.fromkeys(weights)) > 1:
            yield f"there are results of {len(set(weights))} sets of weights of {name}: the newest, {weights[0]}, is taken"


def _of_folder(made: Known, known: Sequence[Known], registry: Registry) -> Family:
    """By digest; by name alone where nobody says which weights a parent had, or nobody knows those of the results."""
    told = made.distilled
    assert told is not None
    parent = made.parent or told.teacher.name
    digest = told.teacher.digest if _same(parent, told.teacher.name, registry) else None
    return Family(
        _member(parent, digest, known, registry, made),
        _member(told.student.name, told.student.digest, known, registry, made),
        Member(_word(made), made),
    )


def _member(name: str, digest: str | None, known: Sequence[Known], registry: Registry, but: Known) -> Member:
    others = [each for each in known if each is not but]
    by_digest = next((each for each in others if digest and each.digest == digest), None)
    if by_digest is not None:
        return Member(_word(by_digest), by_digest)
    entry = registry.find(name)
    wanted = {name, *((entry.id,) if entry else ())}
    by_name = [each for each in others if wanted & {each.shown, each.id, *each.names}]
    alike = next((each for each in by_name if digest is None or each.digest is None), None)
    if alike is not None:
        return Member(_word(alike), alike)
    word = entry.id if entry else name
    why = f"what there is of {word} is of other weights than {but.shown} was made from" if by_name else ""
    return Member(word, None, why)


def _same(a: str, b: str, registry: Registry) -> bool:
    first, second = registry.find(a), registry.find(b)
    return a == b or (first is not None and second is not None and first.id == second.id)


def _word(known: Known) -> str:
    return known.location if known.is_folder and known.location else known.id


def _called(member: Member) -> set[str]:
    """A folder by its path and the name that it is shown by: its own name may be one of the registry."""
    known = member.known
    if known is None:
        return {member.word}
    own = {known.location} if known.is_folder else {known.id, *known.names}
    return {member.word, known.shown, *own}
