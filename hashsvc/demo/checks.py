"""What a platform does with the client library: contribute media, and check uploads."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hashsvc import testpattern
from hashsvc.demo.cases import Case, Section
from hashsvc.media import FOR_LISTS, fingerprint_file, for_checks
from hashsvc.media.recipe import LOCAL_FOR_LISTS
from hashsvc.model import Basis, Description, EntryDraft, MediaType, Outcome, Verdict
from hashsvc_client import Client

LIST = "demo/known"

_NEAR_MS = 1000

_PURPOSE = "Harmless stand-ins for known terrorist media, to show what this service does."
DESCRIPTION = Description(
    labels=("propaganda",),
    basis=Basis.RESEARCH,
    note="A harmless, openly licensed stand-in: not terrorist media.",
)
"""What is said of everything that the demo contributes."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What was contributed: entry names by file name, and how long it took."""

    entries: dict[str, str]
    pictures: int
    clips: int
    hash_s: float
    send_s: float


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on one upload; `hash_s` is None where the server hashed it.

    It is also None for clips: hashing and checking take turns, and `check_s` is for both.
    """

    case: Case
    verdict: Verdict
    is_right: bool
    hash_s: float | None
    check_s: float


Results = list[tuple[Section, list[Result]]]


def contribute(client: Client, files: Sequence[Path]) -> Contribution:
    """Hash files here and add them to a new list, in one batch."""
    client.create_list(LIST, purpose=_PURPOSE, local_features=True)
    start = time.perf_counter()
    recipe = replace(FOR_LISTS, local=LOCAL_FOR_LISTS)
    media = [fingerprint_file(path, recipe=recipe) for path in files]
    hashed = time.perf_counter()
    drafts = [EntryDraft(m.media_type, m.fingerprints, DESCRIPTION) for m in media]
    acknowledgement = client.add_entries(LIST, drafts)
    acknowledged = time.perf_counter()
    names = [added.name for added in acknowledgement.entries]
    clips = sum(m.media_type is MediaType.VIDEO for m in media)
    return Contribution(
        entries=dict(zip((path.name for path in files), names, strict=True)),
        pictures=len(media) - clips,
        clips=clips,
        hash_s=hashed - start,
        send_s=acknowledged - hashed,
    )


def check_all(
    client: Client,
    sections: Sequence[Section],
    contribution: Contribution,
    done: Callable[[], None],
) -> Results:
    """Check every upload, one after the other; calls `done` after each."""
    # Says what the lists hold, before the first file is hashed.
    client.check_file(testpattern.PATH)
    entries = dict(contribution.entries)
    entries[testpattern.PATH.name] = next(client.entries(testpattern.LIST)).name
    results: Results = []
    for section in sections:
        checked = []
        for case in section.cases:
            checked.append(_check(client, case, entries))
            done()
        results.append((section, checked))
    return results


def _check(client: Client, case: Case, entries: dict[str, str]) -> Result:
    start = time.perf_counter()
    if case.send_media or case.is_clip:
        verdict = client.check_file(case.path, send_media=case.send_media)
        hash_s, hashed = None, start
    else:
        # Not by `check_file`: hashing and checking are timed apart.
        media = fingerprint_file(case.path, recipe=for_checks(client.held))
        hashed = time.perf_counter()
        hash_s = hashed - start
        verdict = client.check_fingerprints(media)
    check_s = time.perf_counter() - hashed
    return Result(case, verdict, _is_right(case, verdict, entries), hash_s, check_s)


def _is_right(case: Case, verdict: Verdict, entries: dict[str, str]) -> bool:
    if case.expected is not Outcome.MATCH:
        return verdict.outcome is case.expected
    # A match with anything but the original would be a false one.
    if {match.entry for match in verdict.matches} != {entries[case.original]}:
        return False
    starts_ms = [segment.upload_start_ms for m in verdict.matches for segment in m.segments]
    is_placed = all(abs(ms - 1000 * case.starts_s) <= _NEAR_MS for ms in starts_ms)
    return is_placed and bool(starts_ms) is case.is_clip
