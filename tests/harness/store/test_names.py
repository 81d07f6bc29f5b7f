"""The names that models are shown by: ids, given names, ends of paths, and digests where one name has two weights."""

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contributed import GIVEN
from support.records import record

from harness.records.files import new_run_id, write_record
from harness.records.record import Imported, Subject
from harness.store.query import query
from harness.store.rows.names import Identity, identity_of, shown_names
from zoo.names import folder_name

REGISTERED = {"minitron-8b", "nvidia/minitron-8b-base"}


def folder(path, digest="d1", name=None):
    return Identity("folder", path.rpartition("/")[2], name, path, digest)


def names(*identities):
    found = shown_names(identities, lambda name: name.casefold() in REGISTERED)
    return [found[identity] for identity in identities]


def test_a_folder_alone_has_its_own_name():
    assert names(folder("/work/runA/final")) == ["final"]


def test_a_snapshot_of_the_hubs_cache_has_its_repositorys_name(tmp_path):
    cache = "/home/me/.cache/huggingface/hub/models--me--tiny-chat/snapshots/"
    one, other = folder(f"{cache}{'a' * 40}"), folder(f"{cache}{'b' * 40}", "d2d2d2d2d2")
    assert names(one) == ["tiny-chat"]
    assert names(one, other) == ["tiny-chat@d1", "tiny-chat@d2d2d2d2"]
    (tmp_path / "models--gpt2/snapshots/c0").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "models--gpt2/snapshots/c0")
    assert folder_name(tmp_path / "link") == "gpt2"
    assert folder_name(tmp_path / "link/../.") == "snapshots"  # `..` of the target, as the system resolves it


def test_two_folders_of_one_name_get_the_shortest_ends_that_tell_them_apart():
    assert names(folder("/w/runA/final"), folder("/w/runB/final", "d2")) == ["runA/final", "runB/final"]
    assert names(folder("/w/runA/final"), folder("/w/runB/final")) == ["runA/final", "runB/final"]
    assert names(folder("/x/a/final"), folder("/y/a/final"), folder("/y/b/final")) == [
        "x/a/final",
        "y/a/final",
        "b/final",
    ]


def test_the_name_that_the_user_gave_is_the_name():
    assert names(folder("/w/final", name="student"), folder("/w/other/final")) == ["student", "final"]


@pytest.mark.parametrize(
    ("path", "shown"),
    [("/w/minitron-8b", "w/minitron-8b"), ("/w/Minitron-8B", "w/Minitron-8B"), ("/minitron-8b", "./minitron-8b"),
     ("/w/nvidia/Minitron-8B-Base", "Minitron-8B-Base")],
)  # fmt: skip
def test_a_folder_is_never_shown_by_a_registry_name(path, shown):
    assert names(folder(path)) == [shown]
    assert names(folder("/w/x", name="Minitron-8B")) == ["./Minitron-8B"]


def test_two_weights_under_one_name_carry_their_digests():
    assert names(folder("/w/final", "aaaaaaaa1"), folder("/w/final", "bbbbbbbb2")) == [
        "final@aaaaaaaa",
        "final@bbbbbbbb",
    ]
    given_ = [folder("/w/a", "aaaaaaaa1", "mine"), folder("/w/b", "bbbbbbbb2", "mine"), folder("/w/c", "cccccccc3")]
    assert names(*given_) == ["mine@aaaaaaaa", "mine@bbbbbbbb", "c"]
    hub = [Identity("hub", "org/model", None, "org/model", digest) for digest in ("aaaaaaaa1", "bbbbbbbb2")]
    assert names(*hub) == ["org/model@aaaaaaaa", "org/model@bbbbbbbb"]


def test_weights_that_nobody_knows_do_not_count():
    ours = Identity("registry", "minitron-8b", None, "nvidia/Minitron-8B-Base", "aaaaaaaa1")
    drawn, imported = (Identity("registry", "minitron-8b", None, source, None) for source in ("random", "elsewhere"))
    assert names(ours, drawn, imported) == ["minitron-8b"] * 3


def test_a_path_relative_to_somewhere_is_the_folder_that_ends_alike_and_has_its_weights():
    assert names(folder("../models/tiny"), folder("/work/models/tiny")) == ["tiny", "tiny"]
    assert names(folder("../models/tiny"), folder("/work/models/tiny", "d2")) == ["./models/tiny", "work/models/tiny"]


