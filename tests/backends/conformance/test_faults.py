"""Every fault of the catalogue, planted in an engine, is caught by its check; an engine without one passes all of them."""

from dataclasses import replace

import pytest
from support import faulty_calls, faulty_generations, faulty_limits, faulty_rows
from support.faulty_engines import FAULTS, Engine

from backends.conformance.checks import closing
from backends.conformance.faults import FILE, Catalogue, faults
from backends.conformance.run import outcome_of
from backends.conformance.sequences import Sequences
from backends.conformance.table import CHECKS
from zoo.errors import InvalidFile
from zoo.yaml_source import read_located, validated

PLANTED_IN = (faulty_rows, faulty_calls, faulty_limits, faulty_generations)
"""Modules whose import registers their engines in FAULTS."""
BY_NAME = {check.name: check for check in CHECKS}


def subject_with(known, hf, kind):
    """The kind of engine around the right backend, with the answers that are known already."""
    engine = kind(hf)
    return replace(known, backend=engine, sequences=Sequences(engine, known.checkpoint), reopen=lambda: kind(hf))


@pytest.mark.parametrize("name", BY_NAME)
def test_an_engine_without_a_fault_passes(known, hf, name):
    outcome = outcome_of(BY_NAME[name], subject_with(known, hf, Engine))
    assert outcome.verdict == "pass", outcome.said


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.id)
def test_a_fault_is_caught_by_its_check(known, hf, fault, monkeypatch):
    monkeypatch.setattr(closing, "PATIENCE_S", 0.1)
    outcome = outcome_of(BY_NAME[fault.check], subject_with(known, hf, FAULTS[fault.id]))
    assert outcome.verdict == "fail", outcome.said


def test_every_fault_has_an_engine_and_every_engine_a_fault():
    assert sorted(FAULTS) == sorted(fault.id for fault in faults())
    assert {kind.__module__ for kind in FAULTS.values()} == {module.__name__ for module in PLANTED_IN}


def test_ids_and_threads_of_the_catalogue_are_its_own():
    assert len({fault.id for fault in faults()}) == len(faults()) >= 35


@pytest.mark.parametrize("off", ["row-one-late", "logits-of-own-step"])
def test_an_off_by_one_is_told_as_such(known, hf, off):
    said = outcome_of(BY_NAME["alignment"], subject_with(known, hf, FAULTS[off])).said
    assert ("off by one" in said) == (off == "row-one-late")


def test_a_second_beginning_of_text_is_told_as_such(known, hf):
    said = outcome_of(BY_NAME["bos-once"], subject_with(known, hf, FAULTS["bos-added"])).said
    assert "one more token that begins a text" in said


def test_a_catalogue_that_names_no_check_is_refused(tmp_path):
    file = tmp_path / "faults.yaml"
    file.write_text(FILE.read_text("utf-8").replace("check: alignment", "check: alignmnet", 1))
    with pytest.raises(InvalidFile, match="alignmnet"):
        validated(Catalogue, read_located(file))
