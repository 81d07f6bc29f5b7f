"""What `--ray` is told that is no cluster, and what Ray calls the GPUs of gpus.yaml."""

import http.server
import socket
import threading

import pytest

from backends.nodes import cluster
from backends.nodes.accelerators import RAY_TYPES, check_accelerator, resources_of
from backends.nodes.cluster import Node, join
from backends.nodes.same_files import SAMPLE_BYTES, SAMPLES, WHOLE_BYTES, described, difference
from zoo.arch.gpus import load_gpus
from zoo.errors import ClusterUnreachable, InvalidOption, PackageMissing, UnknownName


@pytest.fixture
def silent():
    """A port where something listens and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def other():
    """A server of something else."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """Ray takes this machine's own name for its outer address, where the servers of a test do not listen."""
    monkeypatch.setattr(cluster, "_resolved", lambda ray, address: address)


def test_a_port_where_nobody_listens_is_told_at_once(silent, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ClusterUnreachable, match=f"No Ray cluster answers at 127.0.0.1:{port}.*ray start"):
        join(f"127.0.0.1:{port}")


def test_what_says_nothing_or_something_else_is_no_cluster(silent, other):
    with pytest.raises(ClusterUnreachable, match="No Ray cluster answers"):
        join(f"127.0.0.1:{silent}", seconds=0.2)
    with pytest.raises(ClusterUnreachable, match="is no Ray cluster"):
        join(f"127.0.0.1:{other}")


@pytest.mark.parametrize("word", ["ray://head:10001", "nonsense"])
def test_a_word_that_is_no_address_is_refused(word, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(InvalidOption, match=word):
        join(word)


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(PackageMissing, match=r"minizoo\[cluster\]"):
        join("auto")


def test_every_gpu_of_gpus_yaml_has_the_type_that_ray_gives_its_product_name():
    from ray._private.accelerators.nvidia_gpu import NvidiaGPUAcceleratorManager

    named = NvidiaGPUAcceleratorManager._gpu_name_to_accelerator_type
    found = {id: {named(f"NVIDIA {name}") for name in gpu.names} for id, gpu in load_gpus().items()}
    assert found == {id: {kind} for id, kind in RAY_TYPES.items()}


def test_work_asks_for_its_gpu_and_a_node_without_one_never_has_it():
    wanted = resources_of("h100-sxm")
    assert Node("a", "a", {"CPU": 8, "GPU": 8, "accelerator_type:H100": 1}).has(wanted)
    assert not Node("b", "b", {"CPU": 8, "GPU": 8, "accelerator_type:A100": 1}).has(wanted)
    assert not Node("c", "c", {"CPU": 8}).has(wanted)
    assert Node("c", "c", {"CPU": 8}).has(resources_of(None))


def test_an_accelerator_that_nobody_knows_is_named_with_the_closest():
    check_accelerator("T4", {"CPU", "accelerator_type:T4"})
    with pytest.raises(UnknownName, match="h100-sxm"):
        check_accelerator("h100-sxn", {"CPU"})


def test_another_checkpoint_of_the_same_size_is_another_model(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    for folder in (a, b):
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(bytes(WHOLE_BYTES + 1))
    assert difference(described(a), described(b)) is None
    with (b / "model.safetensors").open("r+b") as file:
        file.seek(WHOLE_BYTES)
        file.write(b"x")
    assert difference(described(a), described(b)) == "model.safetensors is another file"
    (b / "model.safetensors").unlink()
    assert difference(described(a), described(b)) == "model.safetensors is missing"
    assert "no such folder" in difference(described(a), described(tmp_path / "c"))
    assert SAMPLES * SAMPLE_BYTES <= WHOLE_BYTES


def test_the_cluster_of_this_machine_is_told_where_it_answers_alone(silent, monkeypatch, tmp_path):
    monkeypatch.setattr(cluster, "CURRENT", tmp_path / "current")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert cluster.cluster_here() is None
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    cluster.CURRENT.write_text(f"127.0.0.1:{port}\n")
    assert cluster.cluster_here() is None


def test_auto_without_a_cluster_says_so(monkeypatch):
    monkeypatch.undo()
    from ray._private import services

    def none(*_):
        raise ConnectionError

    monkeypatch.setattr(services, "get_ray_address_from_environment", none)
    with pytest.raises(ClusterUnreachable, match="No Ray cluster runs on this machine"):
        join("auto")
