"""Ways to find known pictures: ours, as a whole service over gRPC, and those of others.

Each is told the known pictures once, as files, and then asked about files. Everything that it takes
is in this process, so that the processor time of a check is all that it costs.
"""

import asyncio
import importlib
import io
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import structlog
from PIL import Image

from benchmarks import peers
from benchmarks.hashing import packed
from benchmarks.node import LIST, environ
from hashsvc.app import Node
from hashsvc.config import load
from hashsvc.errors import MediaError
from hashsvc.media import FOR_CHECKS, FOR_LISTS, Recipe, fingerprint, for_checks
from hashsvc.media.recipe import LOCAL_FOR_CHECKS, LOCAL_FOR_LISTS
from hashsvc.model import Algorithm, Basis, Description, EntryDraft
from hashsvc_client import Client

RADIUS, QUALITY = 31, 50
"""What PDQ's documents recommend."""

RADIUS64 = 10
"""Bits of 64 for imagehash, which leaves them to its callers: Krawetz, who made pHash known and
dHash up, calls up to 10 a variation ("Kind of Like That", hackerfactor.com, 2013)."""

_BATCH = 100
_DESCRIPTION = Description(labels=("propaganda",), basis=Basis.RESEARCH)


class Engine(Protocol):
    """One way to find known pictures."""

    @property
    def name(self) -> str:
        """What its rows are called; without commas."""

    def check(self, data: bytes) -> frozenset[str]:
        """The names of the known pictures that a file matches."""


@dataclass(frozen=True, slots=True)
class Setup:
    """One way to run our service: how lists and uploads are hashed, and settings of the node.

    `contradicted` says whether matches count that local features contradict.
    """

    name: str
    lists: Recipe = FOR_LISTS
    checks: Recipe = FOR_CHECKS
    settings: Mapping[str, Any] = field(default_factory=dict)
    contradicted: bool = True


def _alone(recipe: Recipe, algorithm: Algorithm) -> Recipe:
    return replace(_whole(recipe), algorithms=(algorithm,))


def _whole(recipe: Recipe) -> Recipe:
    """The same without any look at a part of a picture, or at a mirrored or turned one."""
    return replace(
        recipe, dihedral=False, trimmed=False, framed=False, insets=False, shrunk512=False
    )


_ONE_LOOK = _whole(FOR_CHECKS)
_WITH_LOCAL = replace(FOR_LISTS, local=LOCAL_FOR_LISTS)


def _one(name: str, algorithm: Algorithm) -> Setup:
    """The service with one algorithm, and nothing beside it."""
    return Setup(name, _alone(FOR_LISTS, algorithm), _alone(FOR_CHECKS, algorithm))


OURS = (
    Setup("hashsvc"),
    Setup("hashsvc with local features", _WITH_LOCAL, for_checks([Algorithm.ORB])),
    Setup(
        "hashsvc what is not contradicted",
        _WITH_LOCAL,
        for_checks([Algorithm.ORB]),
        contradicted=False,
    ),
    Setup(
        "hashsvc local features alone",
        replace(_WITH_LOCAL, algorithms=()),
        replace(_ONE_LOOK, algorithms=(), local=LOCAL_FOR_CHECKS),
    ),
    Setup("hashsvc one look", _whole(FOR_LISTS), _ONE_LOOK),
    _one("hashsvc PDQ alone", Algorithm.PDQ),
    # By default pHash speaks only where PDQ cannot.
    _one("hashsvc pHash alone", Algorithm.PHASH),
    Setup("hashsvc eight forms", checks=replace(_ONE_LOOK, dihedral=True)),
    Setup("hashsvc trimmed", checks=replace(_ONE_LOOK, trimmed=True)),
    Setup("hashsvc framed", checks=replace(_ONE_LOOK, framed=True)),
    Setup("hashsvc insets", checks=replace(_ONE_LOOK, insets=True)),
)
"""The service as it is by default first; the others have parts of it switched off or on."""


def names() -> list[str]:
    """All engines, ours first, whether or not their packages are installed."""
    return [*(setup.name for setup in OURS), *_PEERS]


def is_ours(name: str) -> bool:
    """Whether an engine is our service."""
    return any(setup.name == name for setup in OURS)


@contextmanager
def learned(
    wanted: Sequence[str], known: Mapping[str, bytes], folder: Path
) -> Iterator[list[Engine]]:
    """The engines of these names, each knowing these files by name; peers where installed.

    `folder` is for the databases of ours. Raises KeyError for a name that there is not.
    """
    ours = {setup.name: setup for setup in OURS}
    services: list[tuple[Setup, Service]] = []
    engines: list[Engine] = []
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        for name in wanted:
            if name not in ours:
                peer = peers.available(partial(_PEERS[name], name, known))
                engines += [peer] if peer is not None else []
                continue
            setup = ours[name]
            service = _like(setup, services)
            if service is None:
                place = folder / f"node{len(services)}"
                service = stack.enter_context(Service(place, setup.settings))
                service.learn(known, setup.lists)
                services.append((setup, service))
            engines.append(Ours(name, service, setup.checks, setup.contradicted))
        yield engines


