"""A bundle that was damaged or changed by hand: refused whole, the file that it is about named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.bundles import added, first_of, in_manifest, in_record, in_text, one_byte, renamed, rewritten

from harness.bundles.unpack import is_bundle, read_bundle, read_content
from zoo.errors import BundleAltered, InputError, InvalidBundle

ALTERED = {
    "a byte of a record": one_byte("record.json"),
    "a byte of the trials": one_byte("trials.parquet"),
    "a byte of the telemetry": one_byte("telemetry.parquet"),
    "a figure of a record": in_record("fake", speed__statistics__0__value=1.0),
    "who gave it": in_manifest(by="Mallory"),
    "nobody gave it": in_manifest(by=None),
    "when": in_manifest(made_at="2026-12-01T00:00:00Z"),
    "its notes": in_manifest(notes=["Nothing was left out."]),
    "its digest": in_manifest(digest="0" * 64),
    "a space": in_text(b"{\n", b"{ \n"),
    "a name twice": in_text(b'"by"', b'"by": "Mallory", "by"'),
    "a record taken away": lambda files: files.pop(first_of(files, "record.json")),
    "trials taken away": lambda files: files.pop(first_of(files, "trials.parquet")),
    "a table added": added("01939fbb-0000-7000-8000-000000000000/x/trials.parquet"),
    "a folder renamed": renamed("fake.8x5.b1/record.json", "fake.8x5.b4/record.json"),
}


@pytest.mark.parametrize("what", ALTERED)
def test_what_is_not_as_it_was_packed_is_refused_whole(bundle, tmp_path, minizoo, what):
    rewritten(bundle, ALTERED[what])
    ran = minizoo("import", bundle, "--results", tmp_path / "results")
    assert ran.code == 2
    assert ran.err.startswith("minizoo: ")
    assert ran.err.count("\n") == 1
    assert bundle.name in ran.err
    assert not (tmp_path / "results").exists()
    with pytest.raises(InvalidBundle if what == "a name twice" else BundleAltered):
        read_bundle(bundle)


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.99])
def test_a_bundle_that_was_cut_short_is_told_as_one(bundle, minizoo, kept):
    content = bundle.read_bytes()
    bundle.write_bytes(content[: int(kept * len(content))])
    ran = minizoo("import", "--check", bundle)
    assert ran.code == 2
    assert "cut short or damaged" in ran.err
    assert is_bundle(bundle)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_byte_that_flips_anywhere_is_refused_or_changes_nothing_that_is_read(packed_once, data):
    content = bytearray(packed_once.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    whole = read_bundle(packed_once)
    try:
        read = read_content(bytes(content), packed_once)
    except InputError:
        return
    assert (read.manifest, read.records) == (whole.manifest, whole.records)
