"""A data folder full of entries, before the node that is measured starts.

Up to `THROUGH_GRPC_MOST` entries go in as a contributor's do: over gRPC to a node, which is stopped
afterwards. More are written by the ledger in this process. That goes round gRPC and the index, and
leaves the same records and rows; the first start then makes the index from the log.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import node
from benchmarks.datasets import Codes
from benchmarks.report import note, seconds
from hashsvc.config import Limits, Matching, Settings
from hashsvc.lists.ledger import Ledger
from hashsvc.lists.logs import ListKeys, SignedLogs
from hashsvc.lists.readers import Readers
from hashsvc.model import ListKind
from hashsvc.store.store import Store

THROUGH_GRPC_MOST = 100_000

_GRPC_BATCH, _LEDGER_BATCH = 1_000, 10_000
_NOTED_EVERY = 1_000_000


@dataclass(frozen=True, slots=True)
class Filled:
    """How a folder was filled; `has_run` says that a node has run on it since."""

    way: str
    per_s: float
    has_run: bool


def fill(data: Path, codes: Codes) -> Filled:
    """Make the list in a new folder and add the codes, so that row r is the entry LIST#(r + 1)."""
    note(f"filling a node with {len(codes):,} entries")
    if len(codes) > THROUGH_GRPC_MOST:
        took = seconds(partial(write, data, codes))
        return Filled("filled by the ledger", len(codes) / took, has_run=False)
    with node.running(data) as server:
        took = seconds(partial(node.fill, server.address, codes, _GRPC_BATCH))
    return Filled("filled over gRPC", len(codes) / took, has_run=True)


def write(data: Path, codes: Codes, batch: int = _LEDGER_BATCH) -> None:
    """Add the codes without a node; each batch is one transaction, and one signed checkpoint."""
    data.mkdir(mode=0o700)
    settings = Settings(data=data, database_url="")
    store = Store(settings.store_url)
    try:
        ledger = Ledger(
            store,
            limits=Limits(max_batch_entries=batch),
            min_pdq_quality=Matching().min_pdq_quality,
            logs=SignedLogs(ListKeys(settings.keys_folder)),
            readers=Readers(),
            follow=lambda: None,
        )
        ledger.create_list(node.LIST, ListKind.KNOWN, "", request_id="list")
        for first in range(0, len(codes), batch):
            drafts = [node.draft(code) for code in codes[first : first + batch]]
            ledger.add_entries(node.LIST, drafts, request_id=f"from {first}")
            if first and first % _NOTED_EVERY == 0:
                note(f"{first:,} written")
    finally:
        store.close()
