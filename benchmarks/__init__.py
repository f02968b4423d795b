"""Measurements, each beside the truth or a peer in the same run."""
