"""Matching: fingerprints to a verdict, and a verdict to an action."""