@contextmanager
def _quiet() -> Iterator[None]:
    """Without a line in the log for each call."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        yield
    finally:
        structlog.configure(**before)


def _like(setup: Setup, services: Sequence[tuple[Setup, "Service"]]) -> "Service | None":
    """A node that holds the same already."""
    for other, service in services:
        if (other.lists, other.settings) == (setup.lists, setup.settings):
            return service
    return None


class Service(AbstractContextManager["Service"]):
    """A node on a folder of its own, in a thread of this process, and a client of it.

    The settings are the defaults but for those given; the environment's do not count.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        own = {
            "data": folder,
            "listen": "127.0.0.1:0",
            "drain_s": 1,
            # Files are hashed by the client.
            "decoding": {"workers": 1, "keep_ready": 0},
        }
        with patch.dict(os.environ, environ(), clear=True):
            self._settings = load(None, own | dict(settings))
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._is_up = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name="node")
        self._names: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_up.wait()
        if self._failure is not None:
            raise self._failure
        self._client = Client(self._address)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def learn(self, known: Mapping[str, bytes], recipe: Recipe) -> None:
        """Contribute files by name, as a partner does."""
        self._client.create_list(LIST, local_features=recipe.local is not None)
        drafts = [_draft(data, recipe) for data in known.values()]
        batches = (drafts[first : first + _BATCH] for first in range(0, len(drafts), _BATCH))
        added = [e for answer in self._client.add_batches(LIST, batches) for e in answer.entries]
        self._names |= {entry.name: name for entry, name in zip(added, known, strict=True)}

    def check(self, data: bytes, recipe: Recipe, *, contradicted: bool = True) -> frozenset[str]:
        """Hash a file, ask the node about it, and name what matches; none if it cannot be read.

        Matches that local features contradict can be left out.
        """
        try:
            found = fingerprint(io.BytesIO(data), recipe=recipe)
        except MediaError:
            return frozenset()
        verdict = self._client.check_fingerprints(found)
        return frozenset(
            self._names[match.entry]
            for match in verdict.matches
            if contradicted or not match.contradicted
        )

    def _serve(self) -> None:
        async def main() -> None:
            async with Node(self._settings) as node:
                self._address = node.address
                self._is_up.set()
                await self._stop.wait()

        try:
            self._loop.run_until_complete(main())
        except BaseException as error:
            self._failure = error
        finally:
            self._is_up.set()
            self._loop.close()


def _draft(data: bytes, recipe: Recipe) -> EntryDraft:
    found = fingerprint(io.BytesIO(data), recipe=recipe)
    return EntryDraft(found.media_type, found.fingerprints, _DESCRIPTION)


@dataclass(frozen=True, slots=True)
class Ours:
    """The whole service, with uploads hashed by one recipe."""

    name: str
    service: Service
    recipe: Recipe
    contradicted: bool

    def check(self, data: bytes) -> frozenset[str]:
        """Hash it here, and ask the node."""
        return self.service.check(data, self.recipe, contradicted=self.contradicted)


class ThreatExchange:
    """PDQ of threatexchange: its hashing, its index, and the threshold that it has built in."""

    def __init__(self, name: str, known: Mapping[str, bytes]) -> None:
        self.name = name
        signal = importlib.import_module("threatexchange.signal_type.pdq.signal")
        self._hashed: Callable[[bytes], str] = signal.PdqSignal.hash_from_bytes
        self._index = peers.ThreatExchange()
        self._names = list(known)
        for number, data in enumerate(known.values()):
            # Below its own bound on quality it gives no hash.
            if text := self._hashed(data):
                self._index.index.add(text, number)

    def check(self, data: bytes) -> frozenset[str]:
        """Hash it and look it up."""
        text = self._hashed(data)
        found = self._index.query(text) if text else set()
        return frozenset(self._names[number] for number, _ in found)


class _Coded:
    """Hashes of `codes` (n, w) that are compared with all known ones."""

    def __init__(self, name: str, known: Mapping[str, bytes], radius: int) -> None:
        self.name = name
        self._radius = radius
        codes = [(known_name, self.codes(data)[:1]) for known_name, data in known.items()]
        self._names = [known_name for known_name, some in codes if len(some)]
        self._known = np.concatenate([some for _, some in codes])

    def codes(self, data: bytes) -> npt.NDArray[np.uint8]:
        """What is asked for about a file, the original first."""
        raise NotImplementedError

    def check(self, data: bytes) -> frozenset[str]:
        """Compare with every known one."""
        different = self.codes(data)[:, None] ^ self._known[None]
        distances = np.bitwise_count(different).sum(axis=2, dtype=np.int64)
        (near,) = np.nonzero((distances <= self._radius).any(axis=0))
        return frozenset(self._names[number] for number in near)


class Dihedral(_Coded):
    """The eight forms of pdqhash, at the threshold and quality of PDQ's documents."""

    def __init__(self, name: str, known: Mapping[str, bytes]) -> None:
        self._library: Any = importlib.import_module("pdqhash")
        super().__init__(name, known, RADIUS)

    def codes(self, data: bytes) -> npt.NDArray[np.uint8]:
        """All forms (8, 32), or none of a picture that is too plain."""
        forms, quality = self._library.compute_dihedral(np.asarray(_rgb(data)))
        made = [packed(bits) for bits in forms] if quality >= QUALITY else []
        return np.frombuffer(b"".join(made), np.uint8).reshape(-1, 32)


class ImageHash(_Coded):
    """One of the hashes of imagehash."""

    def __init__(self, name: str, known: Mapping[str, bytes], function: str) -> None:
        self._hash: Any = getattr(importlib.import_module("imagehash"), function)
        super().__init__(name, known, RADIUS64)

    def codes(self, data: bytes) -> npt.NDArray[np.uint8]:
        """The one hash (1, 8)."""
        return np.packbits(self._hash(_rgb(data)).hash).reshape(1, -1)


def _rgb(data: bytes) -> Image.Image:
    """A picture as these libraries' documents read it."""
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB")


_PEERS: dict[str, Callable[[str, Mapping[str, bytes]], Engine]] = {
    "threatexchange PDQ": ThreatExchange,
    "pdqhash dihedral": Dihedral,
    "imagehash pHash": partial(ImageHash, function="phash"),
    "imagehash dHash": partial(ImageHash, function="dhash"),
    "imagehash wHash": partial(ImageHash, function="whash"),
}
