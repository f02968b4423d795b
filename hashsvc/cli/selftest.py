"""`hashsvc selftest`: does this machine hash as others do, and does a node agree?"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashsvc import calibration, testpattern
from hashsvc.cli import files, options, output
from hashsvc.cli.options import Json
from hashsvc.media import FOR_CHECKS, Recipe
from hashsvc.media.recipe import PERCEPTUAL
from hashsvc.model import (
    ORIGINAL,
    Algorithm,
    Decoding,
    Fingerprint,
    Match,
    MediaType,
    Verdict,
)
from hashsvc.testpattern import vectors
from hashsvc.testpattern.vectors import Vector

if TYPE_CHECKING:
    from hashsvc_client import AsyncClient

HERE, FAST = "hashed here", "hashed here, fast"
"""Our own hashes beside the shipped ones."""

FOUND, THERE = "found by the node", "hashed by the node"
"""Our own hashes, and those that the node makes of the file, beside the entry in its list."""

_EVERYTHING = Recipe(algorithms=PERCEPTUAL, dihedral=True, shrunk512=True)
# The shipped values of videos are those of one frame a second.
_FAST = replace(FOR_CHECKS, rate=_EVERYTHING.rate)
_FAST_BITS_OF_64 = 2


@dataclass(frozen=True, slots=True)
class Comparison:
    """One value of a vector held against the shipped one.

    `got` is None where there is no such value, or where a node does not tell it; `bits` is None
    where nothing was near.
    """

    vector: Vector
    kind: str
    expected: Fingerprint
    allowed_bits: int
    bits: int | None
    got: bytes | None = None
    problem: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether it is as near as a sound hasher comes."""
        return self.bits is not None and self.bits <= self.allowed_bits

    @property
    def value_name(self) -> str:
        """Which of the vector's values it is."""
        name = f"{self.expected.algorithm} {self.expected.variant}".removesuffix(f" {ORIGINAL}")
        time_ms = self.expected.time_ms
        return name if time_ms is None else f"{name} at {time_ms / 1000:g} s"


def selftest(
    server: Annotated[
        str,
        typer.Option("--server", envvar="HASHSVC_SERVER", help="Also compare with this node."),
    ] = "",
    as_json: Json = False,
) -> None:
    """Hash the shipped test vectors and compare the values with what they must be.

    Ends with 0 when all are equal, with 1 when any differs.
    """
    raise typer.Exit(asyncio.run(_selftest(server, as_json=as_json)))


async def _selftest(server: str, *, as_json: bool) -> int:
    compared = await _compare_here()
    if server:
        async with options.async_client(server) as client:
            compared += await _compare_with(client, compared)
    else:
        output.warn("no node is named (--server or HASHSVC_SERVER): not compared with one")
    if as_json:
        for one in compared:
            output.print_json(document(one))
    else:
        _print(compared)
    return output.CLEAN if all(one.is_equal for one in compared) else output.ERROR


async def _compare_here() -> list[Comparison]:
    """Hash every vector in both modes."""
    known = {vector.path: vector for vector in vectors.load().vectors}
    compared: list[Comparison] = []
    async with files.decoders(len(known)) as pool:
        for kind, recipe in ((HERE, _EVERYTHING), (FAST, _FAST)):
            hashed = files.fingerprints(pool, list(known), recipe)
            async with aclosing(hashed):
                async for path, found in hashed:
                    compared += compare(known[path], kind, found, recipe)
    return compared


def compare(vector: Vector, kind: str, found: files.Found, recipe: Recipe) -> Iterator[Comparison]:
    """Hold what hashing a vector by a recipe gave against its values."""
    made = () if isinstance(found, Exception) else found.fingerprints
    for expected, allowed in _made_by(recipe, vector):
        same = next((f for f in made if _place(f) == _place(expected)), None)
        if same is None:
            yield Comparison(vector, kind, expected, allowed, None, problem=_absence(found))
        else:
            slack = _slack(same) if same.decoding is Decoding.FAST else 0
            bits = distance(same.value, expected.value)
            yield Comparison(vector, kind, expected, allowed + slack, bits, same.value)


def _absence(found: files.Found) -> str:
    if isinstance(found, Exception):
        return f"the file cannot be hashed: {found}"
    return f"no such value was made{': ' if found.detail else ''}{found.detail}"


def _made_by(recipe: Recipe, vector: Vector) -> Iterator[tuple[Fingerprint, int]]:
    """The values of a vector that a recipe makes, and the bits that each may differ in."""
    from hashsvc.media.pdq import FORMS

    for expected in vector.expected:
        fingerprint = expected.fingerprint
        is_wanted = recipe.dihedral or fingerprint.variant not in FORMS[1:]
        if fingerprint.algorithm.is_digest or (
            is_wanted and fingerprint.algorithm in recipe.algorithms
        ):
            yield fingerprint, expected.tolerance_bits


def _place(fingerprint: Fingerprint) -> tuple[Algorithm, str, int | None]:
    return fingerprint.algorithm, fingerprint.variant, fingerprint.time_ms


def _slack(fingerprint: Fingerprint) -> int:
    """By how many bits fast decoding may move a value of this algorithm."""
    is_pdq = fingerprint.algorithm is Algorithm.PDQ
    return vectors.load().fast_tolerance_bits if is_pdq else _FAST_BITS_OF_64