parts = st.sampled_from(["final", "runA", "runB", "minitron-8b", "w"])
paths = st.lists(parts, min_size=1, max_size=4).map(lambda listed: "/" + "/".join(listed))


@given(
    st.lists(
        st.tuples(paths, st.sampled_from(["aaaaaaaa", "bbbbbbbb", "cccccccc"])), min_size=1, max_size=8, unique=True
    )
)
def test_two_weights_never_share_a_name_and_no_name_is_the_registrys(listed):
    identities = [folder(path, digest) for path, digest in listed]
    shown = shown_names(identities, lambda name: name.casefold() in REGISTERED)
    for one, other in itertools.combinations(identities, 2):
        assert one.digest == other.digest or shown[one] != shown[other]
    assert not {name.casefold() for name in shown.values()} & REGISTERED


def subject(**changes):
    fields = {"id": "final", "source": "/w/runA/final", "revision": None, "weights_digest": "aaaaaaaa1"}
    return Subject(**{**fields, "tokenizer_digest": "t", "entry": None, "kind": "folder", **changes})


def test_records_of_before_kinds_count_as_folders_where_nothing_else_can_be_meant():
    kinds = [
        (subject(kind=None), "folder"),
        (subject(kind=None, id="org/model", source="org/model"), "hub"),
        (subject(kind=None, entry={"id": "minitron-8b"}), "registry"),
        (subject(kind=None, source="random", weights_digest="random, seed 0"), "hub"),
    ]
    assert [identity_of(record(subject=found)).kind for found, _ in kinds] == [kind for _, kind in kinds]
    assert identity_of(record(subject=kinds[-1][0])).digest is None
    origin = Imported(tool="lm-eval", tool_version=None, file="f", sha256="0", time="file")
    taken = identity_of(record(subject=subject(kind=None), source="imported", imported=origin))
    assert (taken.kind, taken.digest) == ("hub", None)


def test_a_digest_that_somebody_gave_renames_no_model_of_ones_own(tmp_path):
    """Nobody here has computed it; whose weights they were, the row says."""
    own = subject(id="minitron-8b", kind="registry", source="nvidia/Minitron-8B-Base")
    given_ = own.model_copy(update={"weights_digest": "bbbbbbbb2"})
    write_record(tmp_path, record(subject=own))
    write_record(tmp_path, record(subject=given_, **GIVEN))
    assert shown(tmp_path) == ["minitron-8b"] * 2
    assert identity_of(record(subject=given_, **GIVEN)).digest is None


def shown(results, view="scores"):
    rows = query(results, f"SELECT run_id, model FROM {view} WHERE run_id IS NOT NULL ORDER BY run_id")
    return [row["model"] for row in rows]


def test_a_folder_that_arrives_renames_the_one_that_was_there(tmp_path):
    write_record(tmp_path, record(subject=subject(parent="nano-teacher")))
    assert shown(tmp_path) == ["final"]
    write_record(tmp_path, record(subject=subject(source="/w/runB/final", weights_digest="bbbbbbbb2")))
    assert shown(tmp_path) == shown(tmp_path, "runs") == ["runA/final", "runB/final"]
    write_record(tmp_path, record(subject=subject(weights_digest="cccccccc3")))
    assert shown(tmp_path) == ["runA/final@aaaaaaaa", "runB/final", "runA/final@cccccccc"]
    (first, *_) = query(tmp_path, "SELECT parent, weights_digest FROM runs ORDER BY run_id")
    assert first == {"parent": "nano-teacher", "weights_digest": "aaaaaaaa1"}


def test_renaming_touches_nothing_but_names(tmp_path):
    at = datetime(2026, 11, 21, tzinfo=UTC)
    for path in ("/w/a/final", "/w/b/final"):
        write_record(tmp_path, record(run_id=new_run_id(), subject=subject(source=path), finished_at=at))
        query(tmp_path, "SELECT 1")
    one_by_one = query(tmp_path, "SELECT * EXCLUDE (run_id) FROM scores WHERE source = 'measured' ORDER BY model")
    (tmp_path / "minizoo.duckdb").unlink()
    assert one_by_one == query(
        tmp_path, "SELECT * EXCLUDE (run_id) FROM scores WHERE source = 'measured' ORDER BY model"
    )
