"""Credentials: the text of API keys, and what is kept of them and of certificates.

A key has 256 random bits, so its SHA-256 is kept and nothing slower is needed: there is nothing to
guess. The id in it is public; it names the key in lists and logs.
"""

import base64
import hashlib
import hmac
import re
import secrets
import ssl

from hashsvc.errors import InvalidRequest

_PREFIX = "hsk"
_ID_BYTES, _SECRET_BYTES = 5, 32
_KEY = re.compile(rf"{_PREFIX}_([a-z2-7]{{8}})_([a-z2-7]{{52}})")


def new_key() -> tuple[str, str]:
    """Return the id and the text of a new API key, `hsk_<id>_<secret>`."""
    key_id = _text(secrets.token_bytes(_ID_BYTES))
    return key_id, f"{_PREFIX}_{key_id}_{_text(secrets.token_bytes(_SECRET_BYTES))}"


def key_id(text: str) -> str | None:
    """Return the id in the text of an API key; None for what is not one."""
    found = _KEY.fullmatch(text)
    return found[1] if found else None


def key_digest(text: str) -> bytes:
    """Return what is kept of an API key: 32 bytes."""
    return hashlib.sha256(text.encode()).digest()


def is_same(digest: bytes, other: bytes) -> bool:
    """Compare two digests in a time that does not depend on them."""
    return hmac.compare_digest(digest, other)


def certificate_digest(pem: str) -> bytes:
    """Return what is kept of a certificate, the SHA-256 of its DER bytes: 32 bytes.

    Raises:
        InvalidRequest: it is not one certificate in PEM.
    """
    try:
        der = ssl.PEM_cert_to_DER_cert(pem.strip())
    except ValueError:
        raise InvalidRequest.of("certificate", "is not a certificate in PEM") from None
    return hashlib.sha256(der).digest()


def _text(random: bytes) -> str:
    return base64.b32encode(random).decode().rstrip("=").lower()
