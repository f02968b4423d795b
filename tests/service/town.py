"""A node with authentication and a few partners, and requests to call it with by hand."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from hashsvc import translate, translate_match
from hashsvc.access.directory import Directory, read_grant
from hashsvc.model import MediaType
from hashsvc.store.store import Store
from hashsvc.v1 import list_service_pb2, match_service_pb2
from hashsvc.v1.admin_service_pb2_grpc import AdminServiceStub
from hashsvc.v1.list_service_pb2_grpc import ListServiceStub
from hashsvc.v1.match_service_pb2_grpc import MatchServiceStub
from tests.harness import pdq_draft, running_node

PARTNERS = {
    "hub": ["admin"],
    "acme": ["check", "contribute"],
    "bolt": ["check", "follow:acme/known", "contribute:acme/shared"],
    "eve": ["check:acme/known"],
    "nix": [],
}


class Town:
    """A node with authentication, and what each partner calls it with."""

    def __init__(self, address: str, keys: dict[str, str]) -> None:
        self.address = address
        self.keys = keys
        self.channel = grpc.insecure_channel(address)
        self.lists = ListServiceStub(self.channel)
        self.match = MatchServiceStub(self.channel)
        self.admin = AdminServiceStub(self.channel)

    def by(self, partner: str) -> dict[str, Any]:
        """The arguments of a call by this partner."""
        return {"metadata": [("authorization", f"Bearer {self.keys[partner]}")], "timeout": 10}


def set_up(folder: Path) -> dict[str, str]:
    """Add the partners, and return a key of each."""
    folder.mkdir()
    store = Store(f"sqlite:///{folder / 'hashsvc.db'}")
    directory = Directory(store.partners)
    keys = {}
    for partner, grants in PARTNERS.items():
        directory.add_partner(partner, "", map(read_grant, grants))
        keys[partner] = directory.create_key(partner, "test", None)[1]
    store.close()
    return keys


@contextmanager
def running_town(folder: Path, keys: dict[str, str] | None = None) -> Iterator[Town]:
    """Run a new one with two lists of acme, one entry in each; or an old one, given its keys."""
    is_new = keys is None
    keys = set_up(folder) if keys is None else keys
    with running_node(folder, authentication=True) as address:
        made = Town(address, keys)
        for name in ("acme/known", "acme/shared") if is_new else ():
            made.lists.CreateList(create(name), **made.by("acme"))
            list(made.lists.AddEntries(iter([add(name, 1)]), **made.by("acme")))
        yield made
        made.channel.close()


def create(name: str) -> list_service_pb2.CreateListRequest:
    """A request to create a list."""
    return list_service_pb2.CreateListRequest(
        request_id=f"create {name}", list={"name": name, "kind": "LIST_KIND_KNOWN"}
    )


def add(name: str, number: int) -> list_service_pb2.AddEntriesRequest:
    """A request to add one entry."""
    entry = translate.draft_to_proto(pdq_draft(number))
    return list_service_pb2.AddEntriesRequest(
        request_id=f"{name} {number}", list=name, entries=[entry]
    )


def check(number: int) -> match_service_pb2.CheckRequest:
    """A request to check what `add` adds."""
    return translate_match.check_request(MediaType.IMAGE, pdq_draft(number).fingerprints, None, "")


def refused(call: Callable[[], object]) -> grpc.StatusCode:
    """The status a call ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code()
