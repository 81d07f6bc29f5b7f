"""The page of lm-eval's tasks, docs/lm-eval-tasks.md: `python -m minizoo.display.lm_eval_tasks > docs/lm-eval-tasks.md`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import click

from backends.generation_settings import UNSUPPORTED
from harness.lmeval.loading.index import lm_eval_tasks, stock
from harness.lmeval.loading.support import DEFAULT_OUTPUT_TYPE, is_function, refused

Configs = Mapping[str, Mapping[str, Any]]

INTRODUCTION = """# lm-eval's tasks

What of lm-eval {version}'s own tasks `minizoo eval --tasks NAMES` runs, by their files alone: no data is read for it. A task
that is run does what lm-eval does: its prompts, requests, filters, judging and aggregation are lm-eval's objects. One that is
not run is refused by name before its data is read. A test walks all task files and compares this page.

A task may still need a package or a metric of the evaluate library that is not installed, or data that cannot be had: that is
said when it is loaded, before a model runs. A document may ask for several kinds of request (SQuAD v2: a generation and a
log-likelihood).
"""
OWN_CODE = "(the task's own function)"
REASONS = {
    "runs generated code": "lm-eval runs what the model writes inside the measuring process; `humaneval` and `mbpp_0shot` are "
    "minizoo's own, in a sandbox",
    "images or sound": "minizoo runs text alone; lm-eval's text models refuse them too",
    "generation settings": "beam search, which changes the answer",
    "metrics": "lm-eval cannot load it either: a metric without an aggregation",
}
"""Word of `harness.lmeval.loading.support` → why."""


def tasks_page() -> str:
    """The page as Markdown."""
    index = stock()
    tasks = {name: entry.cfg for name, entry in index.items() if entry.kind.name in ("TASK", "PY_TASK")}
    kinds = Counter(entry.kind.name for entry in index.values())
    out = {name: found[0] for name, config in tasks.items() if (found := refused(name, config))}
    run = {name: config for name, config in tasks.items() if name not in out}
    lines = [
        INTRODUCTION.format(version=version("lm-eval")),
        f"**{len(tasks):,} tasks** ({kinds['PY_TASK']} of them Python classes), {kinds['GROUP']} groups, {kinds['TAG']} tags: "
        f"**{len(run):,} are run, {len(out)} refused.**\n",
        "## Refused\n",
        *_table(("reason", "tasks", "why", "which"), _refusals(out)),
        "## By what they ask for\n",
        *_table(("output type", "tasks", "run", "refused"), _counted(tasks, out, _output_types)),
        *_table(("generation setting", "tasks", "run", "refused"), _counted(tasks, out, _generation_keys)),
        *_table(("filter", "tasks", "run", "refused"), _counted(tasks, out, _filters)),
        *_table(("metric", "tasks", "run", "refused"), _counted(tasks, out, _metrics)),
        *_table(("aggregation", "tasks", "run", "refused"), _counted(tasks, out, _aggregations)),
        *_table(("else", "tasks", "run", "refused"), _counted(tasks, out, _else)),
        "## Python classes\n",
        *_table(("class", "tasks"), _classes(tasks)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join('--:' if head in ('tasks', 'run', 'refused') else '---' for head in heads)}|"
    for row in rows:
        yield f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell) for cell in row)} |"
    yield ""


def _refusals(out: Mapping[str, str]) -> Iterator[Sequence[object]]:
    for reason, count in Counter(out.values()).most_common():
        names = sorted(name for name, word in out.items() if word == reason)
        yield reason, count, REASONS[reason], ", ".join(f"`{name}`" for name in names)


def _counted(tasks: Configs, out: Mapping[str, str], words_of: Any) -> Iterator[Sequence[object]]:
    """A row a word: the tasks that it stands in, those of them that are run, and those that are refused."""
    asked, kept = Counter[str](), Counter[str]()
    for name, config in tasks.items():
        words = set() if "class" in config else set(words_of(config))
        asked.update(words)
        kept.update(set[str]() if name in out else words)
    for word, count in sorted(asked.items(), key=lambda item: (-item[1], item[0])):
        yield f"`{word}`" if word != OWN_CODE else word, count, kept[word], count - kept[word]


def _output_types(config: Mapping[str, Any]) -> Iterator[str]:
    yield config.get("output_type", DEFAULT_OUTPUT_TYPE)


def _generation_keys(config: Mapping[str, Any]) -> Iterator[str]:
    kwargs: Mapping[str, Any] = config.get("generation_kwargs") or {}
    for key, value in kwargs.items():
        yield f"{key}: {value}" if key in UNSUPPORTED else key


def _filters(config: Mapping[str, Any]) -> Iterator[str]:
    for pipeline in config.get("filter_list") or ():
        for step in pipeline["filter"]:
            yield OWN_CODE if is_function(step["function"]) else step["function"]


def _metrics(config: Mapping[str, Any]) -> Iterator[str]:
    """lm-eval's own by name; what a task's own function judges is one word."""
    for entry in config.get("metric_list") or ():
        yield OWN_CODE if config.get("process_results") or is_function(entry["metric"]) else entry["metric"]


def _aggregations(config: Mapping[str, Any]) -> Iterator[str]:
    for entry in config.get("metric_list") or ():
        named = entry.get("aggregation")
        yield "(the metric's own)" if named is None else OWN_CODE if is_function(named) else named


def _else(config: Mapping[str, Any]) -> Iterator[str]:
    fewshot: Mapping[str, Any] = config.get("fewshot_config") or {}
    yield f"sampler: {fewshot.get('sampler', 'default')}"
    yield from (f"repeats: {config['repeats']}" for _ in range((config.get("repeats") or 1) > 1))
    yield from (
        key
        for key in ("process_docs", "process_results", "custom_dataset", "doc_to_choice", "gen_prefix", "unsafe_code")
        if config.get(key)
    )


def _classes(tasks: Configs) -> Iterator[Sequence[object]]:
    found: dict[str, list[str]] = {}
    for name, config in tasks.items():
        if "class" in config:
            found.setdefault(config["class"].removeprefix(f"{lm_eval_tasks()}/"), []).append(name)
    for kind, names in sorted(found.items()):
        yield f"`{kind}`", ", ".join(f"`{name}`" for name in sorted(names))


if __name__ == "__main__":
    click.echo(tasks_page(), nl=False)
