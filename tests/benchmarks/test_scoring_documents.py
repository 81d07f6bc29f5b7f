"""Which documents are scored beside the reference: by hash, nested, over a group's leaf tasks, as many as its time allows."""

import pytest

from benchmarks.rows.scored.measure import Budget
from benchmarks.rows.scored.tasks import TaskPart, requests_of, within
from benchmarks.score_answers import agreement, differences, joined, of_documents
from harness.lmeval.loading.tasks import load_tasks
from harness.lmeval.prompts import build_documents
from harness.suites.suite import load_suite


@pytest.fixture(scope="module")
def group():
    """A group of two leaf tasks."""
    suite = load_suite("nano")
    suite = suite.model_copy(update={"tasks": (suite.entry("nano_words"), suite.entry("nano_cloze"))})
    return TaskPart(suite, [*load_tasks(suite, None).tasks.values()], "1")


def test_a_smaller_part_is_within_a_larger_one(group):
    assert group.of == 320 + 400
    for fewer, more in ((1, 2), (2, 7), (7, 60), (60, 720)):
        assert len(group.first(fewer)) == fewer
        assert group.first(fewer) < group.first(more)


def test_a_groups_documents_are_chosen_among_those_of_all_its_leaf_tasks(group):
    chosen = group.documents(60)
    assert {one.number for one in chosen} == group.first(60)
    assert [one.number for one in chosen] == sorted(one.number for one in chosen)
    counts = {leaf.name: sum(one.leaf == leaf.name for one in chosen) for leaf in group.leaves}
    assert 15 < counts["nano_words"] < 40  # 27 of 60 by its documents
    for leaf in group.leaves:
        whole, total = build_documents(leaf)
        mine = {one.document.doc_id: one.document for one in chosen if one.leaf == leaf.name}
        assert {document.doc_id: document.request_hash for document in whole if document.doc_id in mine} == {
            place: document.request_hash for place, document in mine.items()
        }
        assert total == len(whole)


def test_a_groups_digest_holds_what_each_leaf_task_is_asked(group):
    digests = {group.digest(group.documents(count)) for count in (2, 3, 60)}
    assert len(digests) == 3
    assert group.digest(group.documents(3)) in digests


def test_as_many_documents_as_the_pace_allows_and_never_none(group):
    first = group.documents(2)

    def number(seconds, share):
        chosen = within(group, first, seconds, share)
        assert {one.number for one in chosen} == group.first(len(chosen))
        return len(chosen)

    assert 4 <= number(seconds=1.0, share=10.0) <= 20
    pace = 1.0 / sum(one.characters for one in first)
    assert sum(one.characters for one in within(group, first, 1.0, 10.0)) * pace <= 10.0
    assert number(seconds=1.0, share=0.01) == number(seconds=1.0, share=-5.0) == 1
    assert number(seconds=1e-6, share=100.0) == group.of


def test_what_a_task_leaves_of_its_time_is_the_next_ones():
    budget = Budget(60.0, 3)
    assert budget.share() == 20.0
    assert budget.share(most=5.0) == 5.0
    budget.tasks -= 1
    budget.spend({"seconds": 2.0, "calls": 5})
    assert budget.share() == 25.0
    budget.spend({"seconds": 90.0, "calls": 1})
    assert budget.share() == 0.0


def test_every_request_has_the_number_of_its_document(group):
    chosen = group.documents(5)
    asked = requests_of(chosen)
    assert [number for number, _, _ in asked] == [one.number for one in chosen for _ in one.document.instances]
    assert all(isinstance(text, str) for _, *texts in asked for text in texts)


A = {"documents": [4, 4, 9, 9], "answers": [[-1.0, True], [-2.0, False], [-3.0, False], [-4.0, True]]}
B = {"documents": [4, 4, 9, 9], "answers": [[-1.5, True], [-1.0, False], [-3.0, True], [-4.25, True]]}


def test_a_flip_is_a_document_whose_likeliest_answer_is_another():
    assert differences(A, B) == (1.0, 1, 1)
    assert differences(A, A) == (0.0, 0, 0)
    only_nine = agreement(A, B, {9})
    assert (only_nine.flips, only_nine.largest) == (0, 0.25)


def test_answers_of_two_calls_are_compared_in_the_order_of_documents():
    later_first = joined([of_documents(A, {9}), of_documents(A, {4})])
    assert later_first["documents"] == [9, 9, 4, 4]
    assert of_documents(later_first, {4, 9}) == A
