"""How the first admin of a node comes in: by whoever owns its data folder."""

import os

from hashsvc.access.directory import Directory
from hashsvc.config import Settings
from hashsvc.errors import NotFound
from hashsvc.model import Credential, Grant, Role
from hashsvc.store.folder import lock_folder
from hashsvc.store.store import Store

_FOR_LISTS = (Role.CONTRIBUTE, Role.FOLLOW, Role.WITNESS)
_ALL = tuple(Grant(role, "*" if role in _FOR_LISTS else "") for role in Role)


def make_first_admin(settings: Settings, partner_id: str) -> tuple[Credential, str]:
    """Give a partner of a node that is not running all roles and a new key; return the key's text.

    The partner is added if it is not there.

    Raises:
        StoreError: the node is running, or its folder or database cannot be used.
        InvalidRequest: the id is malformed.
        PreconditionFailed: the partner has too many credentials.
    """
    lock = lock_folder(settings.data)
    try:
        store = Store(settings.store_url)
        try:
            return _make(Directory(store.partners), partner_id)
        finally:
            store.close()
    finally:
        os.close(lock)


def _make(directory: Directory, partner_id: str) -> tuple[Credential, str]:
    try:
        directory.change_partner(partner_id, grants=_ALL, is_suspended=False)
    except NotFound:
        directory.add_partner(partner_id, "", _ALL)
    return directory.create_key(partner_id, "first admin", None)
