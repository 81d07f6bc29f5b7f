"""Every task file of the pinned lm-eval is run or refused by name, and docs/lm-eval-tasks.md says which."""

import contextlib
import io
import json
from collections import Counter
from pathlib import Path

import pytest

from harness.lmeval.drop_in.task_index import served_index
from harness.lmeval.loading.expansion import expand, make_group
from harness.lmeval.loading.generation import SUPPORTED
from harness.lmeval.loading.index import folders_of, lm_eval_tasks, scanned_names, stock
from harness.lmeval.loading.support import JUDGED, OUTPUT_TYPES, is_function, refused
from harness.lmeval.loading.tasks import load_tasks
from harness.suites.suite import TaskSelection
from zoo.errors import (
    DataMissing,
    HubUnreachable,
    InvalidTask,
    MinizooError,
    PackageMissing,
    UnsafeTask,
    UnsupportedRequest,
)

ROOT = Path(__file__).parents[3]
REFUSED = {"images or sound": 47, "runs generated code": 35, "generation settings": 6, "metrics": 1}
CAUSES = {
    "images or sound": UnsupportedRequest,
    "runs generated code": UnsafeTask,
    "generation settings": UnsupportedRequest,
    "metrics": InvalidTask,
}


@pytest.fixture(scope="module")
def index():
    return stock()


@pytest.fixture(scope="module")
def configs(index):
    """Task → its YAML, includes merged."""
    return {name: entry.cfg for name, entry in index.items() if entry.kind.name in ("TASK", "PY_TASK")}


@pytest.fixture(scope="module")
def run(configs):
    """Those that are not refused."""
    return {name: config for name, config in configs.items() if not refused(name, config)}


def test_every_task_is_run_or_refused_by_name(configs):
    assert len(configs) == 13_123
    found = {name: why for name, config in configs.items() if (why := refused(name, config))}
    assert Counter(word for word, _ in found.values()) == REFUSED
    for name, (word, error) in found.items():
        assert type(error) is CAUSES[word]
        assert error.what.startswith(f"Task {name} ") or f"Task {name}:" in error.what
        assert error.hint


def test_no_task_file_is_left_out_of_the_index(index):
    named = {entry.yaml_path for entry in index.values() if entry.yaml_path}
    unnamed = set(lm_eval_tasks().glob("**/*.yaml")) - named
    assert len(named) == 13_978
    assert len(unnamed) == 8
    assert all(path.stem.endswith("_base") for path in unnamed)  # what others include


def test_of_the_tasks_that_are_run_everything_asked_for_is_known(run):
    """Read apart from the refusals: a key that lm-eval adds makes this fail."""
    from lm_eval.api.registry import aggregation_registry, filter_registry, metric_registry
    from lm_eval.api.samplers import SAMPLER_REGISTRY

    yaml = {name: config for name, config in run.items() if "class" not in config}
    assert {config.get("output_type", "generate_until") for config in yaml.values()} == set(OUTPUT_TYPES)
    for name, config in yaml.items():
        kwargs = config.get("generation_kwargs") or {}
        assert kwargs.keys() <= SUPPORTED, name
        assert kwargs.get("num_beams", 1) == 1, name
        steps = [step["function"] for each in config.get("filter_list") or () for step in each["filter"]]
        assert all(step in filter_registry or is_function(step) or step == "ACP_grammar_filter" for step in steps), name
        metrics = config.get("metric_list") or ()
        named = [entry["aggregation"] for entry in metrics if entry.get("aggregation")]
        assert all(aggregation in aggregation_registry or is_function(aggregation) for aggregation in named), name
        if not config.get("process_results"):
            judged = JUDGED.get(config.get("output_type", "generate_until"), set(metric_registry) | {"accuracy", "wer"})
            assert all(entry["metric"] in judged or is_function(entry["metric"]) for entry in metrics), name
        assert (config.get("fewshot_config") or {}).get("sampler", "default") in SAMPLER_REGISTRY, name
        assert "doc_to_image" not in config
        assert "doc_to_audio" not in config
        assert "unsafe_code" not in config


