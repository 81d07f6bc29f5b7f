"""Figures for the hub: valid by the hub's forms and its own library, with everything that the forms have no field for kept."""

import re
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml
from support.hub_forms import EVAL_RESULTS, MODEL_INDEX
from support.records import record

from harness.bundles.private import Private
from harness.exports.chosen import choose
from harness.exports.hub import write_eval_results, write_model_index
from harness.exports.hub_datasets import DATASETS
from harness.exports.writing import Files
from harness.records.derived import estimate
from harness.records.files import write_record
from harness.records.record import Counts, MetricScore
from harness.stats.sufficient import MeanStatistics
from zoo.errors import NothingRecorded

N = 400
WHOLE = Counts(documents=N, documents_total=N, requests=N, tokens=9, truncated=0, reused=0)


def share(value=0.8031, metric="acc", filter="none"):
    squares = MeanStatistics(squares=N * value * (1 - value), units=N, binary=True, unit_interval=True)
    return MetricScore(
        metric=metric, filter=filter, value=value, n=N, total=N, higher_is_better=True, chance=0.25, statistics=squares
    )


def measured(task, *scores, **changes):
    """A record of all of a task's documents by a model of the hub."""
    base = record()
    subject = base.subject.model_copy(update={"id": "me/tiny", "kind": "hub", "source": "me/tiny"})
    setting = base.setting.model_copy(update={
        "command": "minizoo eval me/tiny --results /home/alice/r", "gpu": "NVIDIA H100", "host": "secret-host",
        "versions": {"minizoo": "0.2.0", "lm-eval": "0.4.13", "torch": "2.13.0", "numpy": "2"},
    })  # fmt: skip
    fields = {"subject": subject, "setting": setting, "counts": WHOLE, "scores": scores or (share(),)}
    return record(task, **fields | changes)


def exported(tmp_path, records, write=write_eval_results, public=lambda record: record):
    """File → its document, and what was said."""
    for each in records:
        write_record(tmp_path / "results", each)
    selection = choose(tmp_path / "results", None, public)
    with Files(tmp_path / "out") as files:
        notes = write(selection, files)
        places = files.publish()
    return {
        str(place.relative_to(tmp_path / "out")): yaml.safe_load(place.read_text("utf-8")) for place in places
    }, notes


def test_eval_results_are_valid_by_the_form_and_by_the_hubs_library(tmp_path):
    from huggingface_hub import eval_result_entries_to_yaml, parse_eval_result_entries

    files, _ = exported(
        tmp_path, [measured("gsm8k", share(metric="exact_match", filter="strict-match")), measured("mmlu")]
    )
    assert list(files) == ["me__tiny/.eval_results/openai--gsm8k.yaml", "me__tiny/.eval_results/cais--mmlu.yaml"]
    for document in files.values():
        jsonschema.validate(document, EVAL_RESULTS)
        assert eval_result_entries_to_yaml(parse_eval_result_entries(document)) == document
    (entry,) = parse_eval_result_entries(files["me__tiny/.eval_results/openai--gsm8k.yaml"])
    assert (entry.dataset_id, entry.task_id, entry.value, entry.date) == (
        "openai/gsm8k", "gsm8k", 80.31, "2026-11-21T01:03:03Z",
    )  # fmt: skip


def test_shots_error_n_versions_and_the_command_are_in_the_notes(tmp_path):
    made = measured("gsm8k", share(metric="exact_match", filter="strict-match"))
    files, _ = exported(tmp_path, [made])
    ((entry,),) = files.values()
    assert entry["notes"].split("; ") == [
        "5-shot exact_match (strict-match) of lm-eval's task gsm8k, in percent",
        "stderr 1.991",
        "n = 400",
        "hf, float32, NVIDIA H100",
        "minizoo 0.2.0, lm-eval 0.4.13, torch 2.13.0",
        f"run {made.run_id}",
        "command: minizoo eval me/tiny --results /home/alice/r",
    ]


def test_nothing_of_the_machine_leaves_it(tmp_path):
    private = Private(frozenset({"secret-host"}), frozenset({"alice"}), frozenset({"/home/alice"}))
    for write in (write_eval_results, write_model_index):
        files, _ = exported(tmp_path / write.__name__, [measured("gsm8k")], write, private.record)
        assert not re.search("alice|secret-host|/home", str(files))
        assert "minizoo eval me/tiny --results r" in str(files)


def test_model_index_is_valid_by_the_form_and_by_the_hubs_library(tmp_path):
    from huggingface_hub import ModelCard
    from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

    records = [measured("hellaswag", share(), share(0.7, "acc_norm")), measured("nano_sums", shots=3)]
    files, _ = exported(tmp_path, records, write_model_index)
    (document,) = files.values()
    jsonschema.validate(document, MODEL_INDEX)
    index = document["model-index"]
    name, results = model_index_to_eval_results(index)
    assert name == "me/tiny"
    assert eval_results_to_model_index(name, results) == index
    text = next((tmp_path / "out").rglob("model-index.yaml")).read_text("utf-8")
    card = ModelCard(f"---\n{text}---\n# Tiny\n", ignore_metadata_errors=False)
    assert [(r.dataset_type, r.metric_type, r.metric_value) for r in card.data.eval_results] == [
        ("Rowan/hellaswag", "acc", 80.31), ("Rowan/hellaswag", "acc_norm", 70.0), ("nano_sums", "acc", 80.31),
    ]  # fmt: skip
    args = card.data.eval_results[0].metric_args
    known = estimate(share())
    assert (args["stderr"], args["n"]) == (pytest.approx(100 * known.stderr, abs=1e-4), 400)
    assert args["interval_95"] == pytest.approx([100 * known.lower, 100 * known.upper], abs=1e-4)
    assert card.data.eval_results[0].dataset_args == {"num_few_shot": 5, "lm_eval_task": "hellaswag"}


