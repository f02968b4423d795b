"""Acknowledged means durable: after SIGKILL, all of it is there and nothing is half there."""

import json
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from hashsvc.model import EntryDraft, Outcome
from hashsvc.v1.list_service_pb2_grpc import ListServiceStub
from hashsvc_client import Client
from hashsvc_client._messages import acknowledgement, add_request
from tests.harness import check_invariants, pdq_draft
from tests.processes import Serving, serving

BATCH, BATCHES = 20, 100


def batch(number: int) -> list[EntryDraft]:
    """Return the entries of one batch."""
    return [pdq_draft(number * BATCH + i) for i in range(BATCH)]


@pytest.mark.parametrize(("seed", "index_save_s"), [(1, 60), (2, 0.02), (3, 0.02)])
def test_sigkill_during_a_bulk_contribution(tmp_path: Path, seed: int, index_save_s: float) -> None:
    """The restarted server holds every acknowledged batch, whole, and matches all of it.

    A batch in flight when the server died may be in, but then whole; resending it with its
    request id adds nothing twice. The index may be killed in the middle of a save.
    """
    data = tmp_path / "data"
    config = tmp_path / "hashsvc.toml"
    config.write_text(f"index_save_s = {index_save_s}\n")
    kill_after = random.Random(seed).randrange(5, 40)
    requests = [add_request("acme/known", batch(i), f"batch-{i}") for i in range(BATCHES)]
    acknowledged: list[str] = []
    server = Serving(data, "--config", str(config))

    def contribute(client: Client) -> None:
        for response in client._lists.AddEntries(iter(requests)):
            answer = acknowledgement(response)
            assert answer.request_id == f"batch-{len(acknowledged) // BATCH}"
            acknowledged.extend(entry.name for entry in answer.entries)
            if len(acknowledged) == kill_after * BATCH:
                server.kill()

    with Client(server.address) as client:
        client.create_list("acme/known")
        with pytest.raises(grpc.RpcError):
            contribute(client)
    done = len(acknowledged) // BATCH
    assert kill_after <= done < BATCHES
    check_invariants(f"sqlite:///{data / 'hashsvc.db'}", tmp_path)
    with serving(data) as again, Client(again.address) as client:
        names = [entry.name for entry in client.entries("acme/known")]
        assert names[: len(acknowledged)] == acknowledged
        assert len(names) % BATCH == 0
        for number in range(done):
            for draft, name in zip(
                batch(number)[::10], acknowledged[number * BATCH :: 10], strict=False
            ):
                verdict = client.check(draft.fingerprints)
                assert verdict.outcome is Outcome.MATCH
                assert [match.entry for match in verdict.matches] == [name]
        for response in client._lists.AddEntries(iter(requests[: len(names) // BATCH + 1])):
            answer = acknowledgement(response)
            assert not any(entry.already_present for entry in answer.entries)
        names = [entry.name for entry in client.entries("acme/known")]
        assert len(names) == len(set(names)) == (len(names) // BATCH) * BATCH


def test_the_client_carries_on_when_the_server_comes_back(tmp_path: Path) -> None:
    """A bulk contribution survives a SIGKILL of the server: nothing lost, nothing twice."""
    data = tmp_path / "data"
    server = Serving(data)
    port = server.address.rpartition(":")[2]
    replacement: Serving | None = None
    try:
        with Client(server.address) as client:
            client.create_list("acme/known")
            answers = []
            for answer in client.add_batches("acme/known", (batch(i) for i in range(40))):
                answers.append(answer)
                if len(answers) == 5:
                    server.kill()
                    replacement = Serving(data, "--listen", f"127.0.0.1:{port}")
            assert len(answers) == 40
            names = [entry.name for answer in answers for entry in answer.entries]
            assert names == [f"acme/known#{i + 1}" for i in range(40 * BATCH)]
            assert client.get_list("acme/known").active_entries == 40 * BATCH
    finally:
        for running in (server, replacement):
            if running is not None:
                running.kill()
    check_invariants(f"sqlite:///{data / 'hashsvc.db'}", tmp_path)


def test_a_start_after_a_stop_reads_nothing_again(tmp_path: Path) -> None:
    """The index is saved at the end, and what it finds is the same."""
    data = tmp_path / "data"
    with serving(data) as server, Client(server.address) as client:
        client.create_list("acme/known")
        client.add_entries("acme/known", batch(0))
        assert server.stop() == 0
    with serving(data) as again, Client(again.address) as client:
        (ready,) = [line for line in again.log.read_text().splitlines() if '"ready"' in line][1:]
        assert json.loads(ready)["read_from_log"] == 0
        for draft in batch(0):
            assert client.check(draft.fingerprints).outcome is Outcome.MATCH


def test_an_index_that_cannot_be_saved_stops_nobody(tmp_path: Path) -> None:
    """The node says so in its log and goes on; the next start reads the log."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "index").write_text("in the way")
    for _ in range(2):
        with serving(data) as server, Client(server.address) as client:
            client.check(pdq_draft(1).fingerprints)
            assert server.stop() == 0
            assert "index not saved" in server.log.read_text()


@pytest.mark.parametrize("moment", ["after an answer", "at once", "without reading the end"])
def test_callers_that_go_away_harm_nobody(tmp_path: Path, moment: str) -> None:
    """In the middle of a stream, again and again, while others are served."""
    with serving(tmp_path / "data") as server, Client(server.address) as client:
        client.create_list("acme/known")
        done = threading.Event()

        def check() -> None:
            with Client(server.address) as other:
                while not done.is_set():
                    other.check(pdq_draft(-1).fingerprints)

        checker = threading.Thread(target=check)
        checker.start()
        try:
            for number in range(100):
                leave(server.address, number, moment)
        finally:
            done.set()
            checker.join()
        assert server.process.poll() is None
        client.add_entries("acme/known", [pdq_draft(-2)])
        assert client.check(pdq_draft(-2).fingerprints).outcome is Outcome.MATCH


def leave(address: str, number: int, moment: str) -> None:
    """Begin to contribute, and go away."""
    requests = [add_request("acme/known", [pdq_draft(number)], f"batch-{number}")]
    waiting = threading.Event()

    def sent() -> Iterator[Any]:
        yield from requests
        if moment != "without reading the end":
            waiting.wait(20)

    with grpc.insecure_channel(address) as channel:
        stream = ListServiceStub(channel).AddEntries(sent())
        if moment != "at once":
            next(stream)
        if number % 2:
            stream.cancel()
    waiting.set()