def test_every_group_and_tag_expands_to_tasks_or_is_refused_by_name(index, configs):
    broken = []
    for name, entry in index.items():
        if entry.kind.name in ("GROUP", "TAG"):
            try:
                found = expand(name, index)
                for group, (config, _) in found.groups.items():
                    make_group(group, config, [])
            except InvalidTask as error:
                broken.append((name, error.what))
                continue
            assert found.overrides
            assert found.overrides.keys() <= configs.keys()
    assert {name for name, _ in broken} == BROKEN_GROUPS
    assert all(what.startswith(f"Group {name}") for name, what in broken)


def test_a_name_leads_to_the_folder_of_lm_evals_own_file(index):
    for name, entry in list(index.items())[::97]:
        if entry.yaml_path:
            assert entry.yaml_path.parent in folders_of([name])


def test_the_page_of_the_docs_is_what_the_files_say(index, monkeypatch):
    from minizoo.display import lm_eval_tasks as page

    monkeypatch.setattr(page, "stock", lambda: index)
    written = (ROOT / "docs/lm-eval-tasks.md").read_text("utf-8")
    assert written == page.tasks_page(), "python -m minizoo.display.lm_eval_tasks > docs/lm-eval-tasks.md"


def test_loading_without_data_ends_in_words_whatever_a_task_brings(configs, index, monkeypatch):
    """One task of every fifth family, of each class, and of those whose modules do odd things, through the loader itself."""
    import datasets

    def unreachable(*_, **__):
        raise ConnectionError("no data here")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    families = {index[name].yaml_path.relative_to(lm_eval_tasks()).parts[0]: name for name in configs}
    odd = [
        "slr_bench_all",
        "squadv2",
        "fda",
        "scrolls_quality",
        "xsum",
        "doc_vqa",
        "meqsum",
        "niah_single_1",
        "humaneval_64",
    ]
    causes = {}
    for name in dict.fromkeys([*odd, *list(families.values())[::5]]):
        (suite,) = TaskSelection(tasks=(name,)).resolve("smoke")
        with contextlib.redirect_stdout(io.StringIO()), pytest.raises(MinizooError) as raised:
            load_tasks(suite, None)
        assert name in raised.value.what
        causes[name] = type(raised.value)
    assert set(causes.values()) <= {
        DataMissing,
        PackageMissing,
        HubUnreachable,
        UnsupportedRequest,
        UnsafeTask,
        InvalidTask,
    }
    assert Counter(causes.values())[DataMissing] > len(causes) / 2
    assert causes["squadv2"] is DataMissing
    assert causes["doc_vqa"] is UnsupportedRequest
    assert causes["humaneval_64"] is UnsafeTask
    assert causes["slr_bench_all"] is PackageMissing
    assert [name for name, cause in causes.items() if cause is InvalidTask] == []


QUIZ = {
    "task": "mine",
    "dataset_path": "json",
    "test_split": "test",
    "doc_to_text": "{{q}}",
    "doc_to_target": "{{a}}",
    "output_type": "generate_until",
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}


