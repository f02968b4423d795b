"""A node: builds its objects, and owns the order in which they start and stop."""

import asyncio
import os
from dataclasses import asdict
from types import TracebackType
from typing import Self

import structlog

from hashsvc import testpattern
from hashsvc.access.audit import AuditLog
from hashsvc.access.directory import Directory
from hashsvc.access.signed_head import origin
from hashsvc.config import Settings, check_addresses
from hashsvc.errors import ConfigError
from hashsvc.lists.distrusted import Distrusted
from hashsvc.lists.feed import Feed
from hashsvc.lists.indexer import Indexer
from hashsvc.lists.keys import Signer, load_or_make_key
from hashsvc.lists.ledger import Ledger
from hashsvc.lists.logs import ListKeys, SignedLogs
from hashsvc.lists.readers import Readers
from hashsvc.lists.trust import Trust
from hashsvc.matching.matcher import Matcher
from hashsvc.media import DecoderPool
from hashsvc.media import Limits as MediaLimits
from hashsvc.media.confinement import LAYERS
from hashsvc.metrics import Metrics
from hashsvc.model import ListKind
from hashsvc.private_keys import read_passphrase
from hashsvc.rpc.access import Gate
from hashsvc.rpc.admin import AdminServicer
from hashsvc.rpc.admission import Admission
from hashsvc.rpc.calls import AroundCalls
from hashsvc.rpc.lists import ListServicer
from hashsvc.rpc.match import MatchServicer
from hashsvc.rpc.streams import OpenStreams
from hashsvc.rpc.sync import SyncServicer
from hashsvc.rpc.threads import Threads
from hashsvc.rpc.uploads import Uploads
from hashsvc.server import Server
from hashsvc.store.folder import lock_folder
from hashsvc.store.store import Store
from hashsvc.sync.followers import Followers
from hashsvc.sync.peer import sources
from hashsvc.testpattern import vectors
from hashsvc.tokens import Revisions

_log = structlog.get_logger()


