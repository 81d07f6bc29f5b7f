"""The tables of a speed page: every row with what it must be read with, by the hardware that it ran on, and whose it is."""

from __future__ import annotations

import random

import pytest
from support.report_pages import Page
from support.speed_rows import A100, FIGURES, everything, failed_scoring, figure, page_of, point, ratio, scoring, suite

from reports.cells import ABSENT
from reports.speed.section import SpeedRows, section

WHO = -1
VERDICT = -2


def table(name: str, html: str) -> Page:
    """The table of that name."""
    return Page(html[html.index(f'aria-label="{name}"') :].split("</table>")[0])


def points(*rows: dict, figures: list = FIGURES) -> Page:
    return table("Table of speeds", page_of(SpeedRows(points=rows, figures=figures)))


def test_a_point_stands_under_its_gpu_with_all_its_columns():
    assert points(point()).rows == [
        ["Model", "Workload", "Batch", "Weights", "Output tokens/s", "ITL ms", "TTFT ms", "J/token", "% of roofline",
         "Peak memory", "Validity", "Who, when (UTC)"],
        [f"{A100}, compute capability 8.0"],
        ["minitron-4b", "chat, 512 → 128", "8", "randombfloat16", "812.50731.25–893.75", "9.80008.8200–10.780",
         "41.00036.900–45.100", "0.35000.3150–0.3850", "61.3bandwidth-bound", "9.87 GB", "validpower-capped",
         "measured here2026-11-30 08:15"],
    ]  # fmt: skip


def test_gpus_stand_by_product_and_capability_before_processors():
    others = [
        point(gpu="NVIDIA A100-PCIE-40GB"),
        point(gpu="NVIDIA A30", capability=None),
        point(gpu=None, device="cpu", capability=None),
        point(gpu=None, device="cpu", processor=None, capability=None),
    ]
    made = section(SpeedRows(points=[*others[::-1], point(), point(model="a")]))
    assert made is not None
    assert [(hardware.name, len(hardware.lines)) for hardware in made.hardware] == [
        ("NVIDIA A100-PCIE-40GB, compute capability 8.0", 1),
        (f"{A100}, compute capability 8.0", 2),
        ("NVIDIA A30", 1),
        ("AMD EPYC 7763", 1),
        ("cpu", 1),
    ]


def test_points_are_in_the_order_of_models_then_sizes_the_newest_first():
    old = point(finished_at="2026-11-29T00:00:00Z")
    rows = [old, point(batch=32), point(), point(model="a", batch=64), point(input_tokens=128)]
    made = section(SpeedRows(points=rows))
    assert made is not None
    assert [(line.model, line.workload, line.batch, line.finished[:10]) for line in made.hardware[0].lines] == [
        ("a", "chat, 512 → 128", "64", "2026-11-30"),
        ("minitron-4b", "chat, 128 → 128", "8", "2026-11-30"),
        ("minitron-4b", "chat, 512 → 128", "8", "2026-11-30"),
        ("minitron-4b", "chat, 512 → 128", "8", "2026-11-29"),
        ("minitron-4b", "chat, 512 → 128", "32", "2026-11-30"),
    ]


def test_what_is_not_valid_is_dimmed_says_why_and_is_in_no_headline():
    rows = [
        point(),
        point(task="b", batch=16, valid=False, reasons="12 % of a step took less time than the roofline allows"),
        point(task="c", status="failed", valid=False, reasons="out of memory", reason="out of memory", batch=512),
    ]
    figures = [*FIGURES, figure("itl", 0.001, task="b")]
    page = points(*rows, figures=figures)
    told = [row[VERDICT] for row in page.rows[2:]]
    assert told == [
        "validpower-capped",
        "invalid12 % of a step took less time than the roofline allows",
        "failedout of memory",
    ]
    classes = [attributes.get("class") for tag, attributes in page.elements if tag == "tr"]
    assert classes == [None, "group", None, "invalid", "invalid"]
    assert page.rows[4][4:8] == [ABSENT] * 4
    html = page_of(SpeedRows(points=rows, figures=figures))
    assert "<b>1</b> valid points measured here" in html
    assert "Fastest of 1 model timed at batch 8" in html
    assert "No model was timed here yet" in page_of(SpeedRows(points=rows[1:]))


def test_a_point_that_ran_but_has_a_failed_record_is_not_valid():
    made = section(SpeedRows(points=[point(status="failed", reason="the device stopped answering")]))
    assert made is not None
    line = made.hardware[0].lines[0]
    assert (line.valid, line.reasons) == (False, "the device stopped answering")


def test_too_few_samples_for_a_median_are_a_mean_that_says_so():
    few = [figure("output_rate", None, n=3), figure("output_rate", 800.0, statistic="mean", n=3)]
    assert points(point(), figures=few).rows[2][4:6] == ["800.00mean of 3", ABSENT]


def test_memory_says_what_counted_it():
    shown = [
        points(point(**changes)).rows[2][9]
        for changes in (
            {},
            {"peak_allocator": 24_560_000},
            {"peak_allocator": None},
            {"peak_allocator": None, "peak_device": None, "peak_resident": 5e8},
        )
    ]
    assert shown == ["9.87 GB", "24.6 MB", "11.00 GBwhole device", "0.50 GBprocess"]


def test_an_open_loop_shows_its_rate_and_what_is_unknown_nothing():
    rows = [point(batch=None, rate=2.5), point(task="x", batch=None, input_tokens=None, point="any")]
    shown = {(row[1], row[2]) for row in points(*rows).rows[2:]}
    assert shown == {("chat, 512 → 128", "2.5 requests/s"), ("chat, any", ABSENT)}


