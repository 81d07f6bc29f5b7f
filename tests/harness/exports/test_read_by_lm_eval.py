"""What is exported in lm-eval's form: its own readers, `datasets` and minizoo's importer open it, and find what was there."""

import json
from collections import Counter
from types import SimpleNamespace

import pytest
from support.imported import AS_COMMAND, samples_of
from support.lm_eval_runs import LEAVES

from harness.imports.importing import import_files
from harness.records.derived import estimate
from harness.records.files import read_record
from harness.stats.sufficient import PrintedStatistics

SAME_AS_THEIRS = ("doc_id", "target", "filter", "metrics", "doc_hash", "prompt_hash", "target_hash")


def test_lm_evals_names_of_files_are_told_apart_by_its_own_functions(exported):
    from lm_eval.utils import (
        get_file_datetime,
        get_file_task_name,
        get_latest_filename,
        get_results_filenames,
        get_sample_results_filenames,
    )

    names = [str(place) for place in exported.places]
    (results,) = get_results_filenames(names)
    samples = get_sample_results_filenames(names)
    assert sorted(get_file_task_name(name.rpartition("/")[2]) for name in samples) == sorted(LEAVES)
    assert {get_file_datetime(name) for name in samples} == {get_file_datetime(results).replace(".json", "")}
    assert get_latest_filename(samples) in samples


def test_lm_evals_table_has_the_same_rows_of_both(exported, theirs):
    from lm_eval.utils import make_table

    def cells(document, key="results"):
        lines = make_table(document, key).splitlines()[2:]
        return [[cell.strip() for cell in line.strip("|").split("|")][:7] for line in lines]

    assert sorted(cells(exported.document)) == sorted(cells(theirs.document))
    assert cells(exported.document, "groups") == cells(theirs.document, "groups")
    assert [row[0] for row in cells(exported.document) if row[0].startswith("-")] == ["- adding", "- boolq"]


def test_errors_stand_in_lm_evals_table(exported, results):
    from lm_eval.utils import make_table

    (record,) = (read_record(path) for path in results.rglob("adding/record.json"))
    error = next(estimate(score).stderr for score in record.scores if score.metric == "acc")
    (line,) = (line for line in make_table(exported.document).splitlines() if "adding" in line)
    assert line.split("|")[-2].strip() == f"{error:.4f}"


@pytest.mark.parametrize("task", LEAVES)
def test_samples_are_lm_evals_own_but_for_what_records_do_not_keep(exported, theirs, task):
    for ours, row in zip(exported.samples[task], theirs.samples[task], strict=True):
        assert {name: ours[name] for name in SAME_AS_THEIRS} == {name: row[name] for name in SAME_AS_THEIRS}
        assert shape(ours["resps"]) == shape(row["resps"])
        assert shape(ours["filtered_resps"]) == shape(row["filtered_resps"])
        for metric in row["metrics"]:
            assert ours[metric] == pytest.approx(row[metric], rel=1e-5)
        if task == "told":
            assert ours["arguments"]["gen_args_0"]["arg_0"] == row["arguments"]["gen_args_0"]["arg_0"]
        else:
            assert ours["arguments"] == row["arguments"]
        assert ours["minizoo"]["arguments_exact"] is (task != "told")


def shape(answers):
    """Answers as they are, log-likelihoods to three decimals."""
    if isinstance(answers, list):
        return [shape(each) for each in answers]
    try:
        return f"{float(answers):.3f}"
    except ValueError:
        return answers


def test_lm_evals_hash_of_a_task_is_the_same(exported, theirs):
    assert exported.document["task_hashes"] == theirs.document["task_hashes"]


def test_results_have_every_key_that_lm_evals_have_or_say_that_it_is_not_kept(exported, theirs):
    ours, own = exported.document, theirs.document
    assert {key for key in own if key not in ours} == {
        "tokenizer_pad_token", "tokenizer_eos_token", "tokenizer_bos_token", "eot_token_id",
    }  # fmt: skip
    for key in ("group_subtasks", "versions", "n-shot", "n-samples"):
        assert sorted_lists(ours[key]) == sorted_lists(own[key])
    better = ours["higher_is_better"]
    assert {task: better[task] for task in LEAVES} == {task: own["higher_is_better"][task] for task in LEAVES}
    assert better["both"].items() <= own["higher_is_better"]["both"].items()  # lm-eval lists metrics that no group has
    for key in ("lm_eval_version", "transformers_version", "max_length"):
        assert ours[key] == own[key]
    assert set(own["results"]["boolq"]) <= set(ours["results"]["boolq"])
    assert any("doc" in line for line in ours["minizoo"]["left_out"])


def sorted_lists(value):
    if isinstance(value, dict):
        return {key: sorted_lists(each) for key, each in value.items()}
    return sorted(value) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("task", LEAVES)
