"""docs/gate-certificate.md, from the figures alone: what is promised, what was simulated, what was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.nights import plan
from benchmarks.nights.assumed import ASSUMED, BEYOND
from benchmarks.nights.markdown import interval, percent, table, told
from benchmarks.nights.plan import BAR_DISCORDANCE, BARS

HEAD = """# The nightly gate's certificate

<!-- made by benchmarks/gate_calibration.py; nothing here is written by hand -->

How often `minizoo gate --policy nightly` alarms of nothing, and what it finds. Every figure is from
[benchmarks/gate_calibration.json](../benchmarks/gate_calibration.json), which one command made:

```
{command}
```

{made}
"""
TESTS_OF_OTHERS = {
    "paired": "minizoo, ratio of neighbours",
    "threshold": "5 % beyond a reference",
    "otava": "apache-otava {otava}",
}
OF_A_RULE = (
    "false_alarms", "series_with_false_alarm", "plan_nights_with_false_alarm", "first_night", "two_nights",
)  # fmt: skip
LOSS_WORDS = {"none": "none", "spread": "spread over all", "few": "in few documents"}


def page_of(document: dict[str, Any], reruns: dict[str, Any] | None) -> str:
    """The page, whole. `reruns`: the figures of benchmarks/gate_reruns.json, where they were made."""
    when = (
        f"{document['made'][:10]}, commit `{(document['commit'] or 'unknown')[:7]}`, {document['processors']} processors "
        f"({document['cpu']}), {document['seconds'] / 60:.0f} minutes, seed {document['seed']}."
    )
    parts = [
        _bars(document, reruns), _false_alarms(document), _losses(document), _slowdowns(document), _others(document),
        _gated(document), _reruns(reruns), _assumed(document),
    ]  # fmt: skip
    body = "\n\n".join("\n".join(part) for part in parts)
    return HEAD.format(command=document["command"], made=when) + "\n" + body + "\n"


def bars(document: dict[str, Any], reruns: dict[str, Any] | None) -> Iterator[tuple[str, str, str, bool]]:
    """What is promised, the bar, what was found, whether it is met."""
    worst = max(document["false_alarms"], key=lambda row: max(row["upper"], row["upper_by_series"]))
    upper = max(worst["upper"], worst["upper_by_series"])
    yield (
        "nights with a false alarm, over the whole plan", f"upper end ≤ {percent(BARS['false alarms'])}",
        f"{percent(worst['share'])}, upper end {percent(upper)} (the worst of {len(document['false_alarms'])} settings)",
        upper <= BARS["false alarms"],
    )  # fmt: skip
    for row in document["losses"]:
        if row["discordance"] == BAR_DISCORDANCE and row["loss"] == "spread":
            yield (
                f"a true loss of 1 point of `{row['task']}`, {percent(BAR_DISCORDANCE)} discordant, the first night",
                f"≥ {percent(BARS['loss'])}", told(row["detect"]), row["detect"]["share"] >= BARS["loss"],
            )  # fmt: skip
    for row in document["slowdowns"]:
        if row["pairs"] == plan.PAIRS:
            yield (
                f"a slow-down of 5 %, trials' noise {percent(row['speed_noise'])}, {row['pairs']} pairs, within two nights",
                f"≥ {percent(BARS['slow-down'])}", told(row["two_nights"]), row["two_nights"]["share"] >= BARS["slow-down"],
            )  # fmt: skip
    if reruns:
        found, of = reruns["passed"], reruns["runs"]
        yield (
            f"re-runs of identical code ({reruns['model']}) that pass",
            f"{of} of {of}",
            f"{found} of {of}",
            found == of,
        )


def missed_bars(document: dict[str, Any]) -> list[str]:
    """A line a bar of the simulation that is not met."""
    return [
        f"missed: {what}: {found}, and the bar is {bar}" for what, bar, found, met in bars(document, None) if not met
    ]


def _bars(document: dict[str, Any], reruns: dict[str, Any] | None) -> Iterator[str]:
    yield "## What is promised"
    yield ""
    yield from table("what|bar|found|met", [
        [what, bar, found, "yes" if met else "**no**"] for what, bar, found, met in bars(document, reruns)
    ])  # fmt: skip


def _false_alarms(document: dict[str, Any]) -> Iterator[str]:
    made = document["plan"]
    yield "## False alarms"
    yield ""
    yield (
        f"{made['models']} models × {len(made['tasks'])} tasks × {made['gpus']} GPUs: {made['tests']['accuracy']} tests of "
        f"accuracy, {made['tests']['gold']} of gold log-probability, {made['tests']['speed']} of speed a night, and whether a "
        "loss is beyond "
        f"the margin. Smallest p that alarms: " + ", ".join(f"{k} {v:.2g}" for k, v in made["thresholds"].items()) + "."
    )
    yield ""
    columns = "discordant|noise of speed|nights|alarms|a night|95 % interval|upper end, series as clusters"
    yield from table(f"{columns}|accuracy|gold|speed|margin|series with an alarm", [
        [
            percent(row["discordance"]), percent(row["speed_noise"]), f"{row['of']:,}", str(row["found"]),
            percent(row["share"]), interval(row), percent(row["upper_by_series"]),
            *(str(row["by_family"][family]["found"]) for family in ("accuracy", "gold", "speed", "release")),
            f"{row['series_with_alarm']} of {row['series']}",
        ]
        for row in document["false_alarms"]
    ])  # fmt: skip
    yield ""
    yield (
        f"A series is {made['nights_of_a_baseline']} nights against one baseline. Nights of one baseline are not independent "
        "(a lucky baseline is lucky every night), so the interval that takes series as clusters stands beside the plain one."
    )
    yield ""
    yield from table("discordant|seen|on heavy nights|alarms a million tests, usual|heavy|gold, were its margin 0", [
        [
            percent(row["discordance"]), percent(row["seen"]["mmlu"]), percent(row["seen_heavy"]["mmlu"]),
            *(f"{_a_million(row[cells], len(made['tasks'])):.1f}" for cells in ("usual_cells", "heavy_cells")),
            f"{percent(row['gold_without_margin']['share'])} of nights",
        ]
        for row in document["seen"]
    ])  # fmt: skip


def _losses(document: dict[str, Any]) -> Iterator[str]:
    yield "## A true loss of one point, the first night"
    yield ""
    columns = "task|discordant|loss|changed|McNemar|exact power|gold log-probability|either"
    margins = [each["margin"] for each in document["losses"][0]["release"]]
    columns += "".join(f"|margin {100 * m:g} pp: PASS|REGRESSED" for m in margins)
    yield from table(columns, [
        [
            f"`{row['task']}`", percent(row["discordance"]), LOSS_WORDS[row["loss"]], percent(row["changed"]),
            percent(row["detect"]["share"]), percent(row["exact"]),
            *(percent(row[by]["share"]) for by in ("gold", "either")),
            *(percent(each[verdict]["share"]) for each in row["release"] for verdict in ("passes", "breaches")),
        ]
        for row in document["losses"]
    ])  # fmt: skip
    yield ""
    yield (
        f"{document['losses'][0]['nights']:,} usual nights a row, each with a baseline of its own. 'McNemar' is what the gate "
        "detects by, at the whole plan's threshold (of HellaSwag the exact test by sources). 'exact power' is what `minizoo "
        "power` says where as many documents change in all as 'discordant' says; where few documents carry the loss it comes "
        "on top, so more change. At 10 % the power is printed, not promised. 'margin': the release verdict alone, by Tango's "
        "statistic; neither PASS nor REGRESSED is UNDERPOWERED. Gold sees nothing of a loss in which only wrong answers gain."
    )


def _slowdowns(document: dict[str, Any]) -> Iterator[str]:
    yield "## A slow-down of 5 %"
    yield ""
    yield from table("noise of a trial|pairs a night|first night|within two|nights with a false alarm, 20 series", [
        [
            percent(row["speed_noise"]), str(row["pairs"]), told(row["first_night"]), told(row["two_nights"]),
            told(row["plan_nights_with_false_alarm"]),
        ]
        for row in document["slowdowns"]
    ])  # fmt: skip
    yield ""
    yield (
        f"The plan has {plan.PAIRS} pairs of trials a night for each model and GPU. With 20 a single slow trial of the canary "
        "takes the highest rank and can hide the slow-down at so small an alpha: 20 pairs are too few."
    )


def _others(document: dict[str, Any]) -> Iterator[str]:
    yield "## The same speeds, other rules"
    yield ""
    columns = "noise|rule|of|series|false alarms a night and series|series with one in 20 nights|plan nights with one"
    yield from table(f"{columns}|first night|within two", [
        [
            percent(row["speed_noise"]), TESTS_OF_OTHERS[row["rule"]].format(otava=document["otava"]), row["data"],
            f"{row['two_nights']['of']:,}",
            *(percent(row[what]["share"]) if row[what] else "–" for what in OF_A_RULE),
        ]
        for row in document["others"]
    ])  # fmt: skip
    yield ""
    yield (
        "Otava analyses each series anew every night by its defaults (window 50, p 0.001, no least change); a change for the "
        "worse that no earlier night showed alarms. It is told nothing of a canary; given the ratio to one, it does as shown. "
        "It was made to find the night of a change afterwards, and 'first night' asks more of it than that."
    )


def _gated(document: dict[str, Any]) -> Iterator[str]:
    yield "## Nights through the gate itself"
    yield ""
    first = document["gated"][0]
    yield (
        "`gate_pairs` with the shipped policy on sides in memory: one model on one GPU a night, nine tasks at their sizes "
        f"({first['documents']:,} documents), {percent(first['discordance'])} discordant, no speed."
    )
    yield ""
    yield from table("loss of 1 point in|nights|REGRESSED|95 % interval|by accuracy|by gold|by margin|exit 0|exit 1|exit 3", [
        [
            {"none": "nothing (A/A)", "all": "every task"}.get(row["loss_in"], f"`{row['loss_in']}`"), f"{row['nights']:,}",
            f"{row['regressed']['found']:,}", interval(row["regressed"]),
            *(f"{row['by'][test]:,}" for test in ("accuracy", "gold", "release")),
            *(f"{row['exit_codes'].get(code, 0):,}" for code in "013"),
        ]
        for row in document["gated"]
    ])  # fmt: skip
    yield ""
    yield from table("loss in|" + "|".join(f"`{task}`" for task in first["by_task"]), [
        [row["loss_in"], *(_verdicts(found) for found in row["by_task"].values())] for row in document["gated"]
    ])  # fmt: skip
    yield ""
    yield (
        "R is REGRESSED, P is PASS, U is UNDERPOWERED, as shares of the nights. Exit 3 is a critical task whose loss is not "
        "shown to be within its margin: with one of half a point HellaSwag would often be so (the table of losses, rows "
        "without one). Code that flips less (below) passes."
    )


def _verdicts(found: dict[str, int]) -> str:
    total = sum(found.values())
    return " ".join(f"{name[0]} {100 * count / total:.0f}" for name, count in sorted(found.items()))


def _reruns(reruns: dict[str, Any] | None) -> Iterator[str]:
    yield "## Identical code, run again"
    yield ""
    if reruns is None:
        yield "Not made yet: `python benchmarks/gate_reruns.py --out benchmarks/gate_reruns.json`."
        return
    yield (
        f"`{reruns['command']}`, {reruns['made'][:10]}, {reruns['processors']} processors ({reruns['cpu']}): {reruns['model']} "
        f"on suite {reruns['suite']}, once as it is run ({reruns['first']}) and {reruns['runs']} times otherwise, each gated "
        f"against the first under `{reruns['policy']}`: {reruns['passed']} of {reruns['runs']} pass. Every run computes all "
        f"scores anew; answers are generated in every {reruns['generate_every']}th, and a run is gated by what it ran. On a "
        "CPU the packed form computes in fp32 whatever the weights' dtype, so digits differ little; the plain form computes "
        "in bfloat16 throughout."
    )
    yield ""
    yield from table("how|runs|pass|seconds a run", [
        [row["how"], str(row["runs"]), str(row["passed"]), f"{row['seconds']:.0f}"] for row in reruns["variations"]
    ])  # fmt: skip
    yield ""
    columns = "task|metric|documents|runs|changed, mean|at most|largest change of the score"
    yield from table(f"{columns}|gold log-probability: bias|sd|largest", [
        [
            f"`{task['task']}`", task["metric"], str(task["documents"]), str(task["runs"]),
            *([percent(task["discordance"]), percent(task["highest"])] if task["right_or_wrong"] else ["–", "–"]),
            f"{task['largest_difference']:+.1e}",
            *(f"{task['gold'][name]:.1e}" if task["gold"] else "–" for name in ("mean", "sd", "largest")),
        ]
        for task in reruns["tasks"]
    ])  # fmt: skip


def _assumed(document: dict[str, Any]) -> Iterator[str]:
    yield "## What a simulated night is"
    yield ""
    yield from (f"- {line}" for line in ASSUMED)
    yield ""
    yield "What it leaves out:"
    yield ""
    yield from (f"- {line}" for line in BEYOND)


def _a_million(cells: dict[str, int], tasks: int) -> float:
    """Alarms a million tests."""
    return 1e6 * cells["alarms"] / max(1, cells["of"] * tasks)
