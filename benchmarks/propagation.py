"""How fast a list travels: from acknowledgement at node A to a match at node B, and catching up.

A keeps the list. B follows it, at A or at a hub which follows A: real nodes, each a process of its
own on this machine. An entry is contributed at A; from its acknowledgement on B is checked in a
tight loop until it matches, then the entry is withdrawn, and B checked until it does not. The check
that sees the entry is part of the time; `check_p50_ms` is that of one more such check. Idle, while
another process checks B at an even rate, and while another contributes to A in bulk, where an entry
waits behind the batches before it, unless it is of an incident: that goes ahead. And, with entries
of an incident, while B is a new node that catches up with a long list.

`catch_up_records_per_s` is from subscribing until all of a list is verified, applied and matches at
a new node. `bytes_per_record` is what a proxy between source and follower counts, both ways taken
together, without TLS; the proxy has the rate `through_proxy_records_per_s`. What the parts can do:
`append_records_per_s` is the ledger's rate of writing the list at A, in batches that are each
signed; `stream_only_records_per_s` that of taking A's messages and dropping them;
`verify_only_records_per_s` that of verifying them, without a store.

Hasher Matcher Actioner at its default intervals was seen to take 25 to 57 s, 41 s in the mean, from
contribution to match inside one installation; it does not run here.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, aclosing, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import grpc
import numpy as np

from benchmarks import filling, loads, node, wire
from benchmarks.datasets import Codes, Found, make_codes, score
from benchmarks.report import TABLE, Row, note, percentile_ms, seconds
from hashsvc.lists.tiles import RightEdge
from hashsvc.lists.verifying import LogVerifier
from hashsvc.model import EntryDraft
from hashsvc.model_sync import FollowState, Leaves, Signed, Started, Wanted
from hashsvc.sync.peer import PeerSource
from hashsvc.v1 import sync_service_pb2
from hashsvc.v1.sync_service_pb2_grpc import SyncServiceStub
from hashsvc_client import Client, Security
from hashsvc_client.admin import AdminClient

HELP = "time from acknowledgement at one node to a match at another, and catching up"
SMALL: Sequence[str] = ("--records", "2000", "--repeat", "5")

_CHECKS_PER_S, _BULK_PER_S = 200, 1_000
_IDLE = "idle"
_CHECKED = f"{_CHECKS_PER_S} checks a second at B"
_BULK = f"{_BULK_PER_S:,} entries a second at A"
_ORDINARY, _INCIDENT = "ordinary", "of an incident"
_KINDS = ((_IDLE, _ORDINARY), (_CHECKED, _ORDINARY), (_BULK, _ORDINARY), (_BULK, _INCIDENT))

_BATCH = 1_000
_SAMPLE = 200
_POLL_S = 0.02
_LIMIT_S = 60.0
_LEAST_PER_S = 100  # far below what is expected: ends a run that hangs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the number of entries timed, and the size of the list that is caught up with."""
    parser.add_argument(
        "--repeat", type=int, default=200, help="entries timed of each kind (default 200)"
    )
    parser.add_argument(
        "--records", type=int, default=100_000, help="entries to catch up with (default 100,000)"
    )


