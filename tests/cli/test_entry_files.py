"""Files of entries, in and out: whatever is in them, and whoever made them."""

import codecs
import io
import json
import os
import stat
import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashsvc.cli import entry_csv, entry_jsonl
from hashsvc.errors import InvalidRequest
from hashsvc.model import Basis, Description, Entry, EntryDraft, MediaType
from hashsvc_client import Client
from tests import strategies
from tests.commands import hashsvc
from tests.harness import NOW, PROPAGANDA, pdq_draft, running_node

FORMATS = {"csv": entry_csv, "jsonl": entry_jsonl}
HEADER = "algorithm,value,labels,basis"
MD5 = "0" * 31 + "1"
ROW = f"md5,{MD5},propaganda,research"
FINGERPRINT = f'{{"algorithm": "md5", "value": "{MD5}"}}'
LATER = datetime(2999, 1, 1, tzinfo=UTC)
ODD = st.sampled_from(
    ["=1+1", "'=1", "''@x", "'", "-", "\t", "\r\n", " =", "\uff1d1", "[", "a;b", " a "]
)


def entry(draft: EntryDraft, name: str = "acme/known#1") -> Entry:
    """Return a draft as it lies in a list."""
    return Entry(name, draft.media_type, draft.description, "acme", draft.fingerprints, NOW, NOW)


def with_odd_texts(draft: EntryDraft, text: str) -> EntryDraft:
    """Return a draft with a text in every field that takes one, that does not expire soon."""
    said = replace(draft.description, note=text, incident=text, entities=(f"{text}.", "b"))
    expires = None if said.expire_time is None else LATER
    return replace(draft, description=replace(said, expire_time=expires))


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=40, deadline=None)
@given(drafts=st.lists(st.builds(with_odd_texts, strategies.drafts(), strategies.texts | ODD)))
def test_what_is_written_is_read(form: str, drafts: list[EntryDraft]) -> None:
    """To the letter; and no cell begins as a formula does."""
    entries = [entry(draft, f"acme/known#{i}") for i, draft in enumerate(drafts, 1)]
    text = io.StringIO(newline="")
    assert list(FORMATS[form].write(text, iter(entries))) == entries
    path = Path(f"/proc/self/fd/{_unnamed(text.getvalue().encode())}")
    try:
        assert list(FORMATS[form].read_drafts(path, Description())) == drafts
    finally:
        os.close(int(path.name))
    if form == "csv":
        import csv

        rows = list(csv.reader(io.StringIO(text.getvalue(), newline="")))
        cells = [cell for row in rows for cell in row if cell]
        assert not [cell for cell in cells if cell.lstrip(" ")[:1] in tuple("=+-@\t\r\n\uff1d")]


def _unnamed(data: bytes) -> int:
    """Return a descriptor of a file in memory."""
    descriptor = os.memfd_create("entries")
    os.write(descriptor, data)
    return descriptor


def read(path: Path, data: bytes | str) -> list[EntryDraft]:
    """Write a file and read its entries."""
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return list(FORMATS[path.suffix[1:]].read_drafts(path, Description()))


def test_rows_of_a_video_are_one_entry(tmp_path: Path) -> None:
    """Which its first row describes; cells override what the command line says."""
    rows = ["entry,media_type,algorithm,value,time_ms,labels,basis"]
    rows += [f"x#1,video,pdq,{1:064x},0,training,research", f"x#1,video,pdq,{2:064x},1000,,"]
    rows += [f"x#2,image,pdq,{3:064x},,training,research", f",,pdq,{4:064x},,training,research"]
    found = read(tmp_path / "x.csv", "\n".join(rows))
    assert [len(draft.fingerprints) for draft in found] == [2, 1, 1]
    assert [f.time_ms for f in found[0].fingerprints] == [0, 1000]
    assert found[0].media_type is MediaType.VIDEO
    assert found[1].description == Description(labels=("training",), basis=Basis.RESEARCH)


