"""What may lie in reports/published, what the workflows make of it, and that all that lies there is sound."""

import json
import os
import re
from pathlib import Path
from subprocess import run

import pytest
from ruamel.yaml import YAML
from support.paths import ROOT

from harness.baselines.file import load_baselines
from harness.baselines.read import read_outcomes
from zoo.registry.loader import load_registry

BUNDLE = "minizoo-rows-nvidia-a100-20261130-0123abcd.zip"


def workflow(name):
    return YAML(typ="safe").load((ROOT / f".github/workflows/{name}.yml").read_text("utf-8"))


def scripts(name, job):
    """Step → its shell lines."""
    return {step["name"]: step["run"] for step in workflow(name)["jobs"][job]["steps"] if "name" in step}


@pytest.fixture
def checkout(tmp_path):
    """A folder as a workflow finds it, and a `minizoo` that writes down what it was asked."""
    (tmp_path / "reports/published").mkdir(parents=True)
    (tmp_path / "reports/published/README.md").write_text("What may lie here.")
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin/minizoo"
    stand_in.write_text('#!/bin/sh\necho "$@" >> asked\n')
    stand_in.chmod(0o755)
    return tmp_path


def ran(script, folder):
    """The script as GitHub runs it; what `minizoo` was asked."""
    surroundings = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "RUNNER_TEMP": str(folder)}
    done = run(["bash", "-e", "-c", script], cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
    asked = (folder / "asked").read_text().splitlines() if (folder / "asked").exists() else []
    return done, asked


KIND = "Nothing but bundles of at most 20 MB"


def test_bundles_may_lie_there(checkout):
    done, _ = ran(scripts("published", "check")[KIND], checkout)
    assert done.returncode == 0
    (checkout / "reports/published" / BUNDLE).write_bytes(b"\0" * 20_000_000)
    done, _ = ran(scripts("published", "check")[KIND], checkout)
    assert (done.returncode, done.stdout) == (0, "")


REFERENCE = ("reference/baselines.yaml", "reference/baselines/nano-teacher-0123abcd.zip")
RUN = "records/runs/2026-11-30/01a22b1f-96ae-7067-b87c-25ff6b9d3667"


def test_records_of_reference_may_lie_there(checkout):
    for name in (*REFERENCE, f"{RUN}/nano_sums/record.json", f"{RUN}/nano_sums/samples.parquet"):
        path = checkout / "reports/published" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\0" * 999_999)
    done, _ = ran(scripts("published", "check")[KIND], checkout)
    assert (done.returncode, done.stdout) == (0, "")


def large(path):
    path.write_bytes(b"\0" * 20_000_001)


@pytest.mark.parametrize(
    ("name", "plant"),
    [
        (BUNDLE, large),
        ("results.tar.gz", Path.touch),
        ("other.zip", Path.touch),
        ("minizoo-rows-a.zip.exe", Path.touch),
        ("minizoo-rows-a b.zip", Path.touch),
        ("minizoo-rows-a\n::warning::b.zip", Path.touch),
        ("minizoo-rows-folder.zip", Path.mkdir),
        (BUNDLE, lambda path: path.symlink_to("README.md")),
        (".hidden", Path.touch),
        ("reference/other.yaml", Path.touch),
        ("reference/baselines/nano.exe", Path.touch),
        ("reference/baselines/nano-x.zip", large),
        ("reference/baselines/nano-x.zip", lambda path: path.symlink_to("README.md")),
        ("reference/nano-x.zip", Path.touch),
        ("records/minizoo.duckdb", Path.touch),
        (f"{RUN}/record.json", Path.touch),
        (f"{RUN}/nano_sums/page.html", Path.touch),
        (f"{RUN}/nano_sums/samples.parquet", large),
        (f"{RUN}/nano_sums/record.json", lambda path: path.symlink_to("/etc/passwd")),
    ],
)
def test_anything_else_is_named_and_refused(checkout, name, plant):
    (checkout / "reports/published" / BUNDLE.replace("a100", "h100")).touch()
    (checkout / "reports/published" / name).parent.mkdir(parents=True, exist_ok=True)
    plant(checkout / "reports/published" / name)
    done, _ = ran(scripts("published", "check")[KIND], checkout)
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert line.startswith("not a bundle of at most 20 MB: ")
    assert "h100" not in line


def test_every_bundle_is_checked_where_there_is_one(checkout):
    script = scripts("published", "check")["Check every bundle"]
    done, asked = ran(script, checkout)
    assert (done.returncode, asked) == (0, [])
    (checkout / "reports/published" / BUNDLE).touch()
    done, asked = ran(script, checkout)
    assert (done.returncode, asked) == (0, [f"import --check reports/published/{BUNDLE}"])
    (checkout / "bin/minizoo").write_text("#!/bin/sh\nexit 1\n")
    assert ran(script, checkout)[0].returncode == 1


def test_a_strangers_pull_request_is_checked_with_nothing_to_lose():
    found = workflow("published")
    assert set(found["on"]) == {"push", "pull_request"}
    assert all("reports/published/**" in trigger["paths"] for trigger in found["on"].values())
    assert found["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in found["jobs"].values())
    assert "secrets." not in (ROOT / ".github/workflows/published.yml").read_text("utf-8")


def test_the_site_is_written_from_what_comes_with_the_checkout(checkout):
    steps = scripts("pages", "build")
    assert any("pip install" in text and "-e ." in text for text in steps.values())
    script = "\n".join(text for text in steps.values() if "pip install" not in text)
    assert ran(script, checkout)[1] == ["report --out site"]


def check_of(folder, minizoo):
    """What the public check says of the bundles of a folder."""
    bundles = sorted(folder.glob("*.zip"))
    ran = minizoo("import", "--check", *bundles) if bundles else None
    return "" if ran is None or ran.code == 0 else ran.err + ran.out


def test_every_published_bundle_is_sound(minizoo):
    assert check_of(ROOT / "reports/published", minizoo) == ""


def test_records_of_reference_are_whole_and_of_the_whole_family(minizoo):
    file = ROOT / "reports/published/reference/baselines.yaml"
    ran = minizoo("baseline", "list", "--file", file, "--json")
    assert ran.code == 0, ran.err
    family = [model.id for model in load_registry().models.values() if model.group == "nano"]
    found = ran.json()["baselines"]
    assert [(each["name"], each["model"], each["state"]) for each in found] == [
        (name, name, "whole") for name in family
    ]
    assert sorted(path.name for path in file.parent.glob("baselines/*")) == sorted(
        Path(each["bundle"]).name for each in found
    )
    check = scripts("published", "check")["Check the records of reference"]
    assert check.split() == ["minizoo", "baseline", "list", "--file", str(file.relative_to(ROOT))]


def test_records_of_reference_name_no_machine_and_no_text():
    file = ROOT / "reports/published/reference/baselines.yaml"
    for baseline in load_baselines(file).values():
        for record, documents, _ in read_outcomes(baseline, file.parent):
            assert record.setting.host == "withheld"
            texts = json.dumps([record.model_dump(mode="json", exclude={"subject": {"entry"}}), *documents.to_pylist()])
            assert not re.search(r"/(home|root|tmp|work|Users)/", texts)
            assert "responses" not in documents.column_names


def test_a_published_bundle_that_is_not_sound_is_seen(tmp_path, minizoo):
    (tmp_path / BUNDLE).write_text("no bundle")
    assert BUNDLE in check_of(tmp_path, minizoo)
