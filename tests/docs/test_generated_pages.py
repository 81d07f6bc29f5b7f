"""What the documents print from the code is what the code says today."""

import re

import pytest
from support.paths import ROOT

from minizoo.cli import COMMANDS
from minizoo.display.errors import error_table, errors_page

README = (ROOT / "README.md").read_text("utf-8")


def between(text: str, name: str) -> str:
    found = re.search(rf"<!-- {name}:begin -->\n(.*)<!-- {name}:end -->", text, re.DOTALL)
    assert found
    return found[1]


def test_readmes_table_of_commands_is_the_one_that_help_shows():
    rows = [f"| `minizoo {name}` | {line} |" for name, (_, line) in COMMANDS.items()]
    assert between(README, "commands").splitlines()[2:] == rows


def test_page_of_errors_is_made_from_the_classes():
    assert (ROOT / "docs/errors.md").read_text("utf-8") == errors_page()


def test_every_code_stands_for_one_cause_with_a_meaning():
    codes = [cause.code for cause in error_table()]
    assert len(codes) == len(set(codes)) > 50
    assert all(cause.__doc__ and "__doc__" in vars(cause) for cause in error_table())


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "SECURITY.md", "docs/errors.md"])
def test_links_inside_the_repository_lead_somewhere(page):
    text = (ROOT / page).read_text("utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in target]
    assert [target for target in targets if not ((ROOT / page).parent / target).exists()] == []
