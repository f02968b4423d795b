"""Checkpoints, proofs and cosignatures over real gRPC, and who gets them."""

import base64
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from hashsvc.lists.keychain import Keychain
from hashsvc.lists.keys import Signer, Witness
from hashsvc.lists.logs import origin
from hashsvc.lists.merkle import verify_consistency, verify_inclusion
from hashsvc.lists.notes import cosign, cosignatures, peek_checkpoint, same_text
from hashsvc.lists.verifying import leaf_hash_of
from hashsvc.model_sync import Leaf
from hashsvc.store.store import Store
from hashsvc.v1 import admin_service_pb2, list_service_pb2
from hashsvc.v1 import sync_service_pb2 as pb
from hashsvc.v1.sync_service_pb2_grpc import SyncServiceStub
from hashsvc_client import AsyncClient, Client, RequestRefused, Security
from tests.service.town import Town, add, refused, running_town

LIST = "acme/known"
NOT_FOUND, DENIED = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A node with authentication, with a partner that may only witness the list."""
    with running_town(tmp_path / "data") as made:
        by = made.by("hub")
        partner = {"id": "wit", "grants": [f"witness:{LIST}"]}
        made.admin.CreatePartner(admin_service_pb2.CreatePartnerRequest(partner=partner), **by)
        request = admin_service_pb2.CreateApiKeyRequest(partner="wit")
        made.keys["wit"] = made.admin.CreateApiKey(request, **by).api_key
        yield made


def client(town: Town, partner: str) -> Client:
    """A partner's client."""
    return Client(town.address, security=Security(api_key=town.keys[partner]))


def more(town: Town, *numbers: int) -> None:
    """Add entries to the list."""
    for number in numbers:
        list(town.lists.AddEntries(iter([add(LIST, number)]), **town.by("acme")))


def test_a_witness_gets_checkpoints_and_no_records(town: Town) -> None:
    """Of its list alone; whoever may neither read nor witness a list does not learn of it."""
    stub = SyncServiceStub(town.channel)
    requests: dict[str, Any] = {
        "GetCheckpoint": pb.GetCheckpointRequest(list=LIST),
        "GetConsistencyProof": pb.GetConsistencyProofRequest(list=LIST, old_size=1, new_size=2),
        "GetInclusionProof": pb.GetInclusionProofRequest(list=LIST, place=1),
        "Follow": pb.FollowRequest(list=LIST, to_head=True),
        "AddCosignature": pb.AddCosignatureRequest(list=LIST),
    }

    def status(partner: str, name: str, list_name: str = LIST) -> grpc.StatusCode:
        request = type(requests[name])()
        request.CopyFrom(requests[name])
        request.list = list_name
        call = getattr(stub, name)
        try:
            done = call(request, **town.by(partner))
            if name == "Follow":
                list(done)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
        return grpc.StatusCode.OK

    ok = grpc.StatusCode.OK
    assert {name: status("wit", name) for name in requests} == {
        "GetCheckpoint": ok,
        "GetConsistencyProof": ok,
        "GetInclusionProof": NOT_FOUND,
        "Follow": NOT_FOUND,
        "AddCosignature": INVALID,
    }
    entry = list_service_pb2.GetEntryRequest(name=f"{LIST}#1")
    assert refused(lambda: town.lists.GetEntry(entry, **town.by("wit"))) is NOT_FOUND
    for name in requests:
        assert status("wit", name, "acme/shared") is NOT_FOUND
        assert status("nix", name) is (DENIED if name == "AddCosignature" else NOT_FOUND)
    assert {name: status("bolt", name) for name in requests} == {
        **dict.fromkeys(requests, ok),
        "AddCosignature": DENIED,
    }


def test_an_inclusion_proof_proves(town: Town) -> None:
    """That the record is in the log, to whom has the key alone; a canary of others is a hash."""
    more(town, 2, 3)
    request = list_service_pb2.PlantCanariesRequest(
        request_id="p", list=LIST, partner="eve", count=1
    )
    town.lists.PlantCanaries(request, **town.by("acme"))
    with client(town, "bolt") as bolt:
        for place in range(5):
            proof = bolt.inclusion_proof(LIST, place)
            keys = Keychain.read(origin(LIST), proof.first_key, proof.rotations)
            head = keys.open(proof.note)
            leaf = leaf_hash_of(proof.leaf)
            verify_inclusion(leaf, place, head.size, proof.hashes, head.root)
            assert bool(proof.leaf.salt) is (place != 4)
        for place in (-1, 5, 2**63 - 1):
            with pytest.raises(RequestRefused, match="the log has 5 records"):
                bolt.inclusion_proof(LIST, place)


def test_a_consistency_proof_proves(town: Town) -> None:
    """That what was seen before is still there, for every two sizes."""
    with client(town, "wit") as wit:
        heads = [peek_checkpoint(wit.checkpoint(LIST).note)]
        for number in (2, 3, 4):
            more(town, number)
            heads.append(peek_checkpoint(wit.checkpoint(LIST).note))
        for i, old in enumerate(heads):
            for new in heads[i:]:
                proof = wit.consistency_proof(LIST, old.size, new.size)
                verify_consistency(old.size, old.root, new.size, new.root, proof)
        for sizes in ((3, 2), (-1, 2), (1, 6)):
            with pytest.raises(RequestRefused):
                wit.consistency_proof(LIST, *sizes)


