"""A data set of the hub by its name, read by the real client as a stream, at the commit that it was found at."""

import json
import os
import subprocess
import sys

from support.fake_hub import COMMIT, FakeHub, Repository, parquet
from support.paths import ROOT

PROGRAM = """
import json, sys
from pathlib import Path
from zoo.distill.data.prepare import RowSettings, prepare
from zoo.distill.data.shards import open_rows
from zoo.distill.data.sources import parse_sources
from zoo.distill.data.tokenizing import TextTokenizer
from zoo.errors import MinizooError

tokenizer = TextTokenizer(lambda texts: [list(text.encode()) for text in texts], 256, "bytes", 0, 1)
told = []
for words, most in json.loads(sys.argv[1]):
    folder = Path(sys.argv[2], str(len(told)))
    try:
        sources = parse_sources(words)
        manifest = prepare(sources, tokenizer, RowSettings(16, most=most), folder)
        made = manifest.sources[0]
        again = prepare(sources, tokenizer, RowSettings(16, most=most), folder)
        rows = open_rows(folder, sources, 256)
        told.append([manifest.rows, made.documents, made.identity.revision, again == manifest, len(rows)])
    except MinizooError as error:
        told.append([error.code, error.what])
print(json.dumps(told))
"""


def told(hub, folder, *asked):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(asked), str(folder)],
        env={**os.environ, **hub, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_stream_of_the_hub_becomes_rows_as_far_as_is_asked(tmp_path):
    content = parquet([{"text": f"document {n} of the hub"} for n in range(50)])
    files = {"data/train-00000-of-00001.parquet": content, "README.md": b"---\nlicense: mit\n---\n"}
    with FakeHub(repositories=[Repository("owner/tales", files, "datasets")]) as hub:
        whole, part, split, absent = told(
            hub.environment(tmp_path / "hf"),
            tmp_path,
            (["owner/tales"], None),
            (["owner/tales@2"], 5),
            (["owner/tales::test"], None),
            (["owner/absent"], None),
        )
    assert whole[1:] == [50, COMMIT, True, whole[0]]
    assert part[0] == 5
    assert part[1] < 5
    assert split[0] == absent[0] == "invalid-training-data"
    assert "owner/tales::test" in split[1]
    assert "owner/absent" in absent[1]


def test_without_the_hub_a_name_is_refused_as_unreachable(tmp_path):
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    (refused,) = told(offline, tmp_path, (["owner/tales"], None))
    assert refused[0] == "hub-unreachable"
    assert "no file or folder owner/tales" in refused[1]
