"""The results folder that commit 086f72e wrote."""

import shutil
import tarfile

import pytest
from support.paths import ROOT

from harness.store.catch_up import catch_up

OLD = ROOT / "tests" / "fixtures" / "results-086f72e"


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory):
    """The old results with a database of now; read only."""
    results = tmp_path_factory.mktemp("old")
    with tarfile.open(OLD / "runs.tar.xz") as archive:
        archive.extractall(results)  # a file of our own; Python 3.11.2 knows no filter
    assert catch_up(results) == 79
    return results


@pytest.fixture
def results(unpacked, tmp_path):
    return shutil.copytree(unpacked, tmp_path / "results")
