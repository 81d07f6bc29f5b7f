"""The tables of recovery that the documents print are those of the committed records."""

import re

from support.paths import ROOT

from minizoo.display.models.recovery import committed_recoveries
from reports.tables.recovery import recovery_markdown
from zoo.checkpoint.model_ref import resolve

BLOCK = re.compile(r"<!-- recovery (\S+):begin -->\n(.*?)<!-- recovery \1:end -->", re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [(page, model, text) for page in PAGES for model, text in BLOCK.findall(page.read_text("utf-8"))]


def test_each_table_is_the_one_of_the_committed_records():
    """`minizoo show MODEL --recovery --committed --markdown` prints it anew."""
    for page, model, text in BLOCKS:
        assert text == recovery_markdown(committed_recoveries(resolve(model))), (page.name, model)


def test_the_committed_records_of_a_model_in_no_family_make_no_table():
    assert recovery_markdown(committed_recoveries(resolve("minitron-8b"))).strip() == ""
