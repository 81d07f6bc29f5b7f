"""Pages that wait for their data say so, and what can be run today is a command that there is."""

import re
from html import unescape

import pytest
from click.testing import CliRunner
from support.boards import site, small
from support.model_site import MODEL, measured_site, score, site_of, subject, write

from minizoo.cli import minizoo
from reports.pages import waiting
from reports.site import addresses


@pytest.fixture(scope="module")
def bare():
    return dict(waiting.pages(site(small())))


def test_both_are_there_without_any_record(bare):
    assert set(bare) == {addresses.HISTORY, addresses.ENGINES}
    assert "Nothing was run twice in one way yet." in bare[addresses.HISTORY]
    assert "No backend has left a record yet." in bare[addresses.ENGINES]


def test_what_they_tell_to_run_is_a_command(bare):
    commands = {unescape(found) for html in bare.values() for found in re.findall(r"<pre><code>minizoo (\w+)", html)}
    assert commands
    for command in commands:
        assert CliRunner().invoke(minizoo, [command, "--help"]).exit_code == 0, command


def test_engines_lists_what_has_run_as_unchecked(tmp_path):
    html = dict(waiting.pages(measured_site(tmp_path)))[addresses.ENGINES]
    assert "unchecked" in html
    assert re.search(r"<th scope=\"row\">hf</th>", html)


def test_history_lists_what_was_run_more_than_once(tmp_path):
    for _ in range(3):
        write(tmp_path, subject(MODEL, entry={"id": MODEL}), scores=(score(1000),))
    html = dict(waiting.pages(site_of(tmp_path)))[addresses.HISTORY]
    assert f"models/{MODEL}.html" in html
    assert '<td class="number">3</td>' in html