BAD_CSV: dict[str, tuple[str | bytes, int, str]] = {
    "UTF-16": (codecs.BOM_UTF16_LE + f"{HEADER}\n".encode("utf-16-le"), 1, "is UTF-16; save"),
    "UTF-16 without its mark": (
        f"{HEADER}\n".encode("utf-16-le"),
        1,
        "holds a NUL, as text in UTF",
    ),
    "Latin-1": (
        f"{HEADER}\nmd5,{MD5},caf\xe9,research".encode("latin-1"),
        2,
        "byte 41 is not UTF-8",
    ),
    "NUL": (f"{HEADER}\n{ROW}\0", 2, "holds a NUL"),
    "a line without end": (f"{HEADER}\n" + "x" * 70_000, 2, "takes 65,536 bytes at most"),
    "lines in an open quote": (f'{HEADER}\n"' + "x\n" * 40_000, 32_769, "65,536 bytes at most"),
    "an open quote": (f'{HEADER}\n"md5', 2, "is not CSV: unexpected end of data"),
    "text after a quote": (f'{HEADER}\n"md5"x,', 2, "is not CSV"),
    "many columns": (HEADER + ",x" * 20_000, 1, "column x: is not a field; known are entry,"),
    "many cells": (f"{HEADER}\n" + "," * 20_000, 2, "has 20,001 cells, the header names 4"),
    "a column twice": (f"{HEADER},basis\n", 1, "names the column basis more than once"),
    "no columns": ("a,b\n", 1, "the header names no column algorithm and value"),
    "nothing": ("", 0, "the header names no column"),
    "a quality": (f"quality,{HEADER}\n1e9,{ROW}", 2, "quality: is not a whole number"),
    "a great quality": (f"quality,{HEADER}\n101,{ROW}", 2, "quality: is outside 0 to 100"),
    "a long number": (f"quality,{HEADER}\n{'9' * 5000},{ROW}", 2, "quality: is not a whole"),
    "digits of others": (f"quality,{HEADER}\n\u0663,{ROW}", 2, "quality: is not a whole number"),
    "an algorithm": (f"{HEADER}\nmd6,{MD5},x,research", 2, "algorithm: is not one of sha256, md5"),
    "no features": (f"{HEADER}\norb,{'0' * 86},x,research", 2, "this one has 43"),
    "many features": (f"{HEADER}\norb,{'f' * 2 * (4 + 38 * 257)},x,research", 2, "256 at most"),
    "features in words": (f"{HEADER}\norb,zz,x,research", 2, "value: is not hexadecimal"),
    "a value with spaces": (f"{HEADER}\nmd5,{'0 ' * 16},x,research", 2, "has 32 hexadecimal"),
    "a time": (f"expire_time,{HEADER}\nsoon,{ROW}", 2, "expire_time: is not a time such as"),
    "a time that is over": (f"expire_time,{HEADER}\n2001-01-01,{ROW}", 2, "is in the past"),
    "deep entities": (f"entities,{HEADER}\n{'[' * 60_000},{ROW}", 2, "entities: begins with [ and"),
    "no basis": (f"{HEADER}\nmd5,{MD5},x,", 2, "basis: say on what ground"),
    "a row that describes": (f"entry,{HEADER}\na,{ROW}\na,{ROW}", 3, "labels: the first row of an"),
}

