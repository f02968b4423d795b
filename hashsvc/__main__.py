"""`python -m hashsvc` is `hashsvc`."""

from hashsvc.cli.main import run

run()
