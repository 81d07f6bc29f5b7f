"""The page of claims: each sentence with the verdict that `minizoo claims` gives it."""

import re

import pytest
from support.model_site import MODEL, measured_site
from support.report_pages import Page

from harness.store.claim_evidence import claim_evidence
from reports.pages import claims
from zoo.claims.judge import judge_claims


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return measured_site(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def judged(measured):
    return judge_claims(measured.registry, claim_evidence(measured.results, measured.registry))


@pytest.fixture(scope="module")
def html(measured):
    ((_, made),) = claims.pages(measured)
    return made


def test_every_claim_stands_under_its_verdict(html, judged):
    sections = dict(re.findall(r'<section>\n<h2 id="(\w+)">(.*?)</section>', html, re.DOTALL))
    for claim in judged:
        assert f'id="{claim.id}"' in sections[claims.VERDICTS[claim.verdict][0]]


def test_the_first_sentence_counts_them_all(html, judged):
    told = Page(html).text
    assert f"Of {len(judged)} checkable sentences" in told
    counts = [int(number) for number in re.findall(r"(\d+) (?:is|are) ", claims.summary(judged))]
    assert sum(counts) == len(judged)


def test_every_step_stands_with_its_number_and_formula(html, judged):
    text = Page(html).text
    for claim in judged:
        for step in claim.steps:
            assert step.text in text
            assert (step.formula or "") in text


def test_a_measured_score_is_held_against_the_claim_and_leads_to_its_run(html, judged):
    step = next(step for claim in judged for step in claim.steps if step.measured is not None)
    assert f"runs/{step.measured.run_id}.html" in html
    assert f"minizoo eval --model {MODEL}" in html


def test_bold_and_italics_of_a_card_are_no_stars_and_lines(html):
    quotes = re.findall(r"<blockquote>(.*?)</blockquote>", html, re.DOTALL)
    assert not [quote for quote in quotes if "**" in quote or re.search(r"(?<!\w)_\w", quote)]
    assert "<strong>40x fewer training tokens</strong>" in html
    assert "<em>Zero-shot performance.</em>" in html


def test_no_claims_are_no_sentence():
    assert claims.summary(()) == ""
