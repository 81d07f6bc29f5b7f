"""Two folders that lm-eval itself wrote, compared without storing anything."""

import json
import math
import shutil
import sys

import pytest
from scipy import stats
from support.lm_eval_runs import run_lm_eval, write_tasks


@pytest.fixture(scope="module")
def folders(stories, tmp_path_factory):
    """The output of one model run with weights of two precisions: `fp32` and `bf16`."""
    from harness.lmeval.model import MinizooLM

    folder = tmp_path_factory.mktemp("lm-eval")
    suite = write_tasks(folder, "compared_tasks")
    for name, dtype in (("fp32", "float32"), ("bf16", "bfloat16")):
        lm = MinizooLM(pretrained=str(stories), dtype=dtype, device="cpu")
        run_lm_eval(lm, suite, folder / name, tasks=["both", "tales"])
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture
def compare(minizoo, tmp_path):
    return lambda *words: minizoo("compare", *words, "--results", tmp_path / "results")


def printed(folder):
    (path,) = folder.rglob("results_*.json")
    return json.loads(path.read_text())["results"]["both"]["acc,none"]


def test_they_pair_and_the_numbers_are_those_that_lm_eval_printed(folders, compare, tmp_path):
    ran = compare(folders / "fp32", folders / "bf16", "--json")
    assert ran.code == 0, ran.err
    document = ran.json()
    rows = {row["task"]: row for row in document["rows"]}
    assert set(rows) == {"both", "tales"}
    assert (document["a"]["kind"], document["b"]["model"]) == ("lm-eval", "stories260k")
    both = rows["both"]
    assert (both["n"], both["a_value"], both["b_value"]) == pytest.approx(
        (32, printed(folders / "fp32"), printed(folders / "bf16"))
    )
    errors = [pooled(folders / name) for name in ("fp32", "bf16")]
    z = (both["b_value"] - both["a_value"]) / math.hypot(*errors)
    assert both["unpaired"] == pytest.approx({"z": z, "p_value": 2 * stats.norm.sf(abs(z))})
    assert rows["tales"]["test"] == "permutation of log-likelihoods"
    assert both["gold"]["n"] == 32
    assert not (tmp_path / "results").exists()


def pooled(folder):
    """lm-eval's own error of the group, by its functions."""
    from lm_eval.api.metrics import mean_stderr, pooled_sample_stderr

    samples = [
        [json.loads(line)["acc"] for line in path.open()] for path in sorted(folder.rglob("samples_[ab]*.jsonl"))
    ]
    return pooled_sample_stderr([mean_stderr(values) for values in samples], [len(values) for values in samples])


def test_clusters_and_levels_are_known_from_the_samples(folders, compare):
    ran = compare(folders / "fp32", folders / "bf16", "--by", "subject", "--json")
    levels = {level["name"]: level for level in ran.json()["split"]["levels"] if level["task"] == "both"}
    assert set(levels) == {"boolq", "adding"}
    assert levels["boolq"]["units"] == 3
    assert levels["boolq"]["test"] == "exact sign test by cluster"


def test_without_samples_only_the_unpaired_z_is_given(folders, compare, tmp_path):
    alone = tmp_path / "alone"
    shutil.copytree(folders / "fp32", alone)
    for path in alone.rglob("samples_*.jsonl"):
        path.unlink()
    ran = compare(alone, folders / "bf16")
    assert ran.code == 3
    assert "both refused:" in ran.out
    assert "--log_samples" in ran.out


def test_a_results_file_brings_its_samples_and_a_folder_is_not_itself(folders, compare):
    (path,) = (folders / "fp32").rglob("results_*.json")
    rows = compare(path, folders / "bf16", "--json").json()["rows"]
    assert {row["task"]: row["n"] for row in rows} == {"both": 32, "tales": 20}
    ran = compare(folders / "fp32", folders / "fp32")
    assert ran.code == 2
    assert "the same results" in ran.err