async def _compare_with(client: "AsyncClient", ours: Sequence[Comparison]) -> list[Comparison]:
    """Search for all our values at a node that can match at all, and have it hash every file."""
    compared: list[Comparison] = []
    for one in ours:
        can_match = calibration.can_match(one.expected.algorithm)
        if one.kind == HERE and one.got is not None and can_match:
            value = replace(one.expected, value=one.got)
            # One frame of a video is looked up as a picture: alone it is no evidence of a video.
            verdict = await client.check([value], MediaType.IMAGE)
            found = _found(one.vector, FOUND, one.expected, one.allowed_bits, verdict)
            compared.append(replace(found, got=one.got))
    for vector in vectors.load().vectors:
        compared += await _sent(client, vector)
    return compared


async def _sent(client: "AsyncClient", vector: Vector) -> list[Comparison]:
    """Have a node hash a file; it answers by PDQ alone, which speaks before the 64-bit hashes."""
    from hashsvc_client import RequestRefused

    verdict: Verdict | Exception
    try:
        verdict = await client.check_file(vector.path, send_media=True)
    except RequestRefused as error:
        verdict = error
    compared = []
    for expected, allowed in _made_by(replace(_FAST, algorithms=(Algorithm.PDQ,)), vector):
        is_scaled = vector.may_be_scaled and not expected.algorithm.is_digest
        bits = allowed + (_slack(expected) if is_scaled else 0)
        compared.append(_found(vector, THERE, expected, bits, verdict))
    return compared


def _found(
    vector: Vector, kind: str, expected: Fingerprint, allowed: int, verdict: Verdict | Exception
) -> Comparison:
    """What a node's answer says of one value: how far it is from that of the built-in entry."""
    if isinstance(verdict, Exception):
        return Comparison(vector, kind, expected, allowed, None, problem=str(verdict))
    own = next((m for m in verdict.matches if vector.label in m.description.labels), None)
    bits = None if own is None else _nearest(own, expected)
    problem = "" if bits is not None else _not_found(own)
    return Comparison(vector, kind, expected, allowed, bits, problem=problem)


def _nearest(match: Match, expected: Fingerprint) -> int | None:
    return min(
        (
            evidence.distance
            for evidence in match.evidence
            if evidence.algorithm is expected.algorithm
            and evidence.variant == expected.variant
            and evidence.upload_time_ms == expected.time_ms
        ),
        default=None,
    )


def _not_found(own: Match | None) -> str:
    if own is None:
        return f"nothing in {testpattern.LIST} is near it: is the node older, or its list another?"
    return "the node knows the file, but not by this value"


def distance(one: bytes, other: bytes) -> int:
    """In how many bits two values of an algorithm differ."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def cause(one: Comparison) -> str:
    """What probably made a value differ."""
    if one.problem:
        return one.problem
    if one.got is None:
        return "the node decodes or hashes otherwise"
    algorithm = one.expected.algorithm
    if algorithm.is_digest:
        return "the shipped file was changed"
    if distance(reversed_bits(one.got), one.expected.value) <= one.allowed_bits:
        return "the bits are in the opposite order"
    for value, mistake in one.vector.mistakes.items():
        if algorithm is Algorithm.PDQ and distance(one.got, value) <= one.allowed_bits:
            return mistake
    if one.bits is not None and one.bits <= one.expected.algorithm.bits // 16:
        return "another decoder or another rounding"
    return "another picture was seen, or another algorithm was used"


def reversed_bits(value: bytes) -> bytes:
    """The same bits, the last one first."""
    width = 8 * len(value)
    return int(f"{int.from_bytes(value):0{width}b}"[::-1], 2).to_bytes(len(value))


def document(one: Comparison) -> dict[str, Any]:
    """Return a comparison as the object that `--json` prints."""
    return {
        "vector": one.vector.name,
        "file": one.vector.path.name,
        "compared": one.kind,
        "algorithm": one.expected.algorithm,
        "variant": one.expected.variant,
        "time_s": None if one.expected.time_ms is None else one.expected.time_ms / 1000,
        "expected": one.expected.value.hex(),
        "got": None if one.got is None else one.got.hex(),
        "bits_apart": one.bits,
        "bits_allowed": one.allowed_bits,
        "equal": one.is_equal,
        "cause": "" if one.is_equal else cause(one),
    }


def _print(compared: Sequence[Comparison]) -> None:
    for kind in dict.fromkeys(one.kind for one in compared):
        some = [one for one in compared if one.kind == kind]
        equal = sum(one.is_equal for one in some)
        apart = sum(bool(one.bits) for one in some if one.is_equal)
        rest = f", {apart} of them within the bits allowed" if apart else ""
        output.say(f"{kind:<19} {equal} of {len(some)} values equal{rest}")
    for one in compared:
        if not one.is_equal:
            output.say(_difference(one))


def _difference(one: Comparison) -> str:
    parts = [f"{one.vector.name}, {one.value_name}, {one.kind}: {cause(one)};"]
    parts.append(f"expected {one.expected.value.hex()}")
    if one.got is not None:
        parts.append(f"got {one.got.hex()}")
    if one.bits is not None:
        parts.append(f"{one.bits} bits apart, {one.allowed_bits} allowed")
    return " ".join(parts)
