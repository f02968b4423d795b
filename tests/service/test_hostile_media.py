"""Hostile and broken files sent to a node: a clear refusal, and the next request is served."""

import hashlib
import random
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import grpc
import pytest
from PIL import Image

from hashsvc import testpattern
from hashsvc.model import (
    Algorithm,
    EntryDraft,
    Fingerprint,
    MediaType,
    Outcome,
    UndeterminedReason,
)
from hashsvc_client import Client, ClientError, LimitReached
from tests.harness import PROPAGANDA, running_node

SMALL = {"workers": 1, "decode_memory_bytes": 400_000_000, "decode_cpu_s": 5}


@pytest.fixture(scope="module")
def strict_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A node with one decoder and little memory for it."""
    with running_node(tmp_path_factory.mktemp("node"), decoding=SMALL) as address:
        yield address


def png(width: int, height: int, rows: bytes) -> bytes:
    """Return a grey 8-bit PNG that states a size and holds compressed rows."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def picture(form: str) -> bytes:
    """Return a picture that no list knows."""
    out = BytesIO()
    coarse = Image.frombytes("RGB", (16, 12), random.Random(5).randbytes(16 * 12 * 3))
    coarse.resize((640, 480), Image.Resampling.BICUBIC).save(out, form)
    return out.getvalue()


def movie_without_frames() -> bytes:
    """Return an MP4 that has a header and no track."""

    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", 8 + len(body)) + kind + body

    mvhd = struct.pack(">IIIII", 0, 0, 0, 1000, 5000) + bytes(80)
    return box(b"ftyp", b"isom\0\0\2\0isomiso2") + box(b"moov", box(b"mvhd", mvhd))


BOMB = png(20_000, 20_000, zlib.compress(bytes(20_001) * 200, 9))

CASES = {
    "an empty file": (b"", "INVALID_ARGUMENT", "empty"),
    "a text file": (b"Dear moderator, this is no picture.\n" * 9, "INVALID_ARGUMENT", "text"),
    "a truncated JPEG": (picture("JPEG")[:-3000], "INVALID_ARGUMENT", "JPEG"),
    "a truncated PNG": (picture("PNG")[:-3000], "INVALID_ARGUMENT", "PNG"),
    "a decompression bomb": (BOMB, "RESOURCE_EXHAUSTED", "max_pixels"),
    "a PNG 60,000 pixels wide": (
        png(60_000, 1, zlib.compress(bytes(60_001))),
        "RESOURCE_EXHAUSTED",
        "max_side_pixels",
    ),
    "a PNG 60,000 pixels square": (
        png(60_000, 60_000, zlib.compress(bytes(60_001))),
        "RESOURCE_EXHAUSTED",
        "max_pixels",
    ),
    "a picture too large for the memory": (
        png(9_000, 9_000, zlib.compress(bytes(9_001 * 9_000), 1)),
        "RESOURCE_EXHAUSTED",
        "decode_memory_bytes",
    ),
    "a video without frames": (movie_without_frames(), "INVALID_ARGUMENT", "no "),
    "noise behind a JPEG's start": (
        b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40,
        "INVALID_ARGUMENT",
        "JPEG",
    ),
    "noise behind a video's start": (
        b"\x1aE\xdf\xa3" + bytes(range(256)) * 400,
        "INVALID_ARGUMENT",
        "",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_by_name_and_the_next_is_served(strict_node: str, name: str) -> None:
    """With the status, a reason for programs, and the cause in words."""
    data, code, words = CASES[name]
    with Client(strict_node) as client:
        with pytest.raises(ClientError) as caught:
            client.check_media(BytesIO(data))
        assert caught.value.code is getattr(grpc.StatusCode, code)
        assert caught.value.reason in ("MEDIA_UNREADABLE", "MEDIA_TOO_LARGE")
        assert words in str(caught.value)
        verdict = client.check_file(testpattern.PATH, send_media=True)
        assert verdict.outcome is Outcome.MATCH


def test_an_unreadable_file_is_still_known_by_its_digest(strict_node: str) -> None:
    """Exact digests come first."""
    data = picture("JPEG")[:500]
    digest = Fingerprint(Algorithm.SHA256, hashlib.sha256(data).digest())
    with Client(strict_node) as client:
        client.create_list("acme/known")
        client.add_entries("acme/known", [EntryDraft(MediaType.IMAGE, (digest,), PROPAGANDA)])
        verdict = client.check_media(BytesIO(data))
        assert verdict.matches[0].algorithm is Algorithm.SHA256


def test_a_known_picture_cut_short_still_matches(strict_node: str) -> None:
    """What could be decoded is evidence; only without a match is it a refusal."""
    data = testpattern.PATH.read_bytes()
    with Client(strict_node) as client:
        verdict = client.check_media(BytesIO(data[:-200]))
        assert verdict.outcome is Outcome.MATCH
        assert verdict.matches[0].algorithm is Algorithm.PDQ


def test_a_picture_of_several_pages_is_undetermined(strict_node: str) -> None:
    """It is sound, but only its first page was looked at."""
    out = BytesIO()
    with Image.open(BytesIO(picture("PNG"))) as first:
        first.save(out, "TIFF", save_all=True, append_images=[first.rotate(90)])
    with Client(strict_node) as client:
        verdict = client.check_media(BytesIO(out.getvalue()))
    assert verdict.reason is UndeterminedReason.PARTLY_SEEN
    assert verdict.detail == "only the first of 2 pages was seen"


def test_a_file_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """By the wall clock, and the decoder is replaced."""
    large = png(9_000, 9_000, zlib.compress(bytes(9_001 * 9_000), 1))
    decoding = {"workers": 1, "decode_wall_s": 0.1}
    with running_node(tmp_path, decoding=decoding) as node, Client(node) as client:
        with pytest.raises(LimitReached, match="decode_wall_s"):
            client.check_media(BytesIO(large))
        assert client.check_file(testpattern.PATH, send_media=True).matches


def test_hostile_files_do_not_disturb_others_under_way(tmp_path: Path) -> None:
    """Good and bad files at once, through two decoders: every answer is its own."""
    from concurrent.futures import ThreadPoolExecutor

    bad = [CASES[name][0] for name in ("a truncated JPEG", "a decompression bomb", "a text file")]
    good = testpattern.PATH.read_bytes()

    with running_node(tmp_path, decoding={**SMALL, "workers": 2}) as node, Client(node) as client:

        def check(data: bytes) -> str:
            try:
                return client.check_media(BytesIO(data)).outcome
            except ClientError as error:
                return error.reason

        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(check, [good, *bad] * 6))
    assert answers[0::4] == ["match"] * 6
    assert answers[1::4] == ["MEDIA_UNREADABLE"] * 6
    assert answers[2::4] == ["MEDIA_TOO_LARGE"] * 6
    assert answers[3::4] == ["MEDIA_UNREADABLE"] * 6


def test_options_come_first(strict_node: str) -> None:
    """Late options are a mistake of the caller's program."""
    from hashsvc.v1 import match_service_pb2 as pb

    late = [pb.CheckMediaRequest(chunk=b"x"), pb.CheckMediaRequest(options=pb.CheckMediaOptions())]
    with Client(strict_node) as client:
        with pytest.raises(grpc.RpcError) as caught:
            client._match.CheckMedia(iter(late))
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
