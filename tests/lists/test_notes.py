"""Signed notes, checkpoints and cosignatures, held against what other logs and witnesses signed."""

import base64
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hashsvc.errors import ConfigError, HashsvcError, NoteError, OperatorError
from hashsvc.lists.keys import MAX_TIME, Signer, Verifier, Witness, load_key, save_key
from hashsvc.lists.merkle import EMPTY_ROOT, MAX_SIZE
from hashsvc.lists.notes import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Checkpoint,
    Cosignature,
    Note,
    cosignatures,
    open_checkpoint,
    open_note,
    sign,
    sign_checkpoint,
)

# The example of C2SP signed-note.
FOO = Verifier.decode("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
FOO_NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)

# Keys and signatures of the documentation and tests of Go's golang.org/x/mod/sumdb/note.
PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = "gQoUAtUUbI2E8kQzMPVAgOv5juF9nHT2JS/F1ccoMXM="
ENOCH_KEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
PETER, ENOCH = Verifier.decode(PETER_KEY), Verifier.decode(ENOCH_KEY)
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
PETER_LINE = (
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot "
    "rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
NOTE = f"{TEXT}\n{PETER_LINE}".encode()

# A checkpoint of the Go checksum database, as the database served it.
SUMDB = Verifier.decode("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8")
SUMDB_CHECKPOINT = (
    "go.sum database tree\n49189689\nftjbAOzaupaIvaPo/G+Dk63nxOZ2s1OPOKIaPtXs7S4=\n\n"
    "— sum.golang.org "
    "Az3grlKZssqRoMNPpZfKt0TphbbcF+pzXqElURJKRNFKfaUAgqeI5k2AORH0QAhg/ebRwyIqD/OqP4oLtLnNumvOBAM=\n"
).encode()

# A checkpoint of a Certificate Transparency log with cosignatures of public witnesses, and with a
# signature of a kind that we do not know.
ARCHE = Verifier.decode(
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
)
REMORA = Witness.decode("remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2")
ARCHE_CHECKPOINT = (
    "arche2025h1.staging.ct.transparency.dev\n1432088532\n"
    "U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n"
    "— arche2025h1.staging.ct.transparency.dev "
    "zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIg"
    "IpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n"
    "— arche2025h1.staging.ct.transparency.dev "
    "ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"
    "— witness1.smartit.nu/witness1 "
    "pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0X"
    "wzdZsDsUAQ==\n"
    "— remora.n621.de "
    "2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxt"
    "qB0DrAWfBw==\n"
).encode()
ARCHE_TIME = 1779573024

TAB, EM_SPACE, ARABIC_SEVEN = "\t", "\u2003", "\u0667"
ROOT_TEXT = base64.b64encode(EMPTY_ROOT).decode()


def signer(name: str, seed: int = 1) -> Signer:
    """Return a signer that is always the same."""
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


ACME = signer("acme.example/key")
CHECKPOINT = Checkpoint("acme.example/known", 17, EMPTY_ROOT)
SIGNED = sign_checkpoint(CHECKPOINT, ACME)


def witness_of(key: Signer) -> Witness:
    """Return the witness with a signer's key."""
    return Witness(key.name, key.verifier.public_key)


def line(name: str, key_id: bytes, signature: bytes) -> bytes:
    """Return a signature line."""
    return f"— {name} {base64.b64encode(key_id + signature).decode()}\n".encode()


def cosigned(note: bytes, key: Signer, time: int) -> bytes:
    """Return a checkpoint with one more cosignature, as tlog-cosignature says."""
    text = note.partition(b"\n\n")[0] + b"\n"
    signature = key.key.sign(b"cosignature/v1\ntime %d\n" % time + text)
    return note + line(key.name, witness_of(key).key_id, time.to_bytes(8) + signature)


def opened(data: bytes, *verifiers: Verifier) -> Note | None:
    """Return a note, or None if it is refused; it may fail in no other way than with NoteError."""
    try:
        return open_note(data, verifiers)
    except NoteError:
        return None


def mutants(data: bytes) -> Iterator[bytes]:
    """Yield bytes with a bit flipped, a byte dropped, doubled, or put in the place of the next."""
    for at in range(len(data)):
        before, byte, after = data[:at], data[at : at + 1], data[at + 1 :]
        yield from (before + bytes([byte[0] ^ (1 << bit)]) + after for bit in range(8))
        yield before + after
        yield before + byte + byte + after
        yield before + after[:1] + byte + after[1:]


def test_published_notes_open() -> None:
    """The example of the specification, and those of Go."""
    assert open_note(FOO_NOTE.encode(), [FOO]) == Note("This is an example message.\n", (FOO,))
    both = f"{TEXT}\n{PETER_LINE}{ENOCH_LINE}".encode()
    assert open_note(both, [PETER]) == Note(TEXT, (PETER,))
    assert open_note(both, [ENOCH, PETER]) == Note(TEXT, (PETER, ENOCH))


def test_a_published_note_is_made() -> None:
    """To the byte: Ed25519 leaves no choice."""
    peter = Signer(
        "PeterNeumann", Ed25519PrivateKey.from_private_bytes(base64.b64decode(PETER_SEED))
    )
    assert peter.verifier.encode() == PETER_KEY
    assert sign(TEXT, peter) == NOTE


def test_published_checkpoints_open() -> None:
    """Of the Go checksum database, and of a Certificate Transparency log."""
    found = open_checkpoint(SUMDB_CHECKPOINT, SUMDB, origin="go.sum database tree")
    assert found.size == 49_189_689
    assert found.text().encode() == SUMDB_CHECKPOINT.partition(b"\n\n")[0] + b"\n"
    assert open_checkpoint(ARCHE_CHECKPOINT, ARCHE, origin=ARCHE.name).size == 1_432_088_532


def test_a_published_cosignature_is_good() -> None:
    """Of a witness, with its time; those of strangers are passed over."""
    assert cosignatures(ARCHE_CHECKPOINT, [REMORA]) == (Cosignature(REMORA, ARCHE_TIME),)
    assert cosignatures(ARCHE_CHECKPOINT, []) == ()
    assert cosignatures(SUMDB_CHECKPOINT, [REMORA]) == ()


@pytest.mark.parametrize("text", [PETER_KEY, ENOCH_KEY, FOO.encode(), SUMDB.encode()])
def test_no_altered_verifier_key_is_read(text: str) -> None:
    """The id in it sees to that, and there is one way to write it."""
    assert Verifier.decode(text).encode() == text
    for start in range(len(text)):
        for end in range(start, len(text) + 1):
            if end - start < len(text):
                with pytest.raises(NoteError):
                    Verifier.decode(text[start:end])
    for mutant in {m.decode("latin-1") for m in mutants(text.encode())} - {text}:
        with pytest.raises(NoteError):
            Verifier.decode(mutant)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # Those two with the id adjusted are of Go's tests.
        ("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==", "not a ver"),
        ("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "kind 101"),
        (PETER_KEY.replace("c74f20a3", "C74F20A3"), "not 'C74F20A3'"),
        (PETER_KEY.replace("PeterNeumann", "Peter Neumann"), "not a key's name"),
        (REMORA.encode(), "kind 4, not of kind 1"),
        ("", "not a verifier key"),
        ("a+b", "not a verifier key"),
        ("é+b+é", "not a verifier key"),
        ("\ud800" + PETER_KEY, "not Unicode"),
    ],
)
def test_refused_keys_say_why(text: str, message: str) -> None:
    """In words."""
    with pytest.raises(NoteError, match=message):
        Verifier.decode(text)