BAD_JSON: dict[str, tuple[str | bytes, int, str]] = {
    "UTF-16": (codecs.BOM_UTF16_BE + b"\0{\0}", 1, "is UTF-16; save the file as UTF-8"),
    "Latin-1": (b'\n{"note": "caf\xe9"}', 2, "byte 14 is not UTF-8"),
    "NUL": (b'{"note": "\0"}', 1, "holds a NUL"),
    "an escaped NUL": (
        f'{{"fingerprints": [{FINGERPRINT}], "labels": ["x"], "basis": "research",'
        ' "note": "\\u0000"}',
        1,
        "note: holds a",
    ),
    "half a pair": (
        f'{{"fingerprints": [{FINGERPRINT}], "note": "\\ud800"}}',
        1,
        "note: is not Uni",
    ),
    "a line without end": (b"[" + b" " * (1 << 24), 1, "takes 16,777,216 bytes at most"),
    "depth": ("[" * 500_000, 1, "is nested too deeply"),
    "many objects": ("[" + "{}," * 2_000_000 + "{}]", 1, "has more than 1,000,000 parts"),
    "no object": ("[]", 1, "entry: is not a JSON object"),
    "no JSON": ("{'a': 1}", 1, "column 2: is not JSON"),
    "a key twice": ('{"note": "a", "note": "b"}', 1, "note: is there more than once"),
    "a long number": (f'{{"note": {"9" * 5000}}}', 1, "holds a number of 5,000 digits"),
    "NaN": ('{"note": NaN}', 1, "holds NaN, which is not JSON"),
    "a fraction": ('{"note": 1e999}', 1, "holds a number with a fraction or an exponent"),
    "an unknown field": ('{"notes": "x"}', 1, "notes: is not a field; known are entry, media_type"),
    "an unknown field below": (
        '{"fingerprints": [{"hash": ""}]}',
        1,
        "fingerprints[0].hash: is not",
    ),
    "no fingerprints": ('{"fingerprints": []}', 1, "fingerprints: give a list with at least one"),
    "other fingerprints": ('{"fingerprints": ["x"]}', 1, "fingerprints[0]: is not an object"),
    "text for a list": (
        f'{{"fingerprints": [{FINGERPRINT}], "labels": "x"}}',
        1,
        "labels: is not a",
    ),
    "a number for text": (
        f'{{"fingerprints": [{FINGERPRINT}], "note": 1}}',
        1,
        "note: is not text",
    ),
    "truth for a number": (
        '{"fingerprints": [{"algorithm": "pdq", "value": "' + "0" * 64 + '", "quality": true}]}',
        1,
        "fingerprints[0].quality: is not a whole number",
    ),
}


@pytest.mark.parametrize(
    ("form", "case"),
    [("csv", name) for name in BAD_CSV] + [("jsonl", name) for name in BAD_JSON],
)
def test_what_is_wrong_is_named(form: str, case: str, tmp_path: Path) -> None:
    """By file, line and field; no value is shown."""
    data, line, told = {"csv": BAD_CSV, "jsonl": BAD_JSON}[form][case]
    path = tmp_path / f"bad.{form}"
    with pytest.raises(InvalidRequest) as caught:
        read(path, data)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert told in str(caught.value)
    assert len(str(caught.value)) < 500
    assert MD5 not in str(caught.value)


def test_marks_of_utf8_and_line_ends_of_others_are_fine(tmp_path: Path) -> None:
    """As spreadsheets write them."""
    text = f"{HEADER}\r\n{ROW}\r\n\r\n"
    assert len(read(tmp_path / "x.csv", codecs.BOM_UTF8 + text.encode())) == 1
    line = f'{{"fingerprints": [{FINGERPRINT}], "labels": ["x"], "basis": "research"}}\r\n\r\n'
    assert len(read(tmp_path / "x.jsonl", codecs.BOM_UTF8 + line.encode())) == 1


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("source", ["zeros", "a pipe"])
def test_memory_is_bounded(form: str, source: str, tmp_path: Path) -> None:
    """Of sources that never end."""
    path = Path("/dev/zero")
    if source == "a pipe":
        path = tmp_path / "pipe"
        os.mkfifo(path)
        threading.Thread(target=_pour, args=(path, b"[{}," * 16_384), daemon=True).start()
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest):
            list(FORMATS[form].read_drafts(path, PROPAGANDA))
        assert tracemalloc.get_traced_memory()[1] < 4 * entry_jsonl.MAX_LINE_BYTES
    finally:
        tracemalloc.stop()


def _pour(path: Path, data: bytes) -> None:
    with path.open("wb", buffering=0) as pipe:
        try:
            while True:
                pipe.write(data)
        except BrokenPipeError:
            return


