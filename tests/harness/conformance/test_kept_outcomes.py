"""Outcomes are kept whole, found by all of their key, and the newest word on it counts, a failure before all."""

import json
from dataclasses import asdict, replace

import pytest
from support.outcomes import KEY, outcome

from backends.conformance.key import Key
from backends.conformance.shipped import shipped
from harness.conformance.files import all_kept, digest_of, kept_of, write_outcome
from harness.conformance.standing import recorded, standing


def test_an_outcome_is_read_as_it_was_written(tmp_path):
    made = outcome()
    path = write_outcome(tmp_path, made)
    (kept,) = kept_of(tmp_path, KEY)
    assert (kept.outcome, kept.path, all_kept(tmp_path)) == (made, path, [kept])
    assert json.loads(path.read_text())["digest"] == digest_of(made)


@pytest.mark.parametrize("part", asdict(KEY))
def test_another_key_in_any_part_is_not_covered(tmp_path, part):
    write_outcome(tmp_path, outcome())
    other = replace(KEY, **{part: "another"})
    assert kept_of(tmp_path, other) == []
    assert standing(other, tmp_path).state == "unchecked"


def test_names_that_are_paths_stay_in_the_folder(tmp_path):
    key = Key("../../evil", "v", "cpu/..", "float32", "A\n" * 300)
    path = write_outcome(tmp_path, outcome(key=key))
    assert path.parent == tmp_path / "conformance"
    assert [kept.outcome.key for kept in kept_of(tmp_path, key)] == [key]


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"schema": "minizoo.conformance/2"}', b"null"])
def test_a_file_that_is_no_outcome_is_passed_over(tmp_path, content):
    write_outcome(tmp_path, outcome()).write_bytes(content)
    assert (kept_of(tmp_path, KEY), all_kept(tmp_path)) == ([], [])


def test_an_outcome_that_somebody_altered_is_passed_over(tmp_path):
    path = write_outcome(tmp_path, outcome("fail"))
    path.write_text(path.read_text().replace('"fail"', '"pass"'))
    assert standing(KEY, tmp_path).state == "unchecked"


def test_a_full_outcome_takes_the_place_of_a_short_one_and_not_the_other_way(tmp_path):
    write_outcome(tmp_path, outcome("fail", depth="short"))
    assert standing(KEY, tmp_path).state == "failed"
    write_outcome(tmp_path, outcome())
    assert standing(KEY, tmp_path).state == "passed"
    write_outcome(tmp_path, outcome("fail", depth="short"))
    found = standing(KEY, tmp_path)
    assert (found.state, found.outcome.depth) == ("failed", "short")


def test_what_ships_counts_without_any_results_and_a_failure_here_stands_before_it(tmp_path):
    known = next(one for one in shipped() if one.passed)
    found = standing(known.key, tmp_path)
    assert (found.state, found.source, found.digest) == ("passed", "shipped", digest_of(known))
    write_outcome(tmp_path, outcome("pass", key=known.key))
    assert standing(known.key, tmp_path).source == "shipped"
    write_outcome(tmp_path, outcome("fail", key=known.key))
    found = standing(known.key, tmp_path)
    assert (found.state, found.source) == ("failed", "measured")


def test_a_record_keeps_what_was_known_and_which_checks_failed(tmp_path):
    write_outcome(tmp_path, outcome("fail"))
    found = recorded(KEY, standing(KEY, tmp_path))
    assert (found.state, found.source, found.depth, found.failed) == ("failed", "measured", "full", ("alignment",))
    assert found.key == asdict(KEY)


def test_an_outcome_of_which_everything_was_skipped_says_nothing(tmp_path):
    write_outcome(tmp_path, outcome("skip"))
    assert standing(KEY, tmp_path).state == "unchecked"
