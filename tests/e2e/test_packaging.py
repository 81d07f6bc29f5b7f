"""What is installed: the wheel carries the registry and every data file, and works outside the checkout."""

import subprocess
import sys
import zipfile

import pytest
from support.paths import ROOT

NEEDED = {
    "zoo/registry.yaml",
    *(f"{room}/py.typed" for room in ("zoo", "backends", "harness", "reports", "minizoo")),
    "harness/store/views/main_views.sql",
    "harness/store/views/latest_views.sql",
    "harness/metrics/task_metadata.yaml",
    "harness/suites/nano.yaml",
    "harness/tasks/nano/nano_words.yaml",
    "zoo/nano/weights/nano-teacher/model.safetensors",
    "zoo/nano/weights/nano-teacher/tokenizer.json",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    out = tmp_path_factory.mktemp("wheel")
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)
    (made,) = out.glob("*.whl")
    return made


def test_wheel_carries_what_the_rooms_read(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert names >= NEEDED
    assert any(name.startswith("reports/templates/") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "results/", "benchmarks/", "reports/published"))]


def test_nano_weights_stay_within_8_mb(wheel):
    sizes = [
        i.file_size
        for i in zipfile.ZipFile(wheel).infolist()
        if "/weights/" in i.filename and i.filename.endswith(".safetensors")
    ]
    assert 0 < sum(sizes) <= 8_000_000


def test_unpacked_wheel_works_outside_the_checkout(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); import zoo.registry.loader as r;"
        "print(r.__file__, r.load_registry().paths[0]);"
        "from minizoo.cli import run; sys.exit(run(['models']))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "site" / "zoo" / "registry.yaml") in done.stdout
    assert "minitron-8b" in done.stdout


def test_editable_checkout_reads_the_registry_at_its_root():
    from zoo.registry.loader import shipped_path

    assert shipped_path() == ROOT / "registry.yaml"