def test_the_worst_line_that_is_read_takes_little_memory(tmp_path: Path) -> None:
    """As many parts as may be, each of the kind that costs most."""
    path = tmp_path / "x.jsonl"
    path.write_text('{"labels": [' + "{}," * (entry_jsonl._MAX_PARTS // 2 - 10) + "{}]}")
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest, match="fingerprints: give a list"):
            list(entry_jsonl.read_drafts(path, PROPAGANDA))
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A node with a list of a video, of pictures, and of what is left out."""
    folder = tmp_path_factory.mktemp("known") / "data"
    with running_node(folder) as address, Client(address) as client:
        client.create_list("acme/known")
        frames = tuple(
            replace(pdq_draft(i).fingerprints[0], time_ms=i * 1000) for i in range(1, 2_001)
        )
        noted = replace(PROPAGANDA, note='=HYPERLINK("http://x.example")\n', entities=("a;b", "c"))
        drafts = [EntryDraft(MediaType.VIDEO, frames, noted), *map(pdq_draft, range(3000, 3100))]
        client.add_entries("acme/known", drafts)
        client.withdraw_entry("acme/known#2", "wrong")
        client.plant_canaries("acme/known", "bolt", 2)
        yield address


@pytest.mark.parametrize("form", FORMATS)
def test_a_list_goes_out_and_in(known: str, form: str, tmp_path: Path) -> None:
    """The same entries; the file is its owner's alone, and replaces another only if it is to."""
    to = tmp_path / "list"
    command = ("export", "--list", "acme/known", f"--{form}")
    done = hashsvc(*command, "--to", to, server=known)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "acme/known: 100 entries, 2 left out (expired, distrusted, or canaries)\n"
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert hashsvc(*command, server=known).stdout.encode() == to.read_bytes()
    other = f"acme/{form}"
    done = hashsvc("contribute", "--list", other, f"--{form}", to, server=known)
    assert done.stderr == f"{other}: 100 added\n"
    with Client(known) as client:
        lists = [
            [
                (one.media_type, one.fingerprints, one.description)
                for one in client.entries(name, show_fingerprints=True)
                if not one.canary_of
            ]
            for name in ("acme/known", other)
        ]
    assert lists[0] == lists[1]
    before = to.read_bytes()
    done = hashsvc(*command, "--to", to, server=known)
    assert (done.returncode, to.read_bytes()) == (1, before)
    assert "is there already; use --force" in done.stderr
    to.write_text("x")
    assert hashsvc(*command, "--to", to, "--force", server=known).returncode == 0
    assert to.read_bytes() == before
    assert list(tmp_path.iterdir()) == [to]


def test_an_export_that_fails_leaves_nothing(known: str, tmp_path: Path) -> None:
    """Neither the file nor a part of it; and what is no file is not replaced."""
    to = tmp_path / "list"
    for arguments, told in (
        (("--list", "acme/nothing", "--csv", "--to", to), "there is no list"),
        (("--list", "acme/known", "--csv", "--force", "--to", tmp_path), "is not a file"),
        (("--list", "acme/known", "--csv", "--to", tmp_path / "no" / "x"), "No such file"),
    ):
        done = hashsvc("export", *arguments, server=known)
        assert done.returncode == 1
        assert told in done.stderr
        assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert hashsvc("export", "--list", "acme/known", server=known).returncode == 2


def test_what_was_added_before_a_mistake_is_said(known: str, tmp_path: Path) -> None:
    """And running it again, without the mistake, adds the rest."""
    lines = [json.dumps(document(i)) for i in range(1, 1501)]
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join([*lines, "{}"]))
    command = ("contribute", "--list", "acme/part", "--jsonl", path)
    done = hashsvc(*command, server=known)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "acme/part: 1,000 added before it stopped; run again, it adds nothing twice",
        f"error: {path}:1501: fingerprints: give a list with at least one",
    ]
    path.write_text("\n".join(lines))
    done = hashsvc(*command, server=known)
    assert done.stderr == "acme/part: 500 added, 1,000 were there already\n"


def document(number: int) -> dict[str, object]:
    """An entry of one value as `contribute --jsonl` takes it."""
    value = {"algorithm": "md5", "value": f"{number:032x}"}
    return {"fingerprints": [value], "labels": ["propaganda"], "basis": "research"}
