"""What importing the package costs."""

import subprocess
import sys

import pytest

import hashsvc.media

HEAVY = "{'numpy', 'PIL', 'av', 'scipy', 'imagehash', 'asyncio'}"


def test_importing_is_cheap() -> None:
    """The decoders are loaded only when something is hashed."""
    program = f"import sys, hashsvc.media; print({HEAVY} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"set()"


def test_only_what_is_offered_is_there() -> None:
    """Every exported name can be had, others cannot."""
    for name in hashsvc.media.__all__:
        assert getattr(hashsvc.media, name)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = hashsvc.media.nonsense
