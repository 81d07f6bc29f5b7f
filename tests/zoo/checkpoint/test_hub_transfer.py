"""A fetch that breaks goes on where it stopped, and nothing that is half there or wrong is taken for whole."""

import os
import threading

import pytest
from support.fake_hub import FakeHub, Repository

from zoo.checkpoint.hub import cache, client, transfer
from zoo.checkpoint.locate import locate, outline
from zoo.errors import DownloadBroken, DownloadCorrupt, HubUnreachable, NotWritable

NAME = "someone/tiny"
WEIGHTS = "model.safetensors"


@pytest.fixture
def hub(online, whole, monkeypatch):
    """A hub with one model of about 150 KB; a connection that broke is tried twice more, at once."""
    monkeypatch.setattr(transfer, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(client, "TRIES", 1)
    with FakeHub(repositories=[Repository(NAME, dict(whole))]) as hub:
        online(hub)
        yield hub


@pytest.fixture
def model(hub):
    return hub.find("models", NAME)


def blobs():
    return cache.CachedRepository(NAME).folder / "blobs"


def parts():
    return {path.name: path.stat().st_size for path in blobs().glob("*.incomplete")}


def test_a_connection_that_drops_is_resumed_where_it_stopped(hub, model, whole):
    model.drop_after, model.drops = 50_000, 2
    checkpoint = locate(NAME)
    assert (checkpoint.folder / WEIGHTS).read_bytes() == whole[WEIGHTS]
    assert hub.asked.count(WEIGHTS) == 3
    assert hub.sent < sum(map(len, whole.values())) + 100_000
    assert parts() == {}


def test_a_connection_that_drops_for_good_keeps_what_came_and_the_same_command_goes_on(hub, model, whole):
    model.drop_after = 70_000
    model.ranges = False  # and what came cannot be gone on with meanwhile
    with pytest.raises(DownloadBroken, match=r"broke off 3 times.*are kept.*same command goes on"):
        locate(NAME)
    assert list(parts().values()) == [70_000]
    told = outline(NAME)
    assert (told.weight_bytes, told.missing_bytes) == (len(whole[WEIGHTS]), len(whole[WEIGHTS]) - 70_000)
    model.drop_after, model.ranges, hub.sent = None, True, 0
    assert (locate(NAME).folder / WEIGHTS).read_bytes() == whole[WEIGHTS]
    assert hub.sent == len(whole[WEIGHTS]) - 70_000


def test_a_hub_that_does_not_hear_a_range_sends_it_all_again(model, whole):
    model.drop_after, model.drops, model.ranges = 70_000, 1, False
    assert (locate(NAME).folder / WEIGHTS).read_bytes() == whole[WEIGHTS]


@pytest.mark.parametrize("left", [b"of something else", b"x" * 10_000_000], ids=["other bytes", "too many bytes"])
def test_what_lies_half_fetched_and_is_no_beginning_is_thrown_away(model, whole, left):
    part = cache.CachedRepository(NAME).part(_listed(model, WEIGHTS))
    part.parent.mkdir(parents=True)
    part.write_bytes(left)
    assert (locate(NAME).folder / WEIGHTS).read_bytes() == whole[WEIGHTS]


@pytest.mark.parametrize("name", [WEIGHTS, "config.json"])
def test_a_file_with_another_digest_than_the_listing_says_is_refused_and_leaves_nothing(model, name):
    model.corrupt = {name}
    with pytest.raises(DownloadCorrupt, match=f"{name} of someone/tiny is not what the hub's listing says"):
        locate(NAME)
    assert parts() == {}
    assert not (cache.CachedRepository(NAME).snapshot(model.commit) / name).exists()
    model.corrupt = set()
    locate(NAME)


def test_a_file_that_is_shorter_than_the_listing_says_is_never_taken_for_whole(model):
    model.short = {WEIGHTS: 1000}
    with pytest.raises(DownloadCorrupt, match="with 1,000 bytes"):
        locate(NAME)
    assert not (cache.CachedRepository(NAME).snapshot(model.commit) / WEIGHTS).exists()


def test_a_cached_file_that_was_cut_is_fetched_again(hub, model, whole):
    weights = locate(NAME).folder / WEIGHTS
    os.truncate(weights, 1000)
    hub.asked.clear()
    assert locate(NAME).weights_digest()
    assert weights.read_bytes() == whole[WEIGHTS]
    assert hub.asked == [WEIGHTS]


def test_two_that_fetch_the_same_at_once_fetch_it_once(hub, model):
    model.pause = 0.1
    threads = [threading.Thread(target=locate, args=(NAME,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hub.asked.count(WEIGHTS) == 1


def test_progress_tells_bytes_up_to_the_whole_and_counts_what_was_there(model, whole):
    told = []
    model.drop_after, model.drops, model.ranges = 70_000, None, False
    with pytest.raises(DownloadBroken):
        locate(NAME, lambda *step: told.append(step))
    model.drop_after, model.ranges = None, True
    told.clear()
    locate(NAME, lambda *step: told.append(step))
    size = len(whole[WEIGHTS])
    assert {(step, of) for step, _, of in told} == {("fetching someone/tiny", size)}
    assert told[0][1] >= 70_000
    assert told[-1][1] == size
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_what_the_hubs_own_client_fetched_is_taken_and_what_we_fetched_it_takes(hub, model, tmp_path):
    from huggingface_hub import snapshot_download

    ours = locate(NAME).folder
    hub.asked.clear()
    assert snapshot_download(NAME, cache_dir=cache.cache_folder()) == str(ours)
    assert hub.asked == []
    hub.add(Repository("someone/else", dict(model.files)))
    theirs = snapshot_download("someone/else", cache_dir=cache.cache_folder())
    hub.asked.clear()
    assert str(locate("someone/else").folder) == theirs
    assert hub.asked == []


def test_a_cache_of_a_client_that_kept_no_listing_runs_without_a_network(hub, model):
    folder = locate(NAME).folder
    for listing in (folder.parent.parent / "trees").iterdir():
        listing.unlink()
    hub.down = True
    assert locate(NAME).folder == folder
    (folder / WEIGHTS).unlink()
    with pytest.raises(HubUnreachable):
        locate(NAME)


def test_a_cache_that_cannot_be_written_is_named(online, hub, monkeypatch, tmp_path):
    from huggingface_hub import constants

    (tmp_path / "file").touch()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file"))
    with pytest.raises(NotWritable, match="HF_HOME"):
        locate(NAME)


def _listed(model, name):
    from support.hub_repository import digests

    git, sha256, size = digests(model.files[name])
    return cache.HubFile(name, size, git, sha256)
