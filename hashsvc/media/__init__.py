"""Bytes to fingerprints: a library that needs no server, and the sandbox a server decodes in.

::

    from hashsvc.media import fingerprint_file

    for found in fingerprint_file("holiday.mp4").fingerprints:
        print(found.algorithm, found.value.hex())

Importing this package is cheap; the decoders are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hashsvc.media.decode import fingerprint, fingerprint_file
    from hashsvc.media.digest import digests
    from hashsvc.media.limits import Limits
    from hashsvc.media.recipe import FOR_CHECKS, FOR_LISTS, Recipe, for_checks
    from hashsvc.media.sandbox import DecoderPool

__all__ = [
    "FOR_CHECKS",
    "FOR_LISTS",
    "DecoderPool",
    "Limits",
    "Recipe",
    "digests",
    "fingerprint",
    "fingerprint_file",
    "for_checks",
]

_HOMES = {
    "FOR_CHECKS": "recipe",
    "FOR_LISTS": "recipe",
    "DecoderPool": "sandbox",
    "Limits": "limits",
    "Recipe": "recipe",
    "digests": "digest",
    "fingerprint": "decode",
    "fingerprint_file": "decode",
    "for_checks": "recipe",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