def test_the_metric_that_the_suite_names_stands_for_the_task(tmp_path):
    suite = {"tasks": [{"task": "hellaswag", "metric": "acc_norm", "filter": None}]}
    files, _ = exported(tmp_path, [measured("hellaswag", share(), share(0.7, "acc_norm"), resolved_suite=suite)])
    ((entry,),) = files.values()
    assert (entry["value"], entry["dataset"]) == (70.0, {"id": "Rowan/hellaswag", "task_id": "default"})


def test_a_part_of_the_documents_is_never_put_on_the_hub(tmp_path):
    part = measured("gsm8k", limit=50, counts=WHOLE.model_copy(update={"documents": 50}))
    files, notes = exported(tmp_path, [part, measured("mmlu")])
    assert list(files) == ["me__tiny/.eval_results/cais--mmlu.yaml"]
    assert "Of a part of the documents only, and left out: gsm8k" in notes[0]


def test_the_newest_whole_result_stands_and_a_groups_tasks_do_not_stand_beside_it(tmp_path):
    old = measured("mmlu", share(0.5), members=("mmlu_law",))
    new = measured("mmlu", share(0.6), members=("mmlu_law",), finished_at=old.finished_at + timedelta(days=1))
    files, notes = exported(tmp_path, [old, new, measured("mmlu_law", run_id=new.run_id)])
    ((entry,),) = files.values()
    assert entry["value"] == 60.0
    assert not any("mmlu_law" in note for note in notes)


def test_tasks_without_a_data_set_on_the_hub_are_named(tmp_path):
    _, notes = exported(tmp_path, [measured("gsm8k"), measured("nano_sums")])
    assert notes == ["me/tiny: no data set of the hub is known of nano_sums: left out."]
    with pytest.raises(NothingRecorded, match="model-index"):
        exported(tmp_path / "only", [measured("nano_sums")])


def test_a_data_set_that_is_no_known_benchmark_is_said_to_be_none(tmp_path):
    _, (note,) = exported(tmp_path, [measured("hellaswag")])
    assert "Rowan/hellaswag it is not known" in note


def test_a_perplexity_keeps_its_own_unit(tmp_path):
    score = share(12.5, "word_perplexity").model_copy(update={"statistics": None, "higher_is_better": False})
    files, _ = exported(tmp_path, [measured("wikitext", score)])
    ((entry,),) = files.values()
    assert entry["value"] == 12.5
    assert "in the metric's own unit; stderr unknown" in entry["notes"]


def test_hostile_text_stays_text(tmp_path):
    name = 'me/x: {y} # "\u202e</script>\n- a'
    subject = record().subject.model_copy(update={"id": name, "kind": "hub", "source": name})
    for write, schema in ((write_eval_results, EVAL_RESULTS), (write_model_index, MODEL_INDEX)):
        files, _ = exported(tmp_path / write.__name__, [measured("gsm8k", subject=subject)], write)
        (document,) = files.values()
        jsonschema.validate(document, schema)
    assert document["model-index"][0]["name"] == name


@pytest.mark.parametrize("task", sorted(DATASETS))
def test_data_sets_are_those_of_the_tasks_own_yaml(task):
    told = yaml_of(task)
    dataset = DATASETS[task]
    assert dataset.id == told["dataset_path"]
    assert dataset.split == (told.get("test_split") or told["validation_split"])
    if task != "mmlu":  # its configurations are the subjects; `all` has them together
        assert dataset.config == (told.get("dataset_name") or "default")


def yaml_of(task):
    """A task's own YAML with what it includes; of a group the template of its tasks."""
    import lm_eval.tasks

    shipped = Path(lm_eval.tasks.__file__).parent
    ours = Path(__file__).parents[3] / "harness" / "tasks"
    group = {"mmlu": "mmlu/default/_default_template_yaml", "mmlu_pro": "mmlu_pro/_default_template_yaml"}
    if task in group:
        return with_included(shipped / group[task])
    places = [ours, *(shipped / name for name in FOLDERS)]
    paths = [path for place in places for path in sorted(place.rglob("*.yaml"))]
    named = [path for path in paths if re.search(rf"(?m)^task: {task}$", path.read_text("utf-8"))]
    return next(told for told in map(with_included, named) if "dataset_path" in told)


FOLDERS = (
    "arc", "super_glue/boolq", "commonsense_qa", "gsm8k", "hellaswag", "humaneval", "ifeval", "lambada", "mbpp", "openbookqa",
    "piqa", "race", "sciq", "truthfulqa", "wikitext", "winogrande",
)  # fmt: skip


def with_included(path):
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda *_: None)
    told = yaml.load(path.read_text("utf-8"), Loader)
    return (with_included(path.parent / told["include"]) if "include" in told else {}) | told
