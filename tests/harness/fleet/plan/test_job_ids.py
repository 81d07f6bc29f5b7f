import re
import shlex

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.fleet.plan.naming import LONGEST, job_ids, slug
from harness.records.night import Job, Step

HOSTILE = st.text(st.characters(codec=None), max_size=30) | st.sampled_from(
    [
        "..",
        "../../etc",
        "-rf",
        "a b",
        "$(reboot)",
        "a;b",
        "`x`",
        "a\nb",
        "\0",
        "é",
        "模型",
        "CON",
        "*",
        "",
        "A/B",
        "a" * 900,
    ]
)


@settings(deadline=None)  # a busy machine is no fault of the names
@given(st.lists(st.tuples(st.lists(HOSTILE, min_size=1, max_size=4), st.text(max_size=5)), max_size=6))
def test_whatever_a_model_is_called_its_jobs_have_ids_that_are_safe_and_apart(named):
    apart = [(words, f"{at} {key}") for at, (words, key) in enumerate(named)]
    ids = job_ids(apart)
    assert len(set(ids)) == len(ids)
    for one in ids:
        Job(id=one, kind="eval", model="m", steps=(Step(words=("eval",)),))
        assert shlex.quote(one) == one
        assert len(one) <= LONGEST + 10
        assert ".." not in one


def test_plain_names_stay_readable():
    assert job_ids([(("eval", "nano-width", "nano", "hf", "cpu"), "x")]) == ["eval-nano-width-nano-hf-cpu"]
    assert slug("Qwen/Qwen2.5-0.5B") == "qwen-qwen2.5-0.5b"


def test_what_two_names_make_alike_is_set_apart_by_a_digest():
    ids = job_ids([(("eval", "a-b", "c"), "1"), (("eval", "a", "b-c"), "2"), (("eval", "other"), "3")])
    assert re.fullmatch(r"eval-a-b-c-[0-9a-f]{8}", ids[0])
    assert ids[0] != ids[1]
    assert ids[2] == "eval-other"


def test_ids_do_not_depend_on_what_else_is_planned_where_nothing_is_alike():
    alone = job_ids([(("eval", "run $1"), "x")])
    assert job_ids([(("eval", "other"), "y"), (("eval", "run $1"), "x")])[1:] == alone