def test_a_verifier_is_no_witness() -> None:
    """One key has two ids, and neither signature passes for the other."""
    witness = witness_of(ACME)
    assert Witness.decode(witness.encode()) == witness
    assert witness.key_id != ACME.verifier.key_id
    assert cosignatures(SIGNED, [witness]) == ()
    only_cosigned = cosigned(SIGNED, ACME, 1).replace(SIGNED.partition(b"\n\n")[2], b"")
    with pytest.raises(NoteError, match="not signed by a known key"):
        open_note(only_cosigned, [ACME.verifier])
    plain = line(ACME.name, witness.key_id, ACME.key.sign(CHECKPOINT.text().encode()))
    with pytest.raises(NoteError, match="not good"):
        cosignatures(SIGNED + plain, [witness])


def test_keys_that_anybody_can_sign_for_are_refused() -> None:
    """The eight points of small order, and numbers that are not written as they must be."""
    neutral = (1).to_bytes(32, "little")
    Ed25519PublicKey.from_public_bytes(neutral).verify(neutral + bytes(32), b"whatever one likes")
    prime = 2**255 - 19
    order_eight = int.from_bytes(
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
    )
    for y in (0, 1, prime - 1, order_eight, prime - order_eight, prime, prime + 1, 2**255 - 1):
        for sign_bit in (0, 1 << 255):
            with pytest.raises(NoteError, match="not a sound one"):
                Verifier("x", (y | sign_bit).to_bytes(32, "little"))
    for length in (0, 31, 33):
        with pytest.raises(NoteError, match="32 bytes"):
            Verifier("x", bytes(length))


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\n", "a\u00a0b", "a\u2003", "a\tb", "a\x00", "\ud800"]
)
def test_names_that_cannot_be_in_a_line_are_refused(name: str) -> None:
    """Of verifiers and of signers."""
    with pytest.raises(NoteError):
        signer(name)
    with pytest.raises(NoteError):
        Verifier(name, PETER.public_key)


