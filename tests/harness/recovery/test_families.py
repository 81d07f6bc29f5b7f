"""Who is whose: by the registry's lineage, by what a distilled folder says, and never by a guess."""

import pytest
from support.recovering import DISTILLED, PARENT, PRUNED, family_file

from harness.records.record import Distilled, Weights
from harness.recovery.family import Known, families
from zoo.registry.loader import load_registry


@pytest.fixture
def registry(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIZOO_REGISTRY", str(family_file(tmp_path)))
    return load_registry()


def registered(name, shown=None, digest="w"):
    return Known(shown or name, name, False, digest, frozenset({name}))


def folder(name, digest, **told):
    return Known(name, name, True, digest, frozenset({name, f"/models/{name}"}), f"/models/{name}", **told)


def distilled(student="cut", teacher=PARENT, digest="s", of_teacher="t", **more):
    said = Distilled(student=Weights(name=student, digest=digest), teacher=Weights(name=teacher, digest=of_teacher))
    return folder("mine", "m", distilled=said, **more)


def mine(known, registry):
    """The family of DISTILLED, or of the folder that is the only one."""
    (found,) = [each for each in families(known, registry) if each.has(DISTILLED) or each.has("mine")]
    return found


def test_the_registry_names_all_three_and_what_lacks_results_is_missing(registry):
    (found,) = [each for each in families([registered(PARENT), registered(DISTILLED)], registry) if each.has(PRUNED)]
    assert [member.word for member in found.members().values()] == [PARENT, PRUNED, DISTILLED]
    assert [member.word for member in found.missing] == [PRUNED]


def test_of_two_sets_of_weights_the_newest_is_taken_and_said(registry):
    newest, older = registered(PARENT, f"{PARENT}@aaaa", "a"), registered(PARENT, f"{PARENT}@bbbb", "b")
    found = next(each for each in families([newest, older], registry) if each.has(DISTILLED))
    assert found.parent.known == newest
    assert f"{PARENT}@aaaa, is taken" in found.notes[0]


def test_a_folder_finds_its_teacher_and_student_by_digest_whatever_they_are_called(registry):
    teacher, student = folder("renamed", "t"), folder("other", "s")
    known = [distilled(), student, teacher]
    found = next(each for each in families(known, registry) if each.has("mine"))
    assert (found.parent.known, found.pruned.known, found.distilled.known) == (teacher, student, known[0])
    assert found.pruned.word == "/models/other"


def test_results_of_other_weights_of_that_name_are_not_taken(registry):
    known = [distilled(), folder("cut", "of another day"), registered(PARENT, digest="t")]
    found = next(each for each in families(known, registry) if each.has("mine"))
    assert [member.word for member in found.missing] == ["cut"]
    assert "of other weights" in found.pruned.why


def test_a_name_is_enough_where_nobody_knows_the_weights(registry):
    """Results that were imported have no digest, and a corrected teacher is not the parent that the note names."""
    imported = Known("cut", "cut", True, None, frozenset({"cut"}))
    corrected = distilled(teacher=f"{PARENT}, corrected", of_teacher="c", parent=PARENT)
    found = next(each for each in families([corrected, imported, registered(PARENT)], registry) if each.has("mine"))
    assert not found.missing
    assert found.parent.word == PARENT
