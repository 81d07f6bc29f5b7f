"""The emulated hub answers the real clients as the hub does: what is tested against it is tested against them."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from huggingface_hub import HfApi, constants, errors, hf_hub_download, snapshot_download
from support.fake_hub import EXPORT, FakeHub, Repository, parquet
from support.paths import ROOT

ROWS = [{"question": f"q{n}", "answer": str(n)} for n in range(20)]
FILES = {"config.json": b"{}", "model.safetensors": b"x" * 300_000, "a/b/c.txt": b"1", "a/d.txt": b"2"}


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    data = Repository(
        "o/data",
        {"README.md": b"---\nlicense: mit\n---\n", "data/train-00000-of-00001.parquet": parquet(ROWS)},
        "datasets",
        card={"license": "mit"},
        revisions={EXPORT: {"default/train/0000.parquet": parquet(ROWS)}},
    )
    with FakeHub(
        repositories=[Repository("o/model", dict(FILES)), Repository("o/old", moved_to="o/model"), data]
    ) as hub:
        yield hub


@pytest.fixture
def api(hub):
    return HfApi(endpoint=hub.endpoint, token=False)


def test_information_names_the_new_id_of_a_renamed_model_and_sizes_of_large_files(api):
    told = api.model_info("o/old", files_metadata=True)
    assert told.id == "o/model"
    sizes = {one.rfilename: (one.size, one.lfs.size if one.lfs else None) for one in told.siblings}
    assert sizes["model.safetensors"] == (300_000, 300_000)
    assert sizes["config.json"] == (2, None)


def test_listings_are_paged_and_go_into_folders(hub, api):
    hub.page_size = 2
    names = [one.path for one in api.list_repo_tree("o/model", recursive=True)]
    assert names == ["a", "a/b", "a/b/c.txt", "a/d.txt", "config.json", "model.safetensors"]
    assert [one.path for one in api.list_repo_tree("o/model", "a")] == ["a/b", "a/d.txt"]
    assert [one.path for one in api.get_paths_info("o/model", ["config.json", "none"])] == ["config.json"]
    with pytest.raises(errors.RemoteEntryNotFoundError):
        list(api.list_repo_tree("o/model", "none"))


def test_what_is_not_there_has_the_hubs_own_codes(hub, api):
    with pytest.raises(errors.RepositoryNotFoundError):
        api.model_info("o/none")
    with pytest.raises(errors.RevisionNotFoundError):
        api.model_info("o/model", revision="v9")
    with pytest.raises(errors.RemoteEntryNotFoundError):
        hf_hub_download("o/model", "none", endpoint=hub.endpoint)


def test_a_gated_model_lists_its_files_and_gives_them_to_those_admitted(hub, api, tmp_path):
    model = hub.find("models", "o/model")
    model.gated, model.admitted = "auto", {"friend"}
    assert len(list(api.list_repo_tree("o/model"))) == 3
    for token, status in ((False, 401), ("stranger", 403)):
        with pytest.raises(errors.GatedRepoError) as refused:
            hf_hub_download("o/model", "config.json", endpoint=hub.endpoint, token=token, cache_dir=tmp_path)
        assert refused.value.response.status_code == status
    assert hf_hub_download("o/model", "config.json", endpoint=hub.endpoint, token="friend", cache_dir=tmp_path)


def test_a_snapshot_comes_whole_through_the_storage_on_another_host_and_a_broken_connection(hub, tmp_path):
    hub.find("models", "o/model").drop_after, hub.find("models", "o/model").drops = 100_000, 1
    folder = snapshot_download("o/model", endpoint=hub.endpoint, cache_dir=tmp_path)
    for name, content in FILES.items():
        assert (tmp_path / folder / name).read_bytes() == content
    assert any(line.startswith("GET /stored/") for line in hub.requests)
    assert hub.asked.count("model.safetensors") == 2


def test_folders_and_their_parquet_export_are_served_by_a_process_of_its_own(tmp_path):
    data = tmp_path / "served/datasets/o/data"
    (data / ".export/default/train").mkdir(parents=True)
    (data / "data").mkdir()
    (data / "README.md").write_text("---\nlicense: mit\n---\n")
    (data / "data/train-00000-of-00001.parquet").write_bytes(parquet(ROWS))
    shutil.copy(data / "data/train-00000-of-00001.parquet", data / ".export/default/train/0000.parquet")
    path = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    words = [sys.executable, "-m", "support.fake_hub", "--serve", str(tmp_path / "served")]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, **path}, cwd=ROOT)
    try:
        name, endpoint = server.stdout.readline().strip().split("=", 1)
        assert name == "HF_ENDPOINT"
        code = (
            "from huggingface_hub import HfApi\n"
            "print(HfApi().dataset_info('o/data').siblings[0].rfilename)\n"
            f"print(HfApi().dataset_info('o/data', revision='{EXPORT}').siblings[0].rfilename)\n"
        )
        mine = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
        ran = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **mine}, capture_output=True, text=True, check=True
        )
        assert ran.stdout.split() == ["README.md", "default/train/0000.parquet"]
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(10)