@pytest.mark.parametrize(
    ("note", "message"),
    [
        ("", "does not end"),
        (TEXT, "does not end"),
        (f"{TEXT}\n", "does not end"),
        (TEXT + PETER_LINE, "does not end"),
        (f"{TEXT}\n{PETER_LINE}"[:-1], "does not end"),
        (f"{TEXT}\n{PETER_LINE}{ENOCH_LINE}"[:-1], "does not end"),
        (f"{TEXT}\n{PETER_LINE}\n", "does not end"),
        (f"{TEXT}\n\n{PETER_LINE}", "not good"),
        (f"\n{PETER_LINE}", "does not end"),
        (f"\n\n{PETER_LINE}", "not good"),
        (f"\x01{TEXT}\n{PETER_LINE}", "control"),
        (f"{TEXT}\r\n{PETER_LINE}", "does not end"),
        (f"{TEXT}\r\n\n{PETER_LINE}", "control"),
        (f"{TEXT}\n{PETER_LINE.replace('rN', f'r{TAB}N')}", "not a key's name"),
        (f"{TEXT}\n{PETER_LINE}Unexpected.\n", "not a signature"),
        (f"{TEXT}\nUnexpected.\n{PETER_LINE}", "not a signature"),
        (f"{TEXT}\n{PETER_LINE.replace('—', '-')}", "not a signature"),
        (f"{TEXT}\n{PETER_LINE.replace('— ', '—')}", "not a signature"),
        (f"{TEXT}\n{PETER_LINE.replace('— ', '—  ')}", "not a signature"),
        (f"{TEXT}\n{PETER_LINE.replace('rN', 'r N')}", "not a signature"),
        (f"{TEXT}\n{PETER_LINE.replace('rN', 'r+N')}", "not a key's name"),
        (f"{TEXT}\n{PETER_LINE.replace('rN', f'r{EM_SPACE}N')}", "not a key's name"),
        (f"{TEXT}\n{PETER_LINE.replace('x08', 'x0 8')}", "not a signature"),
        (f"{TEXT}\n{PETER_LINE.replace('AM=', 'AN=')}", "not a signature"),
        (f"{TEXT}\n{PETER_LINE.replace('AM=', 'AM')}", "not a signature"),
        (f"{TEXT}\n— PeterNeumann x08gow==\n", "too short"),
        (f"{TEXT}\n— PeterNeumann \n", "not a signature"),
        (f"{TEXT}\n— PeterNeumann\n", "not a signature"),
        (f"{TEXT}\n{PETER_LINE.replace('ZJk', 'ZABCDJk')}", "not good"),
        (f"{TEXT}\n{PETER_LINE}{PETER_LINE}", "twice by PeterNeumann"),
        (f"{TEXT}\n{ENOCH_LINE}", "not signed by a known key"),
        (f"{TEXT}\n{PETER_LINE.replace('PeterN', 'N')}", "not signed by a known key"),
        (f"{TEXT}\n{PETER_LINE.replace('x08go', 'x08gp')}", "not signed by a known key"),
        (f"{TEXT}\n{PETER_LINE}{ENOCH_LINE * MAX_SIGNATURES}", "101 signatures"),
        (f"{'x' * MAX_NOTE_BYTES}\n\n{PETER_LINE}", "bytes, 1,048,576 at most"),
    ],
)
def test_refused_notes_say_why(note: str, message: str) -> None:
    """In words."""
    with pytest.raises(NoteError, match=message):
        open_note(note.encode(), [PETER])


