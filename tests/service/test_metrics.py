"""Metrics: what Prometheus reads, and that no value is in it."""

import re
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from hashsvc import testpattern
from hashsvc.app import Node
from hashsvc.config import load
from hashsvc.errors import ConfigError
from hashsvc.model import Algorithm, ListKind
from hashsvc.testpattern import vectors
from hashsvc_client import Client, RequestRefused
from tests.harness import pdq_draft
from tests.parts import asked, known, picture
from tests.processes import hashsvc

LOOPBACK = "127.0.0.1:0"


def read(url: str) -> tuple[str, dict[str, float]]:
    """The text, and its samples by name and labels."""
    with urllib.request.urlopen(url) as answer:
        text = answer.read().decode()
    samples = re.findall(r"^([a-z_]+(?:\{.*\})?) ([\d.e+-]+)$", text, re.MULTILINE)
    return text, {name: float(value) for name, value in samples}


async def test_calls_and_the_index_are_counted(tmp_path: Path) -> None:
    """By method and status; the index by algorithm; the lag is zero when all is acknowledged."""
    import asyncio

    flags = {"data": tmp_path / "data", "listen": LOOPBACK, "metrics": LOOPBACK}
    draft = pdq_draft(1)

    def use(address: str) -> None:
        with Client(address) as client:
            client.create_list("acme/known")
            client.add_entries("acme/known", [draft])
            client.check(draft.fingerprints)
            client.check(pdq_draft(2).fingerprints)
            with pytest.raises(RequestRefused):
                client.get_list("acme/unknown")
            # A call is counted after its answer has gone out, so before the next one is served.
            list(client.lists())

    async with Node(load(None, flags)) as node:
        await asyncio.to_thread(use, node.address)
        text, samples = await asyncio.to_thread(read, node.metrics_url)
    assert samples["hashsvc_ready"] == 1
    assert samples["hashsvc_index_lag_records"] == 0
    # The built-in test entries are in the log too, and what describes the two lists.
    builtin = [testpattern.ENTRY, *(vector.entry() for vector in vectors.load().vectors)]
    values = [f.algorithm for entry in builtin for f in entry.fingerprints]
    assert samples["hashsvc_index_position"] == len(builtin) + 3
    assert samples['hashsvc_index_fingerprints{algorithm="pdq"}'] == values.count(Algorithm.PDQ) + 1
    assert samples['hashsvc_index_bytes{algorithm="pdq"}'] > 0
    check = 'method="/hashsvc.v1.MatchService/Check",status="OK"'
    assert samples[f"hashsvc_call_seconds_count{{{check}}}"] == 2
    lost = 'method="/hashsvc.v1.ListService/GetList",status="NOT_FOUND"'
    assert samples[f"hashsvc_call_seconds_count{{{lost}}}"] == 1
    for stage in ("read", "match", "write"):
        assert samples[f'hashsvc_check_stage_seconds_count{{stage="{stage}"}}'] == 2
    assert draft.fingerprints[0].value.hex() not in text
    assert "acme" not in text
    with pytest.raises(urllib.error.URLError):
        await asyncio.to_thread(read, node.metrics_url)


async def test_contradicted_matches_are_counted(tmp_path: Path) -> None:
    """By list, matches and exemptions, each time that a check meets them."""
    import asyncio

    flags = {"data": tmp_path / "data", "listen": LOOPBACK, "metrics": LOOPBACK}
    draft = pdq_draft(1)

    def use(address: str) -> None:
        with Client(address) as client:
            for name, kind in (("acme/known", ListKind.KNOWN), ("press/news", ListKind.EXEMPTION)):
                client.create_list(name, kind=kind, local_features=True)
                local = known(picture("fig"))
                client.add_entries(
                    name, [replace(draft, fingerprints=(*draft.fingerprints, local))]
                )
            for stem in ("dogs", "fig", "dogs"):
                client.check([*draft.fingerprints, asked(picture(stem))])

    async with Node(load(None, flags)) as node:
        await asyncio.to_thread(use, node.address)
        _, samples = await asyncio.to_thread(read, node.metrics_url)
    for name in ("acme/known", "press/news"):
        assert samples[f'hashsvc_contradicted_total{{list="{name}"}}'] == 2


async def test_nothing_is_served_unless_asked_for(tmp_path: Path) -> None:
    """The default is no port."""
    async with Node(load(None, {"data": tmp_path / "data", "listen": LOOPBACK})) as node:
        assert node.metrics_url == ""


def test_it_refuses_to_serve_them_where_others_reach_it(tmp_path: Path) -> None:
    """As for calls; and a port in use is told."""
    with pytest.raises(ConfigError, match=r"metrics: refusing '0.0.0.0:9'"):
        load(None, {"metrics": "0.0.0.0:9"})
    done = hashsvc("serve", "--data", tmp_path / "data", "--listen", LOOPBACK, "--metrics", "x")
    assert done.returncode == 1
    assert "metrics: 'x' is not HOST:PORT" in done.stderr
