"""Propagation: what the benchmark says of answers and of bytes is asserted, times never are."""

import socket
import socketserver
import threading
from pathlib import Path

import pytest

from benchmarks import node, propagation, wire
from hashsvc_client import Client
from tests.benchmarks.running import rows_of
from tests.harness import pdq_draft, running_node


def test_propagation(tmp_path: Path) -> None:
    """Both ways under each load, withdrawals too, and the list is the same at the other end."""
    *travels, caught_up = rows_of(tmp_path, "propagation", "--records", "300", "--repeat", "2")
    paths = [row["path"] for row in travels]
    assert paths == ["A -> B"] * 4 + ["A -> hub -> B"] * 4
    assert [row["entry"] for row in travels[:4]] == [*["ordinary"] * 3, "of an incident"]
    assert len({row["load"] for row in travels}) == 3
    assert all((row["n"], row["wrong"]) == (2, 0) for row in travels)
    assert all(row["p99_ms"] >= row["p50_ms"] > 0 for row in travels)
    assert caught_up["records"] == 301
    assert (caught_up["recall"], caught_up["wrong"]) == (1, 0)
    assert 200 < caught_up["bytes_per_record"] < 2_000
    rates = [name for name in caught_up if name.endswith("_per_s")]
    assert len(rates) == 5
    assert all(caught_up[name] > 0 for name in rates)


def test_a_match_that_comes_too_early_is_wrong(tmp_path: Path) -> None:
    """An entry that B knows before it is contributed makes the run fail."""
    early, right = pdq_draft(1), pdq_draft(2)
    with running_node(tmp_path / "data") as address:
        with Client(address) as client:
            client.create_list(node.LIST)
            client.add_entries(node.LIST, [early])
        assert propagation._timed(address, address, [right]).wrong == 0
        assert propagation._timed(address, address, [early]).wrong == 1


def test_an_entry_that_never_comes_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a node that does not follow the list."""
    monkeypatch.setattr(propagation, "_LIMIT_S", 0.1)
    with running_node(tmp_path / "a") as a, running_node(tmp_path / "b") as b:
        with Client(a) as client:
            client.create_list(node.LIST)
        with pytest.raises(RuntimeError, match="not seen within"):
            propagation._timed(a, b, [pdq_draft(1)])


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        """Send back all that comes."""
        while some := self.request.recv(1 << 16):
            self.request.sendall(some)


def test_the_wire_counts_what_goes_both_ways() -> None:
    """And passes on exactly that."""
    sent = bytes(range(256)) * 1_000
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with wire.counting("{}:{}".format(*server.server_address)) as counted:
                host, _, port = counted.address.rpartition(":")
                with socket.create_connection((host, int(port)), timeout=10) as line:
                    line.sendall(sent)
                    line.shutdown(socket.SHUT_WR)
                    back = b""
                    while some := line.recv(1 << 16):
                        back += some
            assert back == sent
            assert counted.nbytes == 2 * len(sent)
        finally:
            server.shutdown()