@pytest.mark.parametrize(
    ("changed", "cause", "words"),
    [
        ({"output_type": "winner_takes_all"}, InvalidTask, "has output_type 'winner_takes_all'"),
        ({"output_type": "multiple_choice"}, InvalidTask, "is multiple choice without doc_to_choice"),
        ({"generation_kwargs": {"num_beams": 4}}, UnsupportedRequest, "num_beams: 4"),
        ({"generation_kwargs": {"num_beans": 4}}, UnsupportedRequest, "num_beans"),
        ({"filter_list": [{"name": "x", "filter": [{"function": "regexp"}]}]}, InvalidTask, "filter 'regexp' is none"),
        ({"filter_list": [{"filter": []}]}, InvalidTask, "is no filter"),
        (
            {"metric_list": [{"metric": "exact_match", "aggregation": "meen"}]},
            InvalidTask,
            "aggregation 'meen' is none",
        ),
        ({"metric_list": [{"metric": "my_own"}]}, InvalidTask, "metric my_own has no aggregation"),
        ({"metric_list": ["exact_match"]}, InvalidTask, "metric_list is no list of entries"),
        (
            {"metric_list": [{"metric": "my_own", "aggregation": "mean"}]},
            HubUnreachable,
            "metric my_own is none of lm-eval's",
        ),
        (
            {"output_type": "loglikelihood", "metric_list": [{"metric": "f1"}]},
            InvalidTask,
            "computes none of its metrics (f1)",
        ),
        ({"fewshot_config": {"sampler": "best"}}, InvalidTask, "sampler 'best' is none"),
        ({"num_fewshot": -1}, InvalidTask, "num_fewshot: -1"),
        ({"repeats": 0}, InvalidTask, "repeats: 0"),
        ({"repeats": "many"}, InvalidTask, "repeats: 'many'"),
        ({"doc_to_image": "q"}, UnsupportedRequest, "shows the model images"),
        ({"doc_to_audio": "q"}, UnsupportedRequest, "shows the model sound"),
        ({"doc_to_txt": "q"}, InvalidTask, "keys that lm-eval does not know: doc_to_txt"),
        ({"use_prompt": "promptsource:x"}, PackageMissing, "promptsource"),
    ],
)
def test_a_task_of_ones_own_is_refused_by_what_is_wrong_with_it(changed, cause, words, tmp_path, monkeypatch):
    from harness.suites.suite import load_suite

    (tmp_path / "test.jsonl").write_text('{"q": "1 + 1 =", "a": "2"}\n')
    config = {**QUIZ, "dataset_kwargs": {"data_files": {"test": str(tmp_path / "test.jsonl")}}, **changed}
    (tmp_path / "my_tasks").mkdir()
    (tmp_path / "my_tasks/mine.yaml").write_text(json.dumps(config))
    (tmp_path / "suite.yaml").write_text("name: own\nfolders: [my_tasks]\ntasks: [{task: mine}]\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(cause) as raised:
        load_tasks(load_suite(str(tmp_path / "suite.yaml")), None)
    assert words in raised.value.what
    assert "mine" in raised.value.what


def test_a_task_that_borrows_lm_evals_way_of_running_code_is_refused_too(tmp_path, monkeypatch):
    from harness.suites.suite import load_suite

    (tmp_path / "code_tasks").mkdir()
    (tmp_path / "code_tasks/mine.yaml").write_text(f"include: {lm_eval_tasks()}/humaneval/humaneval.yaml\ntask: mine\n")
    (tmp_path / "suite.yaml").write_text("name: own\nfolders: [code_tasks]\ntasks: [{task: mine}]\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnsafeTask, match="runs what the model writes inside the measuring process"):
        load_tasks(load_suite(str(tmp_path / "suite.yaml")), None)


BROKEN_GROUPS = {"flan_held_in", "t0_eval"}
"""Groups that lm-eval 0.4.13 cannot load either: members that are written inside the group, with keys it does not take."""


def test_names_by_line_are_all_that_lm_eval_knows_and_few_more(index):
    assert set(index) - scanned_names() == set()
    assert len(scanned_names() - set(index)) <= 10


def test_the_index_that_lm_evals_command_line_is_served_is_its_own(index):
    from lm_eval.tasks import TaskManager

    with served_index():
        served = TaskManager().task_index
    assert {name: _told(entry) for name, entry in served.items()} == {
        name: _told(entry) for name, entry in index.items()
    }


def _told(entry):
    return entry.name, entry.kind, entry.yaml_path, entry.tags