def test_notes_are_utf_8() -> None:
    """Else nobody could say what was signed."""
    for wrong in (b"\xff", b"\xc0\x80", "\ud800".encode(errors="surrogatepass")):
        with pytest.raises(NoteError, match="not UTF-8"):
            open_note(wrong + NOTE, [PETER])


def test_one_bad_signature_of_a_known_key_spoils_a_note() -> None:
    """Whatever others have signed; of an unknown key it is not even looked at."""
    bad = ENOCH_LINE.replace("eBzm", "eBzn")
    note = f"{TEXT}\n{PETER_LINE}{bad}".encode()
    assert open_note(note, [PETER]) == Note(TEXT, (PETER,))
    with pytest.raises(NoteError, match="EnochRoot is not good"):
        open_note(note, [PETER, ENOCH])


def test_keys_of_the_same_id_are_refused() -> None:
    """But the same key may be named twice."""

    class Collision(Verifier):
        """A key whose id is Peter's."""

        @property
        def key_id(self) -> bytes:
            return PETER.key_id

    assert open_note(NOTE, [PETER, PETER]) == Note(TEXT, (PETER,))
    with pytest.raises(NoteError, match="the same id"):
        open_note(NOTE, [PETER, Collision(PETER.name, ENOCH.public_key)])


def test_no_mutant_of_a_note_is_accepted() -> None:
    """Not one bit or byte may be other than it was signed."""
    assert opened(NOTE, PETER)
    assert [m for m in mutants(NOTE) if m != NOTE and opened(m, PETER)] == []


def test_mutants_of_a_note_with_more_signatures_say_the_same() -> None:
    """A stranger's signature may change; what was signed may not."""
    data = f"{TEXT}\n{PETER_LINE}{ENOCH_LINE}".encode()
    for mutant in mutants(data):
        assert opened(mutant, PETER) in (None, Note(TEXT, (PETER,)))
    assert opened(data, PETER)


def test_a_signature_cannot_be_written_in_another_way() -> None:
    """Ed25519 signatures plus the order of the group would be good too, were it not checked."""
    order = 2**252 + 27742317777372353535851937790883648493
    signature = base64.b64decode(PETER_LINE.split(" ")[2])[4:]
    more = int.from_bytes(signature[32:], "little") + order
    other = line(PETER.name, PETER.key_id, signature[:32] + more.to_bytes(32, "little"))
    with pytest.raises(NoteError, match="not good"):
        open_note(f"{TEXT}\n".encode() + other, [PETER])


PIECES = [
    b"\n",
    b"\n\n",
    b" ",
    b"+",
    "— ".encode(),
    b"PeterNeumann",
    b"\x00",
    b"\xff",
    b"17",
    b"A==",
]
PIECES += [TEXT.encode(), PETER_LINE.encode(), ENOCH_LINE.encode(), ROOT_TEXT.encode()]


