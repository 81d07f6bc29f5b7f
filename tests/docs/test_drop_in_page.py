"""docs/lm-eval-drop-in.md says of each argument and of lm-eval's own tests what the code says today."""

import pytest
from support.drop_in_page import arguments_table, own_tests_table
from support.paths import ROOT

PAGE = (ROOT / "docs/lm-eval-drop-in.md").read_text("utf-8")


@pytest.mark.parametrize(("name", "made"), [("arguments", arguments_table), ("own-tests", own_tests_table)])
def test_the_page_has_the_table_that_the_code_makes(name, made):
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    assert PAGE.partition(begin)[2].partition(end)[0] == made()
