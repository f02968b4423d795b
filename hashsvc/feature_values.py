"""Values of local features as bytes: how long they are and may be (`features` reads them).

Apart from that, so that the command line, which starts often, need not load numpy.
"""

CODE_BYTES = 32
FEATURE_BYTES = CODE_BYTES + 6
HEAD_BYTES = 4

MOST_KNOWN = 256
"""Features that one fingerprint of an entry may have: 9,732 bytes."""

MOST_ASKED = 1536
"""Features that one fingerprint of an upload may have: 58,372 bytes."""

MOST_OF_ONE = 128
"""Fingerprints of local features that one entry, or one message of a check, may have: one of a
picture, more of frames."""


def count(value: bytes) -> int:
    """How many features a value has."""
    return (len(value) - HEAD_BYTES) // FEATURE_BYTES


def problem(value: bytes, most: int) -> str:
    """Say what is wrong with a value that may have so many features; empty if nothing is."""
    number, rest = divmod(len(value) - HEAD_BYTES, FEATURE_BYTES)
    if rest or number < 1:
        return (
            f"an orb value has {HEAD_BYTES} bytes and {FEATURE_BYTES} for each feature, this one "
            f"has {len(value):,}"
        )
    if number > most:
        return f"has {number:,} features, {most:,} at most"
    if not any(value[:2]) or not any(value[2:4]):
        return "is of a picture without width or height"
    return ""
