"""A gate's verdicts as Markdown and JUnit's XML, whatever a model is called."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from support.gated import flips, policy, side, task

from harness.gates.gate import gate_pairs
from minizoo.display.gate.junit import junit
from minizoo.display.gate.markdown import LIMIT, summary

HOSTILE = "a|b`<script>\x1b[31m\x00\ud800]]>&\n## PASS @everyone \u202e"


def outcome(lost=(60, 6, 0), name="new", **changes):
    pairs = []
    for at, number in enumerate(lost):
        old, new = flips(500, number, 0)
        pairs.append((side("old", task("old", old)), side(f"{name}{at}", task("new", new))))
    return gate_pairs(policy({"margin": 0.02, "ask": ("detect", "release")}, **changes), pairs)


def test_the_summary_says_the_verdict_first_then_the_table_gravest_first_then_folded_details():
    text = summary(outcome())
    assert text.startswith("## REGRESSED: 1 REGRESSED, 1 UNDERPOWERED, 1 PASS of 3: new0 winogrande (acc)\n")
    rows = re.findall(r"^\| (\S+) \| new(\d)", text, re.MULTILINE)
    assert rows == [("**REGRESSED**", "0"), ("**UNDERPOWERED**", "1"), ("PASS", "2")]
    assert text.count("<details>") == text.count("</details>") == 2
    assert "lost 60 and gained 0 of 500" in text


def test_a_hostile_name_makes_no_row_heading_or_html_of_its_own():
    text = summary(outcome(name=HOSTILE))
    assert not re.search(r"(?<!\\)<(?!/?(details|summary)>)(?=[a-zA-Z!/])", text)
    assert not re.search(r"^## PASS", text, re.MULTILINE)
    assert "@everyone" not in text
    assert not re.search("[\x00-\x08\x1b\u202e\ud800]", text)
    body = [line for line in text.splitlines() if line.startswith("|")]
    assert len(body) == 5
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in body} == {12}


@pytest.mark.parametrize("limit", [3_000, 6_000, 20_000])
def test_a_summary_is_cut_to_its_limit_in_bytes_with_a_note_of_what_was_left_out(limit):
    few = outcome(lost=(60, 0))
    many = replace(few, verdicts=few.verdicts * 100)
    text = summary(many, limit)
    assert len(text.encode()) <= limit
    shown = len(re.findall(r"^\| (\*\*)?(REGRESSED|PASS)", text, re.MULTILINE))
    missing = 200 - shown
    assert (
        f"{missing} of 200 verdicts, and the details, are left out" in text
        if missing
        else "details are left out" in text
    )
    assert text.count("<details>") == text.count("</details>")


def test_an_ordinary_summary_is_far_below_githubs_limit_and_whole():
    text = summary(outcome())
    assert LIMIT == 1024 * 1024
    assert "left out" not in text


def test_a_name_of_two_megabytes_does_not_push_the_verdict_out():
    text = summary(outcome(name="é" * 2_000_000))
    assert text.startswith("## REGRESSED")
    assert len(text.encode()) < LIMIT


def cases(made):
    root = ET.fromstring(junit(made))
    return root.find("testsuite"), root.findall("testsuite/testcase")


def test_a_test_case_a_verdict():
    suite, listed = cases(outcome())
    assert dict(suite.attrib) == {
        "name": "minizoo gate mine", "tests": "3", "failures": "1", "errors": "1", "skipped": "0"
    }  # fmt: skip
    assert [(case.get("classname"), case.get("name"), case[0].tag) for case in listed] == [
        ("new0 against old", "winogrande acc", "failure"),
        ("new1 against old", "winogrande acc", "error"),
        ("new2 against old", "winogrande acc", "system-out"),
    ]
    assert "lost: 60\ngained: 0" in listed[0][0].text
    assert listed[0][0].get("message").startswith("REGRESSED: worse: lost 60 and gained 0 of 500")


@pytest.mark.parametrize("tier", ["supporting", "advisory"])
def test_what_fails_nothing_is_skipped(tier):
    made = outcome()
    made = replace(made, verdicts=tuple(replace(one, tier=tier) for one in made.verdicts))
    _, listed = cases(made)
    assert [case[0].tag for case in listed] == [
        "failure" if tier == "supporting" else "skipped",
        "skipped",
        "system-out",
    ]


def test_an_empty_plan_is_a_case_of_its_own_that_fails():
    suite, (case,) = cases(replace(outcome(), verdicts=()))
    assert (suite.get("errors"), case.get("name"), case[0].tag) == ("1", "anything compared", "error")


def test_xml_holds_no_character_that_it_cannot():
    _, listed = cases(outcome(name=HOSTILE))  # which parses
    assert listed[0].get("classname").startswith("a|b`<script>[31m]]>&")