class Node:
    """One running hashsvc. Use as an async context manager: inside the block it serves.

    `metrics_url` says where Prometheus can read; empty for nowhere.

    ::

        async with Node(settings) as node:
            print(node.address)
            await node.wait_closed()
    """

    def __init__(self, settings: Settings) -> None:
        check_addresses(settings)
        self._settings = settings
        self._lock: int | None = None
        self._threads = Threads()
        self._admission = Admission(settings.limits)
        media_limits = _media_limits(settings)
        decoding = settings.decoding
        self._decoders = DecoderPool(
            decoding.workers,
            media_limits,
            prestart=min(decoding.keep_ready, decoding.workers),
            opens_files=False,
        )
        # Uploads that come in slowly would keep whole files waiting.
        self._stream_decoders = DecoderPool(
            decoding.stream_workers,
            media_limits,
            prestart=min(decoding.keep_ready, decoding.stream_workers),
            opens_files=False,
        )
        self._pools = (self._decoders, self._stream_decoders)
        self._metrics = Metrics()
        self._server = Server(settings, self._admission)
        self.metrics_url = ""
        self._store: Store | None = None
        self._indexer: Indexer | None = None
        self._around: AroundCalls | None = None
        self._streams: OpenStreams | None = None
        self._saving: asyncio.Task[None] | None = None
        self._followers: Followers | None = None

    @property
    def address(self) -> str:
        """Where the node listens: HOST:PORT with the real port, or unix:PATH."""
        return self._server.address

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _start(self) -> None:
        settings = self._settings
        self._lock = lock_folder(settings.data)
        passphrase = _passphrase(settings)
        keys = ListKeys(settings.keys_folder, passphrase=passphrase)
        await self._threads.write(keys.load_all)
        store = self._store = await self._threads.write(Store, settings.store_url)
        quality = settings.matching.min_pdq_quality
        indexer = self._indexer = await self._threads.write(
            Indexer, store, settings.data / "index", min_pdq_quality=quality
        )
        logs = SignedLogs(keys)
        await self._threads.write(logs.sign_unsigned, store)
        readers = await self._threads.write(lambda: Readers(store.all_lists()))
        distrusted = await self._threads.write(_distrusted, store)
        ledger = Ledger(
            store,
            limits=settings.limits,
            min_pdq_quality=quality,
            logs=logs,
            readers=readers,
            follow=indexer.follow,
            distrusted=distrusted,
        )
        matcher = Matcher(
            store,
            indexer,
            matching=settings.matching,
            policy=settings.policy,
            limits=settings.limits,
            distrusted=distrusted,
        )
        revisions = Revisions(store.node_id)
        directory = await self._threads.write(Directory, store.partners)
        if settings.authentication and not directory.has_admin():
            raise ConfigError(
                "authentication is on, and no partner with the role admin has a credential: make "
                f"one with `hashsvc partners first-admin ID --data {settings.data}`"
            )
        gate = Gate(directory if settings.authentication else None, readers)
        signer = await self._threads.write(_node_signer, settings, store.node_id, passphrase)
        audit = await self._threads.write(AuditLog, store.audit, signer)
        followers = self._followers = Followers(
            store,
            ledger,
            logs,
            sources(settings.peers, silence_s=settings.following.silence_s),
            following=settings.following,
            write=self._threads.write,
            now=ledger.now,
            refused=self._metrics.list_refused,
        )
        trust = Trust(store, ledger, logs)
        streams = self._streams = OpenStreams(
            gate, self._admission, max_idle_s=settings.limits.max_idle_stream_s
        )
        directory.changed = streams.look_soon
        around = self._around = AroundCalls(
            gate,
            self._admission,
            streams,
            self._metrics,
            lambda call: self._threads.write(audit.append, call),
        )
        self._server.add(
            around,
            MatchServicer(
                matcher,
                indexer,
                self._decoders,
                self._stream_decoders,
                self._admission.shares("videos being decoded", settings.decoding.stream_workers),
                Uploads(settings.limits),
                self._threads,
                revisions,
                self._metrics,
                limits=settings.limits,
                matching=settings.matching,
            ),
            ListServicer(ledger, store, distrusted, self._threads, revisions),
            SyncServicer(Feed(store, logs), indexer, self._threads, settings.limits),
            AdminServicer(directory, audit, followers, trust, store, self._threads),
        )
        self._metrics.watch(
            indexer, store.log_size, lambda: self._admission.is_ready, followers.gauges
        )
        if settings.metrics:
            self.metrics_url = self._metrics.serve(settings.metrics)
        # The port opens first, so that health says NOT_SERVING while a large index is built.
        await self._server.start()
        saved = indexer.position
        await self._threads.write(indexer.follow)
        read_from_log = indexer.position - saved
        await self._threads.write(indexer.settle)
        await self._threads.write(ledger.forget_old_requests)
        await self._threads.write(_ensure_test_entries, ledger, store)
        await asyncio.gather(*(pool.start() for pool in self._pools))
        self._check_confinement()
        self._saving = asyncio.create_task(self._save_now_and_then(indexer))
        await followers.start()
        await self._server.set_ready()
        _log.info(
            "ready",
            address=self.address,
            node=store.node_id,
            fingerprints=len(indexer),
            records=indexer.position,
            read_from_log=read_from_log,
        )

    async def wait_closed(self) -> None:
        """Wait until the node has stopped."""
        await self._server.wait_closed()

    async def close(self) -> None:
        """Stop taking calls, let those under way end, and close everything. Safe to repeat."""
        await self._server.stop(self._settings.drain_s)
        if self._around is not None:
            await self._around.settle()
        if self._streams is not None:
            await self._streams.close()
        if self._followers is not None:
            await self._followers.close()
        self._metrics.close()
        await asyncio.gather(*(pool.close() for pool in self._pools))
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        if self._indexer is not None:
            await self._save(self._indexer)
        self._threads.close()
        if self._indexer is not None:
            self._indexer.close()
            self._indexer = None
        if self._store is not None:
            self._store.close()
            self._store = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _check_confinement(self) -> None:
        """Say which layers of the decoders' confinement are missing here.

        Raises:
            ConfigError: one is, and the settings require all.
        """
        if self._settings.decoding.require_confinement and not self._settings.decoding.keep_ready:
            raise ConfigError("decoding.require_confinement needs decoding.keep_ready of 1 or more")
        held = set.intersection(*(set(pool.confined) for pool in self._pools))
        missing = [layer for layer in LAYERS if layer not in held]
        if missing and self._settings.decoding.require_confinement:
            raise ConfigError(
                f"decoders are not confined by {', '.join(missing)} on this machine, and "
                "decoding.require_confinement is set: use a Linux kernel that has it (5.13 or "
                "newer, with Landlock on), or a container that permits it"
            )
        if missing:
            _log.warning("decoders less confined", missing=missing)

    async def _save_now_and_then(self, indexer: Indexer) -> None:
        while True:
            await self._save(indexer)
            await asyncio.sleep(self._settings.index_save_s)

    async def _save(self, indexer: Indexer) -> None:
        try:
            await self._threads.save(indexer.save)
        except Exception as error:
            # The log has it all: the node goes on, and its next start takes longer.
            _log.error("index not saved", because=str(error))


def _media_limits(settings: Settings) -> MediaLimits:
    values = settings.decoding.model_dump(
        exclude={"workers", "stream_workers", "keep_ready", "require_confinement"}
    )
    return MediaLimits.from_dict(asdict(MediaLimits()) | values)


def _passphrase(settings: Settings) -> bytes | None:
    """Read what the private keys in the data folder are encrypted with."""
    path = settings.keys_passphrase_file
    return None if path is None else read_passphrase(path, setting="keys_passphrase_file")


def _node_signer(settings: Settings, node_id: str, passphrase: bytes | None) -> Signer:
    """Load the node's own key; the first start makes it."""
    is_new = not settings.node_key.exists()
    signer = load_or_make_key(settings.node_key, origin(node_id), passphrase=passphrase)
    if is_new:
        _log.info("node key made", key=signer.verifier.encode())
    return signer


def _distrusted(store: Store) -> Distrusted:
    with store.read_distrusts() as rows:
        return Distrusted(rows.find())


def _ensure_test_entries(ledger: Ledger, store: Store) -> None:
    if store.get_list(testpattern.LIST) is None:
        ledger.create_list(
            testpattern.LIST,
            ListKind.KNOWN,
            testpattern.LIST_PURPOSE,
            request_id="builtin:test-list:v1",
            builtin=True,
        )
    ledger.add_entries(
        testpattern.LIST,
        [testpattern.ENTRY],
        request_id="builtin:test-pattern:v1",
        builtin=True,
    )
    # A request of its own, so that a node with the pattern from before gets these too.
    ledger.add_entries(
        testpattern.LIST,
        [vector.entry() for vector in vectors.load().vectors],
        request_id="builtin:test-vectors:v1",
        builtin=True,
    )
