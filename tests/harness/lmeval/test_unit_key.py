"""A unit of work has one key, with one text form: in the log of an unfinished run and in the seed of a sampled generation."""

from itertools import product

from harness.accuracy.fewshot_draws import draw_name
from harness.lmeval.encoding import UnitKey


def test_the_text_form_names_task_document_request_and_part():
    assert str(UnitKey("winogrande", 12, 1, 0)) == "winogrande/12/1/0"
    assert str(UnitKey(draw_name("winogrande", 1235), 12, 1, 0)) == "winogrande@1235/12/1/0"


def test_no_two_keys_have_one_text_form():
    keys = [UnitKey(*parts) for parts in product(["a", "a/1", "a@1"], [1, 11], [1, 11], [1, 11])]
    assert len({str(key) for key in keys}) == len(set(keys)) == 24
