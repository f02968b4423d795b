"""The test pattern: a harmless picture that matches on every node, to probe one end to end.

Mail filters have GTUBE for the same purpose. The picture is part of this project and under its
licence.
"""

from pathlib import Path

from hashsvc.model import (
    Algorithm,
    Basis,
    Description,
    EntryDraft,
    Fingerprint,
    MediaType,
)

PATH = Path(__file__).parent / "test_pattern.png"
"""The picture, a PNG."""

LIST = "hashsvc/test"
"""The built-in list that holds its entry, and those of the test vectors (`vectors`)."""

LIST_PURPOSE = "Holds harmless media that must match on every node, to test the service."

FINGERPRINTS = (
    Fingerprint(Algorithm.MD5, bytes.fromhex("ad4764a76d97a9e92c3c73eb491f1f70")),
    Fingerprint(
        Algorithm.PDQ,
        bytes.fromhex("7093f0128de90798df1eb417b8bb016b2dd28a6dd23847d062455bcf44e7fc66"),
        quality=100,
    ),
    Fingerprint(Algorithm.PHASH, bytes.fromhex("e4b371f951858a5a")),
    Fingerprint(
        Algorithm.SHA256,
        bytes.fromhex("5fbf4b9ab4588712284b594e8bd5a71dbe5aa03182d0b81fc832c98cd0f6028c"),
    ),
)
"""What hashing the picture gives."""

ENTRY = EntryDraft(
    MediaType.IMAGE,
    FINGERPRINTS,
    Description(labels=("test_pattern",), basis=Basis.RESEARCH, note="Not terrorist media."),
)
"""The picture's entry."""
