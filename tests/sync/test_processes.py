"""Three server processes over real gRPC, killed at any moment: nothing acknowledged is lost."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

from hashsvc.model import EntryDraft
from hashsvc.model_sync import FollowState
from hashsvc.store.store import Store
from hashsvc_client import Client
from hashsvc_client.admin import AdminClient
from tests.harness import check_invariants, pdq_draft
from tests.processes import Serving
from tests.sync.waiting import is_known, until_state

LIST = "acme/known"


def test_kills_lose_nothing(tmp_path: Path) -> None:
    """While acme contributes in bulk, those who follow are killed, come back and catch up."""
    config = tmp_path / "quick.toml"
    config.write_text("[following]\nretry_least_s = 0.05\nretry_most_s = 0.2\n")
    names = ("acme", "hub", "bolt")
    servers = {name: Serving(tmp_path / name, "--config", str(config)) for name in names}
    addresses = {name: server.address for name, server in servers.items()}

    def restart(name: str) -> None:
        servers[name].kill()
        again = ("--config", str(config), "--listen", addresses[name])
        servers[name] = Serving(tmp_path / name, *again)

    try:
        with Client(addresses["acme"]) as client:
            client.create_list(LIST)
        for follower, source in (("hub", "acme"), ("bolt", "hub")):
            with AdminClient(addresses[follower]) as admin:
                admin.follow(LIST, addresses[source], key=key_of(addresses["acme"]))
        acknowledged: list[str] = []
        done = threading.Event()

        def contribute() -> None:
            def batches() -> Iterator[list[EntryDraft]]:
                for first in range(0, 2_000, 40):
                    yield [pdq_draft(number) for number in range(first, first + 40)]

            with Client(addresses["acme"]) as client:
                for answer in client.add_batches(LIST, batches()):
                    acknowledged.extend(entry.name for entry in answer.entries)
            done.set()

        thread = threading.Thread(target=contribute)
        thread.start()
        luck = random.Random(7)
        for _ in range(4):
            restart(luck.choice(names[1:]))
        thread.join(100)
        assert done.is_set()
        with Client(addresses["acme"]) as client:
            size = client.get_list(LIST).size
        assert len(acknowledged) == 2_000
        assert size == 2_001
        until_state(addresses["bolt"], LIST, FollowState.LIVE, size)
        assert is_known(addresses["bolt"], 0)
        assert is_known(addresses["bolt"], 1_999)
    finally:
        for server in servers.values():
            server.kill()
    stores = [Store(f"sqlite:///{tmp_path / name / 'hashsvc.db'}") for name in names]
    notes = {store.logs.checkpoint(LIST) for store in stores}
    assert len(notes) == 1
    for store in stores:
        store.close()
    check_invariants(f"sqlite:///{tmp_path / 'bolt' / 'hashsvc.db'}", tmp_path)


def key_of(address: str) -> str:
    """The key of the list at a node."""
    with Client(address) as client:
        return client.get_list(LIST).key