@given(st.binary(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=9).map(b"".join))
@example(NOTE)
@settings(max_examples=500, deadline=None)
def test_anything_is_a_note_or_refused(data: bytes) -> None:
    """And what is accepted was signed."""
    assert opened(data, PETER, ENOCH) in (
        None,
        Note(TEXT, (PETER,)),
        Note(TEXT, (ENOCH,)),
        Note(TEXT, (PETER, ENOCH)),
        Note(TEXT, (ENOCH, PETER)),
    )
    for parse in (
        lambda: cosignatures(data, [REMORA]),
        lambda: Checkpoint.parse(data.decode(errors="replace")),
        lambda: Verifier.decode(data.decode(errors="surrogateescape")),
        lambda: open_checkpoint(data, PETER, origin="x"),
    ):
        with suppress(NoteError):
            parse()


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=60))
@example("— acme.example/key AAAAAAAA")
@example("a\n\n— acme.example/key AAAAAAAA")
@example("")
@example("\n")
@settings(deadline=None)
def test_what_is_signed_opens(text: str) -> None:
    """Any text, even one that looks like signatures; control characters are refused at once."""
    text += "\n"
    if any(c < " " and c != "\n" for c in text):
        with pytest.raises(NoteError):
            sign(text, ACME)
    else:
        assert open_note(sign(text, ACME), [ACME.verifier]) == Note(text, (ACME.verifier,))


@pytest.mark.parametrize("text", ["", "no newline", "a\x00\n", "a\r\n", "\ud800\n"])
def test_texts_that_cannot_be_notes_are_not_signed(text: str) -> None:
    """The signer is the first to be told."""
    with pytest.raises(NoteError):
        sign(text, ACME)


def test_a_note_too_large_is_not_signed() -> None:
    """Nobody could open it; one that just fits, anybody."""
    room = MAX_NOTE_BYTES - len(sign("\n", ACME))
    assert open_note(sign("x" * room + "\n", ACME), [ACME.verifier])
    with pytest.raises(NoteError, match="at most"):
        sign("x" * (room + 1) + "\n", ACME)


def test_a_signer_does_not_show_its_key() -> None:
    """In logs and tracebacks."""
    assert repr(ACME) == "Signer(name='acme.example/key')"
    assert Signer.generate("a").verifier != Signer.generate("a").verifier


texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)


@given(
    st.builds(
        Checkpoint,
        texts,
        st.integers(0, MAX_SIZE),
        st.binary(min_size=32, max_size=32),
        st.lists(texts, max_size=3).map(tuple),
    )
)
@example(Checkpoint("o", 0, EMPTY_ROOT))
@settings(deadline=None)
def test_a_checkpoint_survives_its_note(checkpoint: Checkpoint) -> None:
    """Every field."""
    assert Checkpoint.parse(checkpoint.text()) == checkpoint
    data = sign_checkpoint(checkpoint, ACME)
    assert open_checkpoint(data, ACME.verifier, origin=checkpoint.origin) == checkpoint