@pytest.mark.parametrize(
    ("source", "name", "shown"),
    [
        ("measured", None, "measured here"),
        ("imported", None, "imported"),
        ("contributed", "Ada Lovelace", "contributed by Ada Lovelace"),
        ("contributed", None, "contributed, nobody named"),
        ("contributed", " ", "contributed, nobody named"),
        ("contributed", "measured here", "contributed by measured here"),
    ],
)
def test_every_row_says_whose_it_is(source: str, name: str | None, shown: str):
    rows = Page(page_of(everything(source=source, contributed_by=name))).rows
    told = [row[WHO].removesuffix("2026-11-30 08:15") for row in rows]
    assert told.count(shown) == 4


def test_a_ratio_has_both_batches_its_interval_and_its_rule():
    rows = [ratio(), ratio(mode="equal memory", batch=20, memory_budget=24e9, metric="ttft", valid=False)]
    page = table("Table of speed ratios", page_of(SpeedRows(ratios=rows)))
    assert page.rows[1:] == [
        ["minitron-4b", "minitron-8b", "chat, 512x128.b8", "equal batch", "8 : 8", "output rate", "1.7500",
         "1.7000–1.8000", "9 : 9", "valid", "random", "bfloat16", "measured here2026-11-30 08:15"],
        ["minitron-4b", "minitron-8b", "chat, 512x128.b8", "equal memory (24.00 GB)", "20 : 8", "TTFT", "1.7500",
         "1.7000–1.8000", "9 : 9", "invalid", "random", "bfloat16", "measured here2026-11-30 08:15"],
    ]  # fmt: skip
    assert ("tr", {"class": "invalid"}) in page.elements


def test_scoring_shows_its_part_of_the_task_and_how_it_stands_to_fp32():
    rows = [
        scoring(),
        scoring(task="scoring.piqa", conforms=False, flips_from_fp32=3, note="half of it was scored"),
        scoring(task="scoring.wikitext", conforms=None, checked_documents=0, flips_from_fp32=None),
        failed_scoring(task="scoring.winogrande"),
    ]
    page = table("Table of scoring times", page_of(SpeedRows(scoring=rows)))
    assert page.rows[1] == [
        "minitron-4b", "hellaswag 10-shot", "120 of 10,042", "12.500 s", "50.000 slm-eval HFLM, batch 1", "4.0000×",
        "0|Δ log p| ≤ 3.1e-02", "conforms: 0 flips of 20, the reference 1", "random", "bfloat16",
        "measured here2026-11-30 08:15",
    ]  # fmt: skip
    assert [row[7] for row in page.rows[2:]] == [
        "does not conform: 3 flips of 20, the reference 1half of it was scored",
        "not checked",
        "failedout of memory",
    ]
    assert page.rows[4][2:7] == [ABSENT] * 5
    assert ("tr", {"class": "invalid"}) in page.elements
    assert ("span", {"class": "failed"}) in page.elements


def test_a_suite_says_where_parts_of_tasks_stand_for_the_whole():
    suites = [suite(), suite(model="minitron-8b", extrapolated=False)]
    page = table("Table of scoring times of all tasks", page_of(SpeedRows(suites=suites)))
    assert [row[4] for row in page.rows[1:]] == ["4.0000×extrapolated", "4.0000×"]


def test_no_speed_is_no_table_and_scoring_alone_is_one():
    plain = page_of(SpeedRows())
    assert 'id="points-title"' not in plain
    assert 'id="scoring-title"' not in plain
    assert section(SpeedRows()) is None
    assert 'id="scoring-title"' in page_of(SpeedRows(scoring=[scoring()]))


def test_the_same_rows_in_any_order_are_the_same_bytes():
    shuffled = random.Random(18)
    kinds = {
        "points": [point(task=f"t{i}", batch=i % 3) for i in range(9)],
        "figures": [figure("itl", i / 100, task=f"t{i}") for i in range(9)],
        "ratios": [ratio(task=f"t{i}", n=i) for i in range(9)],
        "scoring": [scoring(seconds=float(i)) for i in range(9)],
        "suites": [suite(seconds=float(i)) for i in range(9)],
    }
    made = page_of(SpeedRows(**kinds))
    for _ in range(3):
        assert made == page_of(SpeedRows(**{name: shuffled.sample(rows, len(rows)) for name, rows in kinds.items()}))
    assert made != page_of(SpeedRows(**{**kinds, "suites": [suite(seconds=99.0)]}))


TEXTS = (
    "run_id", "model", "against", "gpu", "processor", "capability", "device", "dtype", "workload", "point", "weights",
    "mode", "metric", "task", "reference", "note", "reasons", "note_codes", "contributed_by", "bound_by",
)  # fmt: skip
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    '"><b title="x" onclick="alert(1)">',
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; \u202egnp.exe\0\ud800",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_contributor_names_stays_text(name: str):
    def made(text: str) -> tuple[str, Page]:
        html = page_of(everything(source="contributed", **dict.fromkeys(TEXTS, text)))
        return html, Page(html)

    html, page = made(name)
    _, plain = made("plain")
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    assert not any(attribute.startswith("on") for _, attributes in page.elements for attribute in attributes)
    readable = name.replace("\0", "\ufffd").replace("\ud800", "\ufffd")
    assert page.rows[-1][WHO] == f"contributed by {readable}"
    assert html.encode().decode() == html
