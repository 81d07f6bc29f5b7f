"""One cluster for all tests of this folder: it takes long to start."""

import pytest
from support.ray_cluster import RayCluster


@pytest.fixture(scope="session")
def cluster():
    """Two nodes that claim an H100, one that claims an L4; each has a core."""
    made = RayCluster()
    made.h100s = [made.add("H100"), made.add("H100")]
    made.l4 = made.add("L4")
    yield made
    made.shut_down()
