"""hashsvc: a hash-matching service for known terrorist media."""

__version__ = "0.1.0"
