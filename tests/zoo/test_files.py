"""Files are written whole or not at all."""

import pytest

from zoo.files import atomic_file, publish_folder, write_atomically


def test_a_written_file_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path):
    (tmp_path / "f").write_bytes(b"old")
    write_atomically(tmp_path / "f", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"new"}


def write_half(path, interruption):
    with atomic_file(path) as file:
        file.write(b"half of the n")
        raise interruption


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(interruption, tmp_path):
    (tmp_path / "f").write_bytes(b"old")
    with pytest.raises(interruption):
        write_half(tmp_path / "f", interruption)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"old"}


def test_a_published_folder_has_its_name_and_its_files(tmp_path):
    (tmp_path / ".unfinished").mkdir()
    (tmp_path / ".unfinished" / "f").write_bytes(b"x")
    publish_folder(tmp_path / ".unfinished", tmp_path / "done")
    assert [path.name for path in tmp_path.iterdir()] == ["done"]
    assert (tmp_path / "done" / "f").read_bytes() == b"x"
