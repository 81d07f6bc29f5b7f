"""One cluster for all tests of this folder: it takes long to start."""

import pytest
from support.ray_cluster import RayCluster

NODES = ("H100", "H100", "L4")


@pytest.fixture(scope="session")
def started():
    made = RayCluster()
    yield made
    made.shut_down()


@pytest.fixture
def cluster(started):
    """Three nodes, of which two claim an H100 and one an L4; each has a core. What a test kills is there again for the next."""
    there = [started.gpu_of(node) for node in started.nodes.values()]
    for gpu in NODES:
        if gpu in there:
            there.remove(gpu)
        else:
            started.add(gpu)
    return started
