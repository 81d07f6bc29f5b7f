"""Which documents are chosen, and that their prompts do not depend on the choice."""

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.lmeval.loading.tasks import load_tasks
from harness.lmeval.prompts import build_documents, choose, templates_compiled_once
from harness.suites.suite import suite_of

keys = st.lists(st.tuples(st.text("abc", min_size=1, max_size=4), st.integers(0, 2)), unique=True, max_size=40)


@given(keys, st.integers(1, 50), st.integers(1, 50))
def test_smaller_limits_choose_subsets_of_larger_ones(keys, a, b):
    small, large = sorted((a, b))
    assert choose(keys, small) <= choose(keys, large) <= choose(keys, None)
    assert len(choose(keys, small)) == min(small, len(keys))


@given(keys, st.integers(1, 20), st.randoms())
def test_the_choice_does_not_depend_on_the_order_of_the_documents(keys, limit, dice):
    shuffled = dice.sample(keys, len(keys))
    assert {keys[i] for i in choose(keys, limit)} == {shuffled[i] for i in choose(shuffled, limit)}


def documents(data, task, shots, limit):
    (loaded,) = load_tasks(suite_of([task], shots), data, limit).tasks.values()
    return loaded, build_documents(loaded)


@pytest.mark.parametrize(("task", "shots"), [("arc_challenge", 25), ("winogrande", 5), ("mmlu_anatomy", 5)])
def test_fewshot_prompts_equal_lm_evals_whole_task_at_any_limit(data, task, shots):
    (whole,) = load_tasks(suite_of([task], shots), data).tasks.values()
    whole.task.set_fewshot_seed(1234)  # what lm-eval's simple_evaluate does
    # At 25 shots lm-eval compiles ninety thousand templates; the other tasks show that compiling once changes nothing.
    with templates_compiled_once() if shots > 10 else nullcontext():
        whole.task.build_all_requests()
    theirs = {}
    for instance in whole.task.instances:
        theirs.setdefault(instance.doc_id, []).append(instance.args)
    for limit in (3, 11):
        _, (chosen, total) = documents(data, task, shots, limit)
        assert total == len(theirs)
        assert {d.doc_id: [i.args for i in d.instances] for d in chosen} == {d.doc_id: theirs[d.doc_id] for d in chosen}
        assert len(chosen) == limit


def test_repeated_rows_have_occurrences_of_their_own(data, tmp_path):
    rows = (data / "cais/mmlu/anatomy/test.jsonl").read_text().splitlines()[:4]
    mirror = tmp_path / "cais/mmlu/anatomy"
    mirror.mkdir(parents=True)
    (mirror / "test.jsonl").write_text("\n".join([*rows, rows[1], rows[1]]) + "\n")
    _, (found, _) = documents(tmp_path, "mmlu_anatomy", 0, None)
    assert [d.occurrence for d in found] == [0, 0, 0, 0, 1, 2]
    assert len({d.doc_hash for d in found}) == 4


def test_building_twice_gives_the_same_prompts(data):
    loaded, (first, _) = documents(data, "winogrande", 5, 4)
    again, _ = build_documents(loaded)
    assert [d.request_hash for d in again] == [d.request_hash for d in first]


def test_request_hash_covers_every_ending(data):
    _, (found, _) = documents(data, "winogrande", 0, 5)
    assert len({d.request_hash for d in found}) == 5
    for document in found:
        before = document.request_hash
        context, ending = document.instances[1].args
        document.instances[1].arguments = (context, ending + "!")
        assert document.request_hash != before
        assert document.prompt_hash


def test_group_expands_to_its_leaves_and_keeps_lm_evals_groups(data):
    loaded = load_tasks(suite_of(["mmlu"], 5), data, 2)
    assert len(loaded.tasks) == 57
    sizes = {group.name: len(group.get_all_tasks()) for group in loaded.groups}
    assert sizes == {"mmlu_stem": 19, "mmlu_other": 13, "mmlu_social_sciences": 12, "mmlu_humanities": 13, "mmlu": 57}