def test_configs_tell_the_kind_of_task_its_metrics_and_version_as_lm_evals_do(exported, theirs, task):
    ours, own = (run.document["configs"][task] for run in (exported, theirs))
    assert (ours["task"], ours["output_type"], ours["num_fewshot"]) == (
        own["task"],
        own["output_type"],
        own["num_fewshot"],
    )
    assert [entry["metric"] for entry in ours["metric_list"]] == [entry["metric"] for entry in own["metric_list"]]
    assert ours["metadata"]["version"] == own["metadata"]["version"]


@pytest.mark.parametrize("task", [*LEAVES, None])
def test_datasets_opens_samples_and_results(exported, tmp_path, task):
    from datasets import load_dataset

    path = exported.path if task is None else next(exported.folder.glob(f"samples_{task}_*"))
    loaded = load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path))
    if task is None:
        assert loaded["results"][0]["boolq"]["sample_len"] == 12
    else:
        assert loaded["doc_hash"][:] == [row["doc_hash"] for row in exported.samples[task]]
        assert loaded.column_names[:4] == ["doc_id", "doc", "target", "arguments"]


def test_lm_evals_tracker_makes_the_same_data_card_of_the_files(exported, theirs, monkeypatch, tmp_path):
    ours, own = (configs_of(run.folder, monkeypatch, tmp_path) for run in (exported, theirs))
    assert ours == own == {f"stories260k__{task}" for task in LEAVES}


def configs_of(folder, monkeypatch, tmp_path):
    """The names in the card that lm-eval makes of a data set of these files, which it opens for it."""
    import datasets
    import huggingface_hub
    from lm_eval.loggers import EvaluationTracker, evaluation_tracker

    def loaded(*given, **told):
        return datasets.load_dataset(*given, **told, cache_dir=str(tmp_path))

    pushed = []
    names = [f"{folder.name}/{path.name}" for path in folder.iterdir()]
    tracker = EvaluationTracker(hub_results_org="me")
    tracker.api = SimpleNamespace(list_repo_files=lambda **_: names)
    monkeypatch.setattr(huggingface_hub, "hf_hub_url", lambda filename, **_: str(folder.parent / filename))
    monkeypatch.setattr(huggingface_hub.DatasetCard, "push_to_hub", lambda card, *_, **__: pushed.append(card))
    monkeypatch.setattr(evaluation_tracker, "load_dataset", loaded)
    tracker.recreate_metadata_card()
    (card,) = pushed
    return {config["config_name"] for config in card.data.to_dict()["configs"]}


def test_the_importer_reads_equal_records(exported, results, tmp_path):
    (taken,) = import_files([exported.folder], tmp_path / "again", AS_COMMAND)
    before = {record.task: record for record in map(read_record, results.rglob("record.json"))}
    assert {record.task for record in taken.records} == set(before)
    for after in taken.records:
        own = before[after.task]
        for name in ("limit", "task_version", "members"):
            assert getattr(after, name) == getattr(own, name)
        assert (after.shots, after.started_at) == (own.shots, own.run_started_at)
        assert (after.subject.id, after.setting.dtype, after.setting.seed) == ("stories260k", "float32", 0)
        assert after.setting.versions.items() <= own.setting.versions.items()
        for score, other in zip(after.scores, own.scores, strict=True):
            for name in ("metric", "filter", "value", "n", "higher_is_better"):
                assert getattr(score, name) == getattr(other, name)
            if own.members:  # a group has no samples: its error is the one that was printed
                assert score.statistics == PrintedStatistics(stderr=estimate(other).stderr)
            else:
                assert (score.total, score.clusters, score.statistics) == (
                    other.total,
                    other.clusters,
                    other.statistics,
                )


@pytest.mark.parametrize("task", LEAVES)
def test_the_importer_reads_equal_samples(exported, results, tmp_path, task):
    (taken,) = import_files([exported.folder], tmp_path / "again", AS_COMMAND)
    (own,) = (record for record in map(read_record, results.rglob("record.json")) if record.task == task)
    (after,) = (record for record in taken.records if record.task == task)
    assert list(map(plain, samples_of(tmp_path / "again", after))) == list(map(plain, samples_of(results, own)))


def plain(row):
    """A row with its JSON read: numbers are the same however they are written."""
    return row | {name: json.loads(row[name]) for name in ("responses", "filtered")}


def test_clusters_come_back(exported):
    assert Counter(row["doc"]["passage"] for row in exported.samples["boolq"]) == {"p0": 4, "p1": 5, "p2": 3}


def test_what_is_known_in_part_is_said(exported):
    (note,) = exported.notes
    assert "told" in note
    assert not any(name in note for name in ("boolq", "adding", "tales"))
