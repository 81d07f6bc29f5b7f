"""What a zip can be beside a bundle: names that lead elsewhere, links, bombs, comments. All is refused, nothing unpacked."""

import stat
import zipfile

import pytest
from support.bundles import added, members, rewritten

from harness.bundles import archive
from harness.bundles.take import take
from harness.bundles.unpack import is_bundle, read_bundle, read_content
from zoo.errors import BundleAltered, InvalidBundle

NAMES = ["../x/record.json", "/etc/passwd", "C:\\x", "a/b/../record.json", "bundle.json/x", "x\\..\\y"]
RUN = "01939fbb-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    "name", [*NAMES, f"{RUN}/../trials.parquet", f"{RUN}/a/b/record.json", f"{RUN}/.x/record.json"]
)
def test_a_file_of_any_other_name_is_refused_and_written_nowhere(bundle, tmp_path, name):
    rewritten(bundle, added(name), seal=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InvalidBundle, match="no name of a file in a bundle"):
        take([bundle], tmp_path / "results")
    assert sorted(tmp_path.rglob("*")) == before


def with_zip(path, change):
    """The bundle's files in a zip that `change(archive, name, content)` writes, or leaves to be written as usual."""
    files = members(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            if not change(made, name, content):
                made.writestr(zipfile.ZipInfo(name), content)
    return path


def as_link(made, name, content):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    made.writestr(info, content)
    return True


def with_comment(made, name, content):
    made.comment = b"measured on gpu-box7"


def with_extra(made, name, content):
    info = zipfile.ZipInfo(name)
    info.extra = b"\x75\x78\x00\x00"
    made.writestr(info, content)
    return True


def by_bzip2(made, name, content):
    made.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_BZIP2)
    return True


@pytest.mark.parametrize("change", [as_link, with_comment, with_extra, by_bzip2])
def test_what_a_zip_can_hold_beside_files_is_refused(bundle, change):
    with pytest.raises(InvalidBundle):
        read_bundle(with_zip(bundle, change))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused(bundle):
    def twice(made, name, content):
        made.writestr(zipfile.ZipInfo(name), content)

    with pytest.raises(InvalidBundle, match="two files of one name"):
        read_bundle(with_zip(bundle, twice))


def in_directory(path, offset, value):
    """The bundle with bytes of the zip's last directory entry exchanged."""
    content = bytearray(path.read_bytes())
    entry = content.rindex(archive.ENTRY) + offset
    content[entry : entry + len(value)] = value
    path.write_bytes(content)
    return path


def test_an_encrypted_file_is_refused(bundle):
    with pytest.raises(InvalidBundle, match="encrypted"):
        read_bundle(in_directory(bundle, 8, b"\x01\x00"))


def test_a_file_that_says_less_than_it_holds_is_refused(bundle):
    with pytest.raises(BundleAltered):
        read_bundle(in_directory(bundle, 24, (10).to_bytes(4, "little")))


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("LARGEST_MEMBER", {**archive.LARGEST_MEMBER, "trials.parquet": 500}),
        ("LARGEST_TOTAL", 5000),
        ("MOST_MEMBERS", 3),
    ],
)
def test_more_than_a_bundle_may_hold_is_refused_before_it_is_unpacked(bundle, monkeypatch, limit, value):
    monkeypatch.setattr(archive, limit, value)
    with pytest.raises(InvalidBundle, match="more than"):
        read_bundle(bundle)


def test_a_bomb_is_refused_by_what_it_says_and_by_what_comes_out(bundle):
    bomb = b"\0" * (archive.LARGEST_MEMBER["trials.parquet"] + 1)
    rewritten(
        bundle, lambda files: files.update({name: bomb for name in files if name.endswith("trials.parquet")}), seal=True
    )
    assert bundle.stat().st_size < archive.MIB
    with pytest.raises(InvalidBundle, match="MiB"):
        read_bundle(bundle)


def test_a_directory_of_a_million_entries_is_refused_unread(bundle, monkeypatch):
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("its directory was read"))
    with pytest.raises(InvalidBundle, match="files"):
        read_content(bundle.read_bytes() + archive.ENTRY * (2 * archive.MOST_MEMBERS + 1), bundle)


def test_a_zip_of_something_else_is_told_as_that(tmp_path, minizoo):
    other = tmp_path / "photos.zip"
    with zipfile.ZipFile(other, "w") as made:
        made.writestr("cat.jpg", b"cat")
    ran = minizoo("import", other, "--results", tmp_path / "results")
    assert ran.code == 2
    assert "no bundle of minizoo" in ran.err
    assert not is_bundle(other)