def test_the_text_of_a_checkpoint() -> None:
    """As tlog-checkpoint has it."""
    checkpoint = Checkpoint("example.com/log", 7, EMPTY_ROOT, ("more",))
    assert checkpoint.text() == (
        "example.com/log\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nmore\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        "o\n7\n",
        f"o\n7\n{ROOT_TEXT}",
        f"\n7\n{ROOT_TEXT}\n",
        f"o\n\n{ROOT_TEXT}\n",
        f"o\n07\n{ROOT_TEXT}\n",
        f"o\n00\n{ROOT_TEXT}\n",
        f"o\n+7\n{ROOT_TEXT}\n",
        f"o\n-7\n{ROOT_TEXT}\n",
        f"o\n 7\n{ROOT_TEXT}\n",
        f"o\n7 \n{ROOT_TEXT}\n",
        f"o\n1_0\n{ROOT_TEXT}\n",
        f"o\n0x7\n{ROOT_TEXT}\n",
        f"o\n7.0\n{ROOT_TEXT}\n",
        f"o\n1{ARABIC_SEVEN}\n{ROOT_TEXT}\n",
        f"o\n{MAX_SIZE + 1}\n{ROOT_TEXT}\n",
        f"o\n{'9' * 5_000}\n{ROOT_TEXT}\n",
        f"o\n7\n{ROOT_TEXT[:-1]}\n",
        f"o\n7\n{ROOT_TEXT[:-2]}V=\n",
        f"o\n7\n {ROOT_TEXT}\n",
        f"o\n7\n{ROOT_TEXT.replace('+', '-').replace('/', '_')}\n",
        f"o\n7\n{base64.b64encode(bytes(31)).decode()}\n",
        f"o\n7\n{base64.b64encode(bytes(33)).decode()}\n",
        "o\n7\n\n",
        f"o\n7\n{ROOT_TEXT}\n\n",
        f"o\n7\n{ROOT_TEXT}\n\nmore\n",
        f"o\n7\n{ROOT_TEXT}\nmore",
        f"o\r\n7\n{ROOT_TEXT}\n",
        f"o\t\n7\n{ROOT_TEXT}\n",
        f"\ud800\n7\n{ROOT_TEXT}\n",
    ],
)
def test_malformed_checkpoints_are_refused(text: str) -> None:
    """There is one way to write each."""
    with pytest.raises(NoteError):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Checkpoint("", 1, EMPTY_ROOT),
        lambda: Checkpoint("a\n9", 1, EMPTY_ROOT),
        lambda: Checkpoint("a", -1, EMPTY_ROOT),
        lambda: Checkpoint("a", MAX_SIZE + 1, EMPTY_ROOT),
        lambda: Checkpoint("a", 1, EMPTY_ROOT[1:]),
        lambda: Checkpoint("a", 1, EMPTY_ROOT, ("",)),
        lambda: Checkpoint("a", 1, EMPTY_ROOT, ("b\nc",)),
        lambda: Checkpoint("a", 1, EMPTY_ROOT, ("\x07",)),
    ],
)
def test_impossible_checkpoints_cannot_be_made(make: Callable[[], Checkpoint]) -> None:
    """So none is ever signed."""
    with pytest.raises(NoteError):
        make()


def test_a_checkpoint_is_of_one_log_and_one_key() -> None:
    """One key may sign for several logs, and one name have several keys."""
    assert open_checkpoint(SIGNED, ACME.verifier, origin="acme.example/known") == CHECKPOINT
    with pytest.raises(NoteError, match="not of 'acme"):
        open_checkpoint(SIGNED, ACME.verifier, origin="acme.example/exempt")
    with pytest.raises(NoteError, match="not signed by a known key"):
        open_checkpoint(SIGNED, signer(ACME.name, 2).verifier, origin="acme.example/known")
    with pytest.raises(NoteError, match="three lines"):
        open_checkpoint(sign("a\n", ACME), ACME.verifier, origin="a")


def test_no_mutant_of_a_checkpoint_is_accepted() -> None:
    """Its origin, size and root are as signed."""
    for mutant in mutants(SIGNED):
        if mutant != SIGNED:
            with pytest.raises(NoteError):
                open_checkpoint(mutant, ACME.verifier, origin=CHECKPOINT.origin)


def test_cosignatures_of_several_witnesses() -> None:
    """Each with its time, in the note's order; the log's own signature stands beside them."""
    first, second, stranger = (signer(f"witness.example/{n}", n) for n in (2, 3, 4))
    note = SIGNED
    for key, time in ((second, MAX_TIME), (stranger, 5), (first, 0)):
        note = cosigned(note, key, time)
    known = [witness_of(first), witness_of(second)]
    assert cosignatures(note, known) == (
        Cosignature(known[1], MAX_TIME),
        Cosignature(known[0], 0),
    )
    assert open_checkpoint(note, ACME.verifier, origin=CHECKPOINT.origin) == CHECKPOINT