def run(arguments: argparse.Namespace) -> list[Row]:
    """Measure both ways to B under each load, then catching up."""
    rng = np.random.default_rng(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        rows = _travel(Path(name), arguments, rng)
        arguments.watch.probe()
        return [*rows, *_catching_up(Path(name), arguments.records, rng)]


# From acknowledgement to match


@dataclass(slots=True)
class _Times:
    """What was measured of entries, in seconds, and the answers that were wrong."""

    acknowledged: list[float] = field(default_factory=list)
    matched: list[float] = field(default_factory=list)
    checked: list[float] = field(default_factory=list)
    gone: list[float] = field(default_factory=list)
    wrong: int = 0

    def add(self, other: "_Times") -> None:
        """Take in what else was measured."""
        self.acknowledged += other.acknowledged
        self.matched += other.matched
        self.checked += other.checked
        self.gone += other.gone
        self.wrong += other.wrong


def _travel(folder: Path, arguments: argparse.Namespace, rng: np.random.Generator) -> list[Row]:
    rows = []
    with ExitStack() as stack:
        a, hub, b = (
            stack.enter_context(node.running(folder / name)).address for name in ("a", "hub", "b")
        )
        client = stack.enter_context(Client(a))
        client.create_list(node.LIST)
        for path, way in (("A -> B", (a, b)), ("A -> hub -> B", (a, hub, b))):
            for source, follower in pairwise(way):
                _subscribe(follower, source)
            for load, kind in _KINDS:
                note(f"{path}, {load}, entries {kind}")
                drafts = [_draft(code, kind) for code in make_codes(arguments.repeat, rng)]
                with _beside(load, a, b, arguments.seed):
                    times = _timed(a, b, drafts)
                times.wrong += not _is_same_in_the_end(a, b)
                rows.append(_row(path, load, kind, times))
            arguments.watch.probe()
    return rows


def _row(path: str, load: str, kind: str, times: _Times) -> Row:
    return {
        TABLE: "From acknowledgement at A to a match at B",
        "path": path,
        "load": load,
        "entry": kind,
        "n": len(times.matched),
        "ack_p50_ms": percentile_ms(times.acknowledged, 50),
        "p50_ms": percentile_ms(times.matched, 50),
        "p99_ms": percentile_ms(times.matched, 99),
        "check_p50_ms": percentile_ms(times.checked, 50),
        "withdrawn_p50_ms": percentile_ms(times.gone, 50),
        "withdrawn_p99_ms": percentile_ms(times.gone, 99),
        "wrong": times.wrong,
    }


def _timed(a: str, b: str, drafts: Sequence[EntryDraft]) -> _Times:
    """Contribute each, wait until it matches at B, withdraw it, and wait until it is gone there."""
    times = _Times()
    with Client(a) as home, Client(b) as away:
        for draft in drafts:
            match = partial(_matches, away, draft)
            # One that is known before it is contributed would be a broken promise.
            times.wrong += bool(match())
            start = perf_counter()
            (entry,) = home.add_entries(node.LIST, [draft]).entries
            times.acknowledged.append(perf_counter() - start)
            times.matched.append(_until(match, is_known=True))
            start = perf_counter()
            times.wrong += match() != {entry.name}
            times.checked.append(perf_counter() - start)
            home.withdraw_entry(entry.name, "benchmark")
            times.gone.append(_until(match, is_known=False))
            times.wrong += bool(match())
    return times


def _matches(client: Client, draft: EntryDraft) -> set[str]:
    return {match.entry for match in client.check(draft.fingerprints).matches}


def _until(match: Callable[[], set[str]], *, is_known: bool) -> float:
    """Seconds until a check finds an entry, or does not; that check is part of it."""
    start = perf_counter()
    while perf_counter() - start < _LIMIT_S:
        if bool(match()) is is_known:
            return perf_counter() - start
    raise RuntimeError(f"not seen within {_LIMIT_S:.0f} s")


def _draft(code: Codes, kind: str) -> EntryDraft:
    draft = node.draft(code)
    if kind == _INCIDENT:
        draft = replace(draft, description=replace(draft.description, incident="benchmark"))
    return draft


def _beside(load: str, a: str, b: str, seed: int) -> AbstractContextManager[None]:
    if load == _CHECKED:
        return loads.beside(loads.CHECKS, b, _CHECKS_PER_S, seed)
    if load == _BULK:
        # Of another seed each time: what is there already would not be added again.
        return loads.beside(loads.ENTRIES, a, _BULK_PER_S, time.time_ns())
    return nullcontext()


def _subscribe(follower: str, source: str) -> None:
    with AdminClient(follower) as admin:
        admin.follow(node.LIST, source)
    _wait_for(follower, _size(source))


def _is_same_in_the_end(a: str, b: str) -> bool:
    """Wait until B has all that A has; tell whether they hold the same checkpoint then."""
    _wait_for(b, _size(a))
    return _checkpoint(a) == _checkpoint(b)


# Catching up


def _catching_up(folder: Path, count: int, rng: np.random.Generator) -> list[Row]:
    codes = make_codes(count, rng)
    note(f"writing a list of {count:,} entries")
    append_s = seconds(partial(filling.write, folder / "full", codes, _BATCH))
    with node.running(folder / "full") as source:
        size = _size(source.address)
        note("catching up")
        direct_s, found = _caught_up(folder / "direct", source.address, size, codes)
        note("catching up through the proxy")
        with wire.counting(source.address) as counted:
            proxy_s, more = _caught_up(folder / "proxy", counted.address, size, codes)
        stream_s, verify_s = asyncio.run(_split(source.address, size))
        note("entries of an incident, while another node catches up")
        ahead = _overtaking(folder / "behind", source.address, rng)
    truth: list[Found] = [{(row, 0)} for row in _sample(codes)]
    caught_up = {
        TABLE: "Catching up with a list from nothing",
        "records": size,
        "catch_up_records_per_s": size / direct_s,
        "through_proxy_records_per_s": size / proxy_s,
        "bytes_per_record": counted.nbytes / size,
        "append_records_per_s": size / append_s,
        "stream_only_records_per_s": size / stream_s,
        "verify_only_records_per_s": size / verify_s,
        **score([*truth, *truth], [*found, *more]),
    }
    load = f"B catches up with {size:,} records"
    rows = [_row("A -> B", load, _INCIDENT, ahead)] if ahead.matched else []
    return [*rows, caught_up]


def _overtaking(data: Path, source: str, rng: np.random.Generator) -> _Times:
    """Time entries of an incident at a new node for as long as it catches up with the list."""
    times = _Times()
    with node.running(data) as follower, AdminClient(follower.address) as admin:
        status = admin.follow(node.LIST, source)
        while not status.size:
            (status,) = admin.followed()
        while status.state is not FollowState.LIVE:
            draft = _draft(make_codes(1, rng)[0], _INCIDENT)
            some = _timed(source, follower.address, [draft])
            (status,) = admin.followed()
            if status.behind:
                times.add(some)
    return times


def _caught_up(data: Path, source: str, size: int, codes: Codes) -> tuple[float, list[Found]]:
    """Let a new node follow the list; return the seconds, and what it finds of a sample then."""
    with node.running(data) as follower:
        start = perf_counter()
        with AdminClient(follower.address) as admin:
            admin.follow(node.LIST, source)
        _wait_for(follower.address, size)
        took = perf_counter() - start
        with Client(follower.address) as client:
            sample = [node.fingerprint(codes[row]) for row in _sample(codes)]
            return took, [node.found(client.check([value])) for value in sample]


def _sample(codes: Codes) -> list[int]:
    rows: list[int] = np.linspace(0, len(codes) - 1, min(_SAMPLE, len(codes)), dtype=int).tolist()
    return rows


async def _split(address: str, size: int) -> tuple[float, float]:
    """Seconds of taking all messages and dropping them, and of verifying them."""
    note("streaming alone, and verifying alone")
    start = perf_counter()
    await _verified(address, size, is_verified=False)
    return perf_counter() - start, await _verified(address, size, is_verified=True)


async def _verified(address: str, size: int, *, is_verified: bool) -> float:
    """Take a list's log; seconds in the verifier, which must come to its full size."""
    source = PeerSource(address, Security(), silence_s=_LIMIT_S)
    took, verifier = 0.0, None
    async with aclosing(source.follow(Wanted(node.LIST, 0, is_to_head=True))) as messages:
        async for message in messages:
            if not is_verified:
                continue
            start = perf_counter()
            match message:
                case Started(first_key=key):
                    verifier = LogVerifier(node.LIST, key, RightEdge(), lambda _: b"")
                    verifier.start(message)
                case Leaves() if verifier is not None:
                    verifier.take(message)
                case Signed() if verifier is not None:
                    verifier.commit(verifier.close(message))
            took += perf_counter() - start
    if verifier is not None and verifier.size != size:
        raise RuntimeError(f"{verifier.size:,} of {size:,} records were verified")
    return took


# Both


def _wait_for(follower: str, size: int) -> None:
    """Wait until a node has applied so many records of the list."""
    limit_s = _LIMIT_S + size / _LEAST_PER_S
    start = perf_counter()
    with AdminClient(follower) as admin:
        while True:
            (status,) = admin.followed()
            if status.state is FollowState.LIVE and status.size >= size:
                return
            if status.state is FollowState.REFUSED or perf_counter() - start > limit_s:
                raise RuntimeError(
                    f"{status.size:,} of {size:,} records were applied: {status.state} "
                    f"{status.detail}"
                )
            time.sleep(_POLL_S)


def _size(address: str) -> int:
    with Client(address) as client:
        return client.get_list(node.LIST).size


def _checkpoint(address: str) -> bytes:
    with grpc.insecure_channel(address) as channel:
        request = sync_service_pb2.GetCheckpointRequest(list=node.LIST)
        return bytes(SyncServiceStub(channel).GetCheckpoint(request).note)
