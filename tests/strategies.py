"""Hypothesis strategies for the nouns of hashsvc: anything the rules allow."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from hashsvc import feature_values
from hashsvc.model import (
    ORIGINAL,
    Algorithm,
    Basis,
    Decoding,
    Description,
    EntryDraft,
    Fingerprint,
    MediaType,
    Severity,
)

times = st.datetimes(
    min_value=datetime.fromisoformat("1970-01-01"),
    max_value=datetime.fromisoformat("9999-12-31"),
    timezones=st.just(UTC),
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=100)


@st.composite
def local_values(draw: st.DrawFn, *, most: int = 4) -> bytes:
    """A value of local features: any of its kind, with so many features at most."""
    sides = [draw(st.integers(1, 65_535)).to_bytes(2) for _ in "wh"]
    size = draw(st.integers(1, most)) * feature_values.FEATURE_BYTES
    return b"".join((*sides, draw(st.binary(min_size=size, max_size=size))))


@st.composite
def fingerprints(draw: st.DrawFn, *, timed: bool = False) -> Fingerprint:
    """One well-formed fingerprint."""
    algorithm = draw(st.sampled_from(Algorithm))
    width = algorithm.bits // 8
    values = st.binary(min_size=width, max_size=width)
    return Fingerprint(
        algorithm,
        draw(local_values() if algorithm.is_local else values),
        quality=draw(st.none() | st.integers(0, 100)),
        time_ms=draw(st.none() | st.integers(0, 10**9)) if timed else None,
        decoding=draw(st.sampled_from(Decoding)),
        variant=draw(st.sampled_from([ORIGINAL, "mirrored", "crop_80"])),
    )


descriptions = st.builds(
    Description,
    labels=st.lists(
        st.from_regex(r"[a-z0-9_.:-]{1,64}", fullmatch=True), min_size=1, max_size=5
    ).map(tuple),
    entities=st.lists(texts.filter(str.strip), max_size=3).map(tuple),
    basis=st.sampled_from(Basis),
    severity=st.sampled_from(Severity),
    incident=texts,
    expire_time=st.none() | times,
    note=texts,
)


@st.composite
def drafts(draw: st.DrawFn) -> EntryDraft:
    """One entry that the rules allow."""
    media_type = draw(st.sampled_from(MediaType))
    timed = media_type is MediaType.VIDEO
    values = draw(st.lists(fingerprints(timed=timed), min_size=1, max_size=6))
    return EntryDraft(media_type, tuple(values), draw(descriptions))
