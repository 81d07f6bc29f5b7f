"""Any two models compared by the page's script: the same numbers as `minizoo compare`, the same refusals."""

import itertools
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.browser import opened, scrolls_sideways, violations
from support.compared_site import CHILD, ODD, OTHER, PARENT, make, site, written

from harness.compare.comparison import compare_sides
from harness.compare.sides.run_side import shown_side
from harness.stats.paired.binary import difference_interval, mcnemar
from harness.stats.paired.holm import holm
from harness.stats.paired.retained import retained
from reports.compare.cells import interval, kept, score, signed
from reports.pages.comparisons import pages

MODELS = (PARENT, CHILD, OTHER, ODD)
ELSEWHERE = {"graded", "passages", "by_tasks"}
PAIR = """([a, b]) => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const model = (id) => data.models.find((each) => each.id === id);
  return comparePair(data, model(a), model(b));
}"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    make(folder)
    return folder


@pytest.fixture(scope="module")
def made(results, tmp_path_factory):
    return written(pages(site(results)), tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def tab(browser, made):
    with opened(browser, made["compare/index.html"]) as page:
        yield page


@pytest.fixture(scope="module")
def sides(results):
    reader = site(results).reader
    return {name: shown_side(name, results, reader) for name in MODELS}


@pytest.mark.parametrize("pair", itertools.permutations(MODELS, 2), ids=" ".join)
def test_every_number_of_the_script_is_the_one_of_minizoo_compare(tab, sides, pair):
    found = {row["task"]: row for row in tab.evaluate(PAIR, list(pair))["rows"]}
    ours = {row.key.task: row for row in compare_sides(*(sides[name] for name in pair)).rows}
    assert set(found) == set(ours)
    assert {task for task, row in found.items() if "elsewhere" in row} == ELSEWHERE
    for task, row in ours.items():
        if task in ELSEWHERE:
            continue
        theirs = found[task]
        if row.refused:
            assert row.refused.startswith(theirs["refused"]), task  # ours may name the first document
            continue
        tested = row.tested
        assert tested.test == "exact McNemar", task
        assert [theirs[name] for name in ("n", "lost", "gained")] == [tested.n, tested.lost, tested.gained], task
        numbers = [tested.a_value, tested.b_value, tested.difference, tested.lower, tested.upper, tested.p_value]
        assert [theirs[name] for name in ("a", "b", "difference", "lower", "upper", "p")] == pytest.approx(
            numbers, abs=1e-9
        )
        assert theirs["notes"] == list(row.notes), task
        if row.retained is None or row.retained.value is None:
            assert theirs["kept"] is None, task
        else:
            share = [row.retained.value, row.retained.lower, row.retained.upper]
            assert [theirs["kept"][name] for name in ("value", "lower", "upper")] == pytest.approx(share, abs=1e-8), (
                task
            )


def test_p_values_are_adjusted_over_the_rows_that_are_shown(tab):
    rows = [row for row in tab.evaluate(PAIR, [PARENT, CHILD])["rows"] if "p" in row]
    assert [row["pHolm"] for row in rows] == pytest.approx(holm([row["p"] for row in rows]))
    assert {row["verdict"] for row in rows} >= {"worse", "no difference shown"}


def test_cells_are_written_as_on_a_terminal(browser, made, sides):
    rows = {row.key.task: row for row in compare_sides(sides[PARENT], sides[OTHER]).rows if row.tested}
    with opened(browser, f"{made['compare/index.html']}#a={PARENT}&b={OTHER}") as page:
        lines = page.locator("#result tbody tr").all()
        shown = {cells[0]: cells[1:] for cells in (line.locator("th, td").all_inner_texts() for line in lines)}
    for task in set(rows) - ELSEWHERE:
        tested, row = rows[task].tested, shown[task]
        numbers = [score(tested.a_value), score(tested.b_value), signed(tested.difference)]
        assert row[1:5] == [str(tested.n), *numbers], task
        assert row[5] == interval(tested.lower, tested.upper) or rows[task].higher_is_better is False, task
        assert row[9] == kept(rows[task].retained), task


counted = st.integers(1, 400).flatmap(
    lambda n: st.tuples(st.integers(0, n), st.integers(0, n)).map(lambda two: (*sorted(two), n))
)


@settings(max_examples=12, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.lists(counted, min_size=20, max_size=40))
def test_intervals_and_p_values_are_those_of_the_statistics(tab, cases):
    outcomes = [(low, high - low, n) for low, high, n in cases]  # lost, gained, of n
    found = tab.evaluate(
        "(all) => all.map(([l, g, n]) => [mcnemar(l, g), ...tangoInterval(l, g, n, 1.959963984540054)])", outcomes
    )
    for (lost, gained, n), numbers in zip(outcomes, found, strict=True):
        assert numbers[0] == pytest.approx(mcnemar(lost, gained), rel=1e-9)
        assert numbers[1:] == pytest.approx(difference_interval(lost, gained, n, 0.95), abs=1e-9)


@settings(max_examples=12, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.integers(2, 60).flatmap(lambda n: st.lists(st.tuples(st.booleans(), st.booleans()), min_size=n, max_size=n)))
def test_what_is_kept_has_fiellers_interval(tab, documents):
    a, b = ([float(right) for right in column] for column in zip(*documents, strict=True))
    both = sum(x * y for x, y in zip(a, b, strict=True))
    found = tab.evaluate("(given) => retained(...given, 0.25, 0.95)", [len(a), sum(a), sum(b), both])
    ours = retained(a, b, 0.25)
    if ours.value is None:
        assert found is None
    elif ours.lower is None or math.isclose(ours.upper - ours.lower, 0, abs_tol=1e-6) or abs(ours.upper) > 1e6:
        assert found["value"] == pytest.approx(ours.value)
    else:
        assert [found["value"], found["lower"], found["upper"]] == pytest.approx(
            [ours.value, ours.lower, ours.upper], rel=1e-6
        )


def test_the_quantile_of_students_t_is_scipys(tab):
    from scipy.special import stdtrit

    freedoms = [1, 2, 3, 4, 7, 30, 299, 10_041]
    found = tab.evaluate("(all) => all.map((freedom) => studentQuantile(freedom, 0.95))", freedoms)
    assert found == pytest.approx([float(stdtrit(freedom, 0.975)) for freedom in freedoms], rel=1e-9)


def test_numbers_midway_go_to_the_even_digit_as_python_writes_them(browser, made, sides):
    with opened(browser, f"{made['compare/index.html']}#a={PARENT}&b={CHILD}") as page:
        line = page.locator("#result tbody tr", has_text="short").inner_text()
    row = next(row for row in compare_sides(sides[PARENT], sides[CHILD]).rows if row.key.task == "short")
    assert (row.a_value, score(row.a_value)) == (0.78125, "0.7812")
    assert line.split()[3:5] == [score(row.a_value), score(row.b_value)]


def test_the_address_holds_the_pair_and_what_is_chosen_goes_into_it(browser, made):
    with opened(browser, f"{made['compare/index.html']}#a={PARENT}&b={CHILD}") as page:
        assert page.input_value("#a") == PARENT
        assert "B is worse on" in page.inner_text("#status")
        assert page.get_attribute("#result p.own a", "href") == f"../compare/{PARENT}--{CHILD}.html"
        page.click("#swap")
        assert page.input_value("#a") == CHILD
        assert not page.is_visible("#result p.own")
        assert "B is better on" in page.inner_text("#status")
        page.select_option("#b", ODD)
        address = page.url
    with opened(browser, address) as page:
        assert page.input_value("#b") == ODD
        assert ODD.replace("\u202e", "") in page.inner_text("#result h2").replace("\u202e", "")
        assert page.inner_text("#result pre").startswith(f"minizoo compare {CHILD} 'mine <b>'\"'\"'&")


def test_a_pair_that_is_not_there_or_no_pair_is_said(browser, made):
    with opened(browser, f"{made['compare/index.html']}#a={PARENT}&b=gone") as page:
        assert page.inner_text("#status") == "gone cannot be compared here."
        assert not page.is_visible("#result")
    with opened(browser, f"{made['compare/index.html']}#a={PARENT}&b={PARENT}") as page:
        assert page.inner_text("#status") == "Choose two different models."
        assert not page.is_visible("#result")


def test_scores_lead_to_their_runs(browser, made, sides):
    with opened(browser, f"{made['compare/index.html']}#a={PARENT}&b={CHILD}") as page:
        links = page.locator("#result tbody tr", has_text="plain").locator("a")
        addresses = [links.nth(at).get_attribute("href") for at in range(2)]
    runs = [next(key for key in sides[name].results if key.task == "plain") for name in (PARENT, CHILD)]
    ids = [sides[name].results[key].record.run_id for name, key in zip((PARENT, CHILD), runs, strict=True)]
    assert addresses == [f"../runs/{run_id}.html" for run_id in ids]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_in_order_for_ears_and_for_a_telephone(browser, made, scheme):
    address = f"{made['compare/index.html']}#a={PARENT}&b={ODD}"
    assert violations(browser, address, color_scheme=scheme) == []
    with opened(browser, address, 375, color_scheme=scheme) as page:
        assert not scrolls_sideways(page)


def test_without_scripts_the_list_of_pages_is_there(browser, made):
    with opened(browser, made["compare/index.html"], java_script_enabled=False) as page:
        assert not page.is_visible("#pair")
        assert not page.is_visible("#result")
        assert page.locator("#pages + p + div tbody tr").count() == 2


def test_it_works_by_keyboard_alone(browser, made):
    with opened(browser, made["compare/index.html"]) as page:
        page.focus("#a")
        page.keyboard.type(PARENT)
        page.keyboard.press("Tab")
        page.keyboard.type(CHILD)
        page.keyboard.press("Tab")
        assert "B is worse on" in page.inner_text("#status")
        page.keyboard.press("Enter")
        assert "B is better on" in page.inner_text("#status")
