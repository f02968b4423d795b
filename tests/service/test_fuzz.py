"""Every method under malformed and extreme messages: a proper status, and nothing half done.

Messages are made from the protos themselves, so a new field or method is tried without being named
here: any scalar at its limits, unknown enum values, texts of every kind, values of the right and of
the wrong length, and now and then a name that exists.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hashsvc.store.store import Store
from hashsvc.v1 import (
    admin_service_pb2,
    list_service_pb2,
    match_service_pb2,
    sync_service_pb2,
)
from hashsvc_client import Client
from tests.harness import check_invariants, pdq_draft, running_node

SERVICES = (
    *match_service_pb2.DESCRIPTOR.services_by_name.values(),
    *list_service_pb2.DESCRIPTOR.services_by_name.values(),
    *sync_service_pb2.DESCRIPTOR.services_by_name.values(),
    *admin_service_pb2.DESCRIPTOR.services_by_name.values(),
)
METHODS = {f"/{s.full_name}/{method.name}": method for s in SERVICES for method in s.methods}

OK = grpc.StatusCode.OK
PROPER = {
    OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
LIVE = {"Follow"}
"""Streams that end with their caller."""
LIST = "acme/known"

_WHOLE = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}
_NAMES = [LIST, f"{LIST}#1", f"{LIST}#999", "acme", "hashsvc/test", "hashsvc/test#1", "x/y", "a b"]
_TEXTS = st.one_of(
    st.sampled_from(
        ["", "name", "labels", "grants", "check", "contribute:*", "2026", "0", *_NAMES]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.integers(100, 5_000).map(lambda length: "x" * length),
)
_BYTES = st.one_of(
    st.sampled_from([8, 16, 20, 32]).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
    st.binary(max_size=70),
)


def values(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    """Anything that one value of a field can be."""
    if field.type in _WHOLE:
        low, high = _WHOLE[field.type]
        return st.sampled_from([low, -1 if low < 0 else 0, 0, 1, 1_000, high]) | st.integers(
            low, high
        )
    if field.type == FieldDescriptor.TYPE_ENUM:
        assert field.enum_type
        known = [value.number for value in field.enum_type.values]
        return st.sampled_from([*known, -1, 99, 2**31 - 1])
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return st.floats()
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _BYTES
    if field.type == FieldDescriptor.TYPE_STRING:
        return _TEXTS
    assert field.message_type, field.full_name
    return messages(field.message_type, depth + 1)


@st.composite
def messages(draw: st.DrawFn, kind: Descriptor, depth: int = 0) -> Any:
    """A message of a kind, with any of its fields."""
    made: Any = GetMessageClass(kind)()
    if depth > 4:
        return made
    for field in kind.fields:
        if not draw(st.integers(0, 3)):
            continue
        if field.is_repeated:
            some = draw(st.lists(values(field, depth), max_size=3))
            getattr(made, field.name).extend(some)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            getattr(made, field.name).CopyFrom(draw(values(field, depth)))
        else:
            setattr(made, field.name, draw(values(field, depth)))
    return made


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[grpc.Channel, Store]]:
    """A node with a list of one entry; at the end its tables and its log still agree."""
    folder = tmp_path_factory.mktemp("fuzzed")
    url = f"sqlite:///{folder / 'data' / 'hashsvc.db'}"
    with running_node(folder / "data", decoding={"workers": 1}) as address:
        with Client(address) as client:
            client.create_list(LIST)
            client.add_entries(LIST, [pdq_draft(1)])
        store = Store(url)
        with grpc.insecure_channel(address) as channel:
            yield channel, store
        store.close()
        with Client(address) as client:
            assert client.check(pdq_draft(2).fingerprints).revision
    check_invariants(url, Path(folder))


def call(channel: grpc.Channel, method: MethodDescriptor, sent: list[Any]) -> grpc.StatusCode:
    """Call a method with these messages, and return the status it ends with."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    coders = {
        "request_serializer": lambda message: message.SerializeToString(),
        "response_deserializer": GetMessageClass(method.output_type).FromString,
    }
    if method.client_streaming:
        made = channel.stream_stream(path, **coders)(iter(sent), timeout=30)
    else:
        made = channel.unary_stream(path, **coders)(sent[0], timeout=30)
    try:
        for _ in made:
            if method.name in LIVE:
                made.cancel()
                return OK
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return OK


@pytest.mark.parametrize("path", METHODS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_message_gets_a_proper_answer(
    path: str, data: st.DataObject, fuzzed: tuple[grpc.Channel, Store]
) -> None:
    """Never a fault of the node; and what is refused changed nothing."""
    channel, store = fuzzed
    method = METHODS[path]
    count = data.draw(st.integers(0, 3)) if method.client_streaming else 1
    sent = [data.draw(messages(method.input_type)) for _ in range(count)]
    before = (store.log_size(), store.partners.get_partners(), store.partners.get_credentials())
    code = call(channel, method, sent)
    assert code in PROPER, code
    after = (store.log_size(), store.partners.get_partners(), store.partners.get_credentials())
    if code is not OK and count == 1:
        assert after == before


@pytest.mark.parametrize("path", METHODS)
def test_bytes_that_are_no_message(path: str, fuzzed: tuple[grpc.Channel, Store]) -> None:
    """gRPC refuses them as INTERNAL or UNKNOWN by itself; the node goes on."""
    channel, store = fuzzed
    before = store.log_size()
    source = random.Random(path)
    for length in (1, 7, 100, 5_000):
        garbage = source.randbytes(length)
        method = METHODS[path]
        if method.client_streaming:
            call: Any = channel.stream_stream(path)
            made = call(iter([garbage]), timeout=30)
        else:
            call = channel.unary_stream(path)
            made = call(garbage, timeout=30)
        with pytest.raises(grpc.RpcError):
            list(made)
    assert store.log_size() == before
