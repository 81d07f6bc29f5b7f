"""A pair's own page: the tables of `minizoo compare`, the documents that changed, and honest words where nothing compares."""

import html
import json

import pytest
from support.browser import HOSTILE, opened, scrolls_sideways, violations
from support.compared import keep
from support.compared_site import CHILD, OTHER, PARENT, answers, columns, site, written
from support.page_cells import table_cells

from harness.compare.comparison import compare_sides
from harness.compare.sides.run_side import model_side
from harness.records.files import folder_name, run_folder
from reports.compare import beside
from reports.compare.blocks import comparison_blocks
from reports.compare.outcomes import Outcomes
from reports.compare.packed import NO_ROOM, packed
from reports.pages.comparisons import pages

EDGE = f"compare/{PARENT}--{CHILD}.html"
INDEX = "compare/index.html"
LONG = "x" * 10_000
PROMPTS = [f"Few-shot examples. {HOSTILE}\n" * 40 + f"Which word is a colour, of question {i}?" for i in range(10, 50)]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    for model, share in ((PARENT, 0.9), (CHILD, 0.4)):
        asked = {"prompt": PROMPTS, "choices": json.dumps(["red", HOSTILE]), "gold": 0, "gold_logprob": -1.5}
        first, second = (-1.5, -2.5) if model == PARENT else (-2.5, -1.5)
        told = {"responses": "[]", "filtered": json.dumps([[first, True], [second, False]])}
        keep(results=folder, model=model, values=answers(int(9 * share), 40, share), columns=columns(40) | asked | told)
        texts = {"filtered": json.dumps([f"{HOSTILE} {LONG}"]), "target": "a text \u202e turned"}
        keep(folder, model, answers(int(8 * share), 30, share), "gsm8k", "exact_match", columns=columns(30) | texts)
        keep(folder, model, answers(3, 30, share), "refused", columns=columns(30), shots=int(10 * share))
    keep(folder, OTHER, answers(1, 20, 0.5), "alone", columns=columns(20))
    keep(folder, LONG, [1.0, float("nan"), 0.0], "winogrande", columns=columns(3))
    return folder


@pytest.fixture(scope="module")
def made(results):
    return dict(pages(site(results, asked_pairs=((PARENT, OTHER), ("gone", PARENT), (PARENT, LONG)))))


@pytest.fixture(scope="module")
def files(made, tmp_path_factory):
    return written(made.items(), tmp_path_factory.mktemp("site"))


def test_its_tables_are_those_of_the_terminal(results, made):
    a, b = (model_side(name, results) for name in (PARENT, CHILD))
    cells = table_cells(made[EDGE])
    for block in comparison_blocks(compare_sides(a, b)):
        for row in block.rows:
            assert list(row) in cells


def test_scores_lead_to_their_runs_and_names_to_their_models(results, made):
    for name in (PARENT, CHILD):
        assert f'href="../models/{name}.html"' in made[EDGE]
        assert all(f'href="../runs/{run_id}.html"' in made[EDGE] for run_id in model_side(name, results).run_ids)


def test_a_document_that_changed_shows_what_was_asked_and_what_was_answered(browser, files):
    with opened(browser, files[EDGE]) as page:
        task = page.locator("details.flips", has_text="winogrande, acc")
        document = task.locator("tbody", has_text="question").first
        assert "Which word is a colour, of question" in document.locator("summary").inner_text()
        assert "ending 0: red" in document.inner_text()
        document.locator("summary").click()
        assert document.locator("ol li").all_inner_texts() == ["red right A", f"{HOSTILE} B"]
        whole = document.locator("pre").inner_text()
    assert (
        whole.startswith(f"… {len(PROMPTS[0]) - beside.PROMPT:,} characters before …") or "characters before" in whole
    )
    assert HOSTILE in whole


def test_a_long_answer_is_cut_in_the_table_and_its_beginning_shown_below(browser, files):
    with opened(browser, files[EDGE]) as page:
        task = page.locator("details.flips", has_text="gsm8k, exact_match")
        task.locator("summary").first.click()
        document = task.locator("tbody").first
        assert HOSTILE in document.locator("td.answer").nth(1).inner_text()
        document.locator("summary").click()
        assert "A answered:" in document.inner_text()
        assert len(document.inner_text()) < 3 * beside.ANSWER


def test_no_more_questions_than_the_page_has_room_for(results, monkeypatch):
    monkeypatch.setattr(beside, "PAGE", 5_000)
    page = dict(pages(site(results)))[EDGE]
    assert page.count('class="asked"') in range(1, 8)
    assert "of these documents asked is left out here" in page


