"""A real Ray cluster of several nodes on this machine: raylets that say what GPUs they have, and can be killed."""

import os
import time

MEGABYTES_80 = 80 * 2**20


class RayCluster:
    """A head without cores, and the nodes that a test adds. This process is a driver of it from `join` on."""

    def __init__(self):
        os.environ.update({"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"})
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "object_store_memory": MEGABYTES_80, "include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address = self._cluster.address
        self.nodes = {}
        """By Ray's id, those that were added and live."""
        self._gpus = {}

    def add(self, gpu=None, cpus=1):
        """A further node; `gpu` is the type of the one that it claims."""
        resources = {f"accelerator_type:{gpu}": 1} if gpu else {}
        node = self._cluster.add_node(
            num_cpus=cpus, num_gpus=1 if gpu else 0, resources=resources, object_store_memory=MEGABYTES_80
        )
        self.nodes[node.node_id] = node
        self._gpus[node.node_id] = gpu
        return node

    def gpu_of(self, node):
        """The type of the GPU that it claims; None where it claims none."""
        return self._gpus[node.node_id]

    def claiming(self, gpu):
        """Ids of the nodes that claim such a GPU."""
        return sorted(id for id in self.nodes if self._gpus[id] == gpu)

    def kill(self, node):
        """SIGKILL to the node's raylet, as when its machine goes."""
        self._cluster.remove_node(node, allow_graceful=False)
        del self.nodes[node.node_id]

    def shut_down(self):
        """End all of it, and this process's part in it."""
        import ray

        ray.shutdown()
        self._cluster.shutdown()


def until(true, seconds=240.0):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)
    return found