async def test_the_asyncio_client_has_the_same(town: Town) -> None:
    """Follow to the head, proofs, cosignatures."""
    more(town, 2)
    signer = Signer.generate("witness.example/w1")
    for_bolt = Security(api_key=town.keys["bolt"])
    async with AsyncClient(town.address, security=for_bolt) as bolt:
        kinds = [type(message).__name__ async for message in bolt.follow(LIST)]
        assert kinds == ["Started", "Leaves", "Signed"]
        assert (await bolt.inclusion_proof(LIST, 1)).leaf != Leaf()
    async with AsyncClient(town.address, security=Security(api_key=town.keys["wit"])) as wit:
        shown = await wit.checkpoint(LIST)
        assert await wit.consistency_proof(LIST, 1, 3)
        note = cosign(shown.note, signer, 1_800_000_000)
        await wit.add_cosignature(LIST, note, signer.witness.encode())
        (cosignature,) = cosignatures((await wit.checkpoint(LIST)).note, [signer.witness])
    assert cosignature.time == 1_800_000_000


def test_cosignatures_are_served(town: Town) -> None:
    """On the newest checkpoint if that is it, else with the older one; a newer takes its place."""
    one, two = (Signer.generate(f"witness.example/w{i}") for i in (1, 2))
    with client(town, "wit") as wit:
        for signer, time in ((one, 100), (two, 200), (one, 300)):
            note = cosign(wit.checkpoint(LIST).note, signer, time)
            wit.add_cosignature(LIST, note, signer.witness.encode())
        first = wit.checkpoint(LIST)
        found = cosignatures(first.note, [one.witness, two.witness])
        assert {c.witness.name[-1]: c.time for c in found} == {"1": 300, "2": 200}
        assert first.cosigned == ()
        more(town, 2)
        shown = wit.checkpoint(LIST)
        assert not cosignatures(shown.note, [one.witness, two.witness])
        assert len(shown.cosigned) == 2
        assert all(same_text(note, first.note) for note in shown.cosigned)
        note = cosign(shown.note, two, 400)
        wit.add_cosignature(LIST, note, two.witness.encode())
        # What is older than what is kept changes nothing.
        wit.add_cosignature(LIST, cosign(first.note, two, 500), two.witness.encode())
        shown = wit.checkpoint(LIST)
        assert [c.time for c in cosignatures(shown.note, [two.witness])] == [400]
        (older,) = shown.cosigned
        assert [c.time for c in cosignatures(older, [one.witness])] == [300]


def test_cosignatures_that_are_none_are_refused(town: Town, tmp_path: Path) -> None:
    """Of another log or list, without the list's signature, not signed, or passing for another."""
    signer, forger = Signer.generate("witness.example/w1"), Signer.generate(origin(LIST))
    with running_town(tmp_path / "elsewhere") as elsewhere, client(elsewhere, "acme") as acme:
        fork = acme.checkpoint(LIST).note
    with client(town, "acme") as acme:
        shared = acme.checkpoint("acme/shared").note
    with client(town, "wit") as wit:
        note = wit.checkpoint(LIST).note
        unsigned = note.partition(b"\n\n")[0] + b"\n\n" + cosign(note, signer, 1).splitlines()[-1]
        for bad, key in (
            (cosign(fork, signer, 1), signer.witness.encode()),
            (cosign(shared, signer, 1), signer.witness.encode()),
            (unsigned + b"\n", signer.witness.encode()),
            (note, signer.witness.encode()),
            (cosign(note, signer, 1).replace(b"\n2\n", b"\n3\n"), signer.witness.encode()),
            (cosign(note, signer, 1), signer.verifier.encode()),
            (cosign(note, signer, 1), "x" * 10_000),
            (b"\xff", signer.witness.encode()),
            (cosign(note, forger, 1), forger.witness.encode()),
        ):
            with pytest.raises(RequestRefused) as caught:
                wit.add_cosignature(LIST, bad, key)
            assert caught.value.code is INVALID
        assert wit.checkpoint(LIST).note == note


def test_what_else_is_signed_on_a_cosigned_note_is_dropped(town: Town) -> None:
    """So that one witness cannot spoil a checkpoint by a bad signature in another's name."""
    one, two = (Signer.generate(f"witness.example/w{i}") for i in (1, 2))
    with client(town, "wit") as wit:
        note = wit.checkpoint(LIST).note
        wit.add_cosignature(LIST, cosign(note, two, 7), two.witness.encode())
        spoiled = cosign(note, Signer(two.name, one.key), 9)
        line = spoiled.splitlines()[-1]
        good = cosign(note, two, 8).splitlines()[-1]
        # The id of the other's key, with a signature that is not its.
        said, forged = (base64.b64decode(x.rpartition(b" ")[2]) for x in (good, line))
        bad = good.rpartition(b" ")[0] + b" " + base64.b64encode(said[:4] + forged[4:])
        wit.add_cosignature(LIST, cosign(note + bad + b"\n", one, 9), one.witness.encode())
        shown = wit.checkpoint(LIST)
        found = cosignatures(shown.note, [one.witness, two.witness])
        assert {c.time for c in found} == {7, 9}


def test_a_list_has_so_many_witnesses(town: Town, tmp_path: Path) -> None:
    """All of them fit on one checkpoint, and no more are taken."""
    with client(town, "wit") as wit:
        note = wit.checkpoint(LIST).note
        store = Store(f"sqlite:///{tmp_path / 'data' / 'hashsvc.db'}")
        size = peek_checkpoint(note).size
        signers = [Signer.generate(f"witness.example/w{i}") for i in range(100)]
        for signer in signers[:98]:
            cosigned = cosign(note, signer, 1)
            store.logs.save_cosigned(LIST, signer.witness.encode(), size, cosigned)
        store.close()
        send = partial(wit.add_cosignature, LIST)
        send(cosign(note, signers[98], 1), signers[98].witness.encode())
        with pytest.raises(Exception, match="99 at most"):
            send(cosign(note, signers[99], 1), signers[99].witness.encode())
        keys: list[Witness] = [signer.witness for signer in signers]
        assert len(cosignatures(wit.checkpoint(LIST).note, keys)) == 99