def test_a_refused_task_says_why_and_an_edge_comes_with_how_much_is_kept(made):
    assert "refused refused: other shots: 9 against 4." in made[EDGE]
    assert "Of A's score above chance B keeps" in html.unescape(made[EDGE])


def test_pairs_that_cannot_be_compared_have_a_page_that_says_why(made):
    assert "The two have no task in common." in made[f"compare/{PARENT}--{OTHER}.html"]
    gone = made[f"compare/gone--{PARENT}.html"]
    assert "There is no model or run named" in gone
    assert "not compared" in made[INDEX]


def test_two_runs_of_one_model_are_compared_by_their_ids(tmp_path):
    runs = [keep(tmp_path, PARENT, answers(at, 30, 0.5), columns=columns(30)).run_id for at in (1, 2)]
    page = dict(pages(site(tmp_path, asked_pairs=(tuple(runs),))))[f"compare/{runs[0]}--{runs[1]}.html"]
    assert all(f'href="../runs/{run_id}.html"' in page for run_id in runs)
    assert f"minizoo compare {runs[0]} {runs[1]} --show-flips" in page


def test_equal_input_gives_equal_bytes(results, made):
    again = dict(pages(site(results, asked_pairs=((PARENT, OTHER), ("gone", PARENT), (PARENT, LONG)))))
    assert again == made


def test_no_page_names_the_folder_that_it_was_made_from(tmp_path):
    for model in (PARENT, CHILD):
        record = keep(tmp_path, model, answers(len(model), 30, 0.5), columns=columns(30))
        (run_folder(tmp_path, record.run_id) / folder_name(record.task) / "samples.parquet").write_bytes(b"cut")
    found = dict(pages(site(tmp_path)))
    assert not any(str(tmp_path) in page for page in found.values())


def test_an_empty_store_and_a_single_model_say_what_to_run(tmp_path):
    empty = dict(pages(site(tmp_path)))
    assert list(empty) == [INDEX]
    assert "minizoo eval --model nano-teacher" in empty[INDEX]
    keep(tmp_path, PARENT, answers(1, 30, 0.5), columns=columns(30))
    alone = dict(pages(site(tmp_path)))
    assert 'id="pair"' not in alone[INDEX]
    assert "Nothing to compare yet" in alone[INDEX]


def test_a_store_of_failures_only_says_what_to_run(tmp_path):
    for model in (PARENT, CHILD):
        keep(tmp_path, model, [], scores=(), status="failed", reason="it broke", code="broken")
    assert "Nothing to compare yet" in dict(pages(site(tmp_path)))[INDEX]


def test_what_there_is_no_room_for_is_left_out_whole_and_named(results):
    outcomes = Outcomes()
    for name in (PARENT, CHILD):
        outcomes.add(name, model_side(name, results))
    whole, cut = packed(outcomes), packed(outcomes, room=30)
    assert whole.left_out == ()
    assert cut.left_out
    left = {
        task["task"] for model in cut.data["models"] for task in model["tasks"] if any("why" in by for by in task["by"])
    }
    assert left == set(cut.left_out)
    assert NO_ROOM in cut.data["reasons"]
    assert sum(map(len, cut.data["arrays"])) <= 30


@pytest.mark.parametrize("address", [EDGE, INDEX, f"compare/gone--{PARENT}.html"])
def test_every_page_is_in_order_for_ears_and_for_a_telephone(browser, files, address):
    assert violations(browser, files[address]) == []
    with opened(browser, files[address], 375, color_scheme="dark") as page:
        assert not scrolls_sideways(page)


def test_a_name_of_ten_kilobytes_breaks_no_page(browser, files):
    (address,) = [at for at in files if at.startswith(f"compare/{PARENT}--xxx")]
    for at in (address, INDEX):
        with opened(browser, files[at], 375) as page:
            assert not scrolls_sideways(page)


def test_it_prints(browser, files):
    with opened(browser, files[EDGE]) as page:
        page.emulate_media(media="print")
        assert page.pdf()[:4] == b"%PDF"


def test_many_tasks_share_the_lines_of_a_page(results, monkeypatch):
    monkeypatch.setattr(beside, "MOST_LINES", 12)
    page = dict(pages(site(results)))[EDGE]
    assert page.count('<td class="way ') == 12  # six documents of each of two tasks
    assert "--tasks gsm8k --show-flips" in page
