"""Files that a verb writes: whole or not at all, for their owner alone."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hashsvc.errors import InvalidRequest
from hashsvc.private_files import draft_beside, sync_folder


@contextmanager
def opened(to: Path | None, *, force: bool) -> Iterator[BinaryIO]:
    """Give what to write to: the file takes its name when all is written, or never.

    No file means standard output.

    Raises:
        InvalidRequest: there is one of that name, and it is not to be replaced.
        OSError: the disk.
    """
    if to is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    _check_free(to, force=force)
    draft = draft_beside(to)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            yield file
            file.flush()
            os.fsync(descriptor)
        if force:
            draft.replace(to)
        else:
            # A link, unlike a rename, never takes the place of what came meanwhile.
            to.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(to.parent)


def _check_free(to: Path, *, force: bool) -> None:
    if to.exists() and not to.is_file():
        raise InvalidRequest.of(str(to), "is not a file; leave out --to for standard output")
    if not force and (to.exists() or to.is_symlink()):
        raise InvalidRequest.of(str(to), "is there already; use --force to replace it")
