"""The data folder of a node belongs to one process at a time."""

import fcntl
import os
from pathlib import Path

from hashsvc.errors import StoreError


def lock_folder(folder: Path) -> int:
    """Take the data folder for this process; the lock goes with the process, however it ends.

    Returns the descriptor that holds it, to be closed when the folder is given back.

    Raises:
        StoreError: the folder cannot be used, or another process has it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"cannot use the data folder {folder}: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise StoreError(f"another hashsvc is using the data folder {folder}") from None
    return handle
