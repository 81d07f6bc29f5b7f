"""What is carried to a machine without network."""

from importlib.metadata import version

from packaging.requirements import Requirement
from support.paths import ROOT

from benchmarks.gpu_rows import main
from benchmarks.rows.wheels import wheels


def test_every_package_is_listed_in_the_installed_version_without_those_of_the_gpu():
    lines = [line for line in wheels(ROOT / "pyproject.toml").splitlines() if not line.startswith("#")]
    found = {name: Requirement(f"{name}=={number}") for name, number in (line.split("==") for line in lines)}
    assert {"transformers", "lm-eval", "nvidia-ml-py", "pydantic-core", "huggingface-hub"} <= set(found)
    assert not {"torch", "triton", "minizoo", "pytest"} & set(found)
    assert [name for name in found if name.startswith("nvidia") and name != "nvidia-ml-py"] == []
    assert [name for name in found if name.startswith("cuda")] == []
    assert all(version(name) in requirement.specifier for name, requirement in found.items())


def test_the_list_is_a_requirements_file_with_its_commands_as_comments(capsys):
    assert main(["--wheels"]) == 0
    out = capsys.readouterr().out
    assert "#   python -m pip wheel --no-deps -w wheels -r wheels.txt .\n" in out
    assert "#   python -m pip install --no-index --no-deps --find-links wheels -r wheels.txt minizoo\n" in out
    assert "://" not in out