def test_cosignatures_that_are_not_good() -> None:
    """Of a witness that is known, each refuses all; none counts twice."""
    key = signer("witness.example", 2)
    witness = witness_of(key)
    good = cosigned(SIGNED, key, 1_700_000_000)
    assert cosignatures(good, [witness])
    for message, wrong in (
        ("impossible time", cosigned(SIGNED, key, MAX_TIME + 1)),
        ("twice", cosigned(good, key, 1_700_000_001)),
        ("not good", good.replace(b"\n17\n", b"\n18\n")),
        ("not good", SIGNED + line(key.name, witness.key_id, bytes(72))),
        ("not good", SIGNED + line(key.name, witness.key_id, bytes(1))),
        ("three lines", sign("a\n", ACME) + good.splitlines(keepends=True)[-1]),
    ):
        with pytest.raises(NoteError, match=message):
            cosignatures(wrong, [witness])


def test_no_mutant_of_a_cosignature_counts() -> None:
    """Time and text are covered; a name or id that is changed is a stranger's."""
    key = signer("witness.example", 2)
    data = cosigned(SIGNED, key, 1_700_000_000)
    good = (Cosignature(witness_of(key), 1_700_000_000),)
    accepted = set()
    for mutant in mutants(data):
        try:
            found = cosignatures(mutant, [witness_of(key)])
        except NoteError:
            continue
        assert found in ((), good)
        if found:
            accepted.add(mutant.partition(b"\n\n")[0])
    assert accepted == {CHECKPOINT.text().encode()[:-1]}


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_a_key_survives_its_file(tmp_path: Path, passphrase: bytes | None) -> None:
    """Which only its owner can read, whatever the umask; nothing else is left behind."""
    path = tmp_path / "key.pem"
    umask = os.umask(0)
    try:
        save_key(path, ACME, passphrase=passphrase)
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert (b"BEGIN ENCRYPTED" in path.read_bytes()) == (passphrase is not None)
    again = load_key(path, "another.name", passphrase=passphrase)
    assert again.verifier == Verifier("another.name", ACME.verifier.public_key)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """And the error says what to do."""
    path = tmp_path / "key.pem"
    save_key(path, ACME)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=f"mode is {mode:04o}.*chmod 600 {path}"):
        load_key(path, ACME.name)
    path.chmod(0o400)
    assert load_key(path, ACME.name).verifier == ACME.verifier


def test_a_key_is_never_written_over_a_file(tmp_path: Path) -> None:
    """A lost private key is lost for good."""
    path = tmp_path / "key.pem"
    save_key(path, ACME)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="already"):
        save_key(path, signer("x", 9))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves nothing that looks like a key."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ConfigError, match="No space left"):
            save_key(tmp_path / "key.pem", ACME)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="cannot be written"):
        save_key(tmp_path / "missing" / "key.pem", ACME)


def test_keys_that_cannot_be_loaded_say_why(tmp_path: Path) -> None:
    """In words, and without the key."""
    plain, locked, other, junk = (tmp_path / name for name in ("plain", "locked", "other", "junk"))
    save_key(plain, ACME)
    save_key(locked, ACME, passphrase=b"right")
    elliptic = generate_private_key(SECP256R1())
    for path, data in (
        (other, elliptic.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())),
        (junk, plain.read_bytes()[:-40]),
    ):
        path.write_bytes(data)
        path.chmod(0o600)
    for path, passphrase, message in (
        (plain, b"x", "is not encrypted"),
        (plain, b"", "empty"),
        (locked, None, "is encrypted"),
        (locked, b"wrong", "has not its passphrase"),
        (other, None, "not one of Ed25519"),
        (junk, None, "not a private key in PEM"),
        (tmp_path / "none", None, "No such file"),
        (tmp_path, None, "Is a directory"),
    ):
        with pytest.raises(ConfigError, match=message) as caught:
            load_key(path, ACME.name, passphrase=passphrase)
        assert isinstance(caught.value, OperatorError)
    with pytest.raises(ConfigError, match="empty"):
        save_key(tmp_path / "new", ACME, passphrase=b"")
    with pytest.raises(NoteError, match="not a key's name"):
        load_key(plain, "a b")


def test_note_errors_are_ours() -> None:
    """So that every edge of the service knows what to do with them."""
    assert issubclass(NoteError, HashsvcError)
