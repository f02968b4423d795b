"""Local features on the command line: asked for, contributed, found, exported and imported."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hashsvc.cli.check import document
from hashsvc.model import Located
from hashsvc.wording import located_line
from hashsvc_client import Client
from tests import commands
from tests.harness import running_node
from tests.parts import asked, collided, picture, turned
from tests.processes import MATCHED, hashsvc, objects

CONTRIBUTE = ("contribute", "--label", "propaganda", "--basis", "research", "--list")
LIST = "acme/local"


@pytest.fixture(scope="module")
def fig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture."""
    path = tmp_path_factory.mktemp("known") / "fig.jpg"
    picture("fig").save(path, quality=90)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, fig: Path) -> Iterator[str]:
    """A node with a list that takes local features, made by contributing the picture."""
    with running_node(tmp_path_factory.mktemp("node") / "data") as address:
        done = hashsvc(*CONTRIBUTE, LIST, "--local-features", fig, server=address)
        assert done.returncode == 0, done.stderr
        yield address


def test_hash_says_how_many_where_they_are_asked_for(fig: Path) -> None:
    """People could do nothing with 19,000 digits."""
    shown = hashsvc("hash", "--local-features", fig).stdout
    assert "  orb     256 features\n" in shown
    assert max(map(len, shown.splitlines())) < 200


def test_a_turned_picture_is_found_and_said_where(server: str, fig: Path, tmp_path: Path) -> None:
    """In words for people, as corners for programs; and what the confidence is based on."""
    page, corners = turned(picture("fig"))
    page.save(tmp_path / "turned.png")
    with Client(server) as client:
        verdict = client.check([asked(page)])
    (match,) = document(tmp_path, verdict)["matches"]
    assert (match["entry"], match["algorithm"]) == (f"{LIST}#1", "orb")
    located = match["located"]
    assert set(located) == {"features", "visible_percent", "corners"}
    assert located["features"] >= 24
    assert located["visible_percent"] == 100
    for found, expected in zip(located["corners"], corners, strict=True):
        assert found == pytest.approx(expected, abs=0.03)
        assert found == [round(place, 3) for place in found]
    assert match["confidence_basis"].startswith("orb, a part in its place: ")

    done = hashsvc("check", tmp_path / "turned.png", fig, server=server)
    assert done.returncode == MATCHED
    words = [row.strip() for row in done.stdout.splitlines()]
    assert f"{match['confidence']}: {match['confidence_basis']}" in words
    (line,) = (word for word in words if word.startswith("at "))
    assert line.startswith(("at 0-", "at 1-"))
    assert line.endswith(" % down")
    assert "exact: sha256: the very same file" in words


def test_a_hash_that_is_contradicted_is_told(server: str, tmp_path: Path) -> None:
    """In words beside its class, and as a field for programs."""
    page = collided(picture("rocket"), picture("fig"))
    page.save(tmp_path / "collided.png")
    with Client(server) as client:
        verdict = client.check_file(tmp_path / "collided.png")
    (match,) = document(tmp_path, verdict)["matches"]
    assert (match["confidence"], match["contradicted"]) == ("weak", True)
    done = commands.hashsvc("check", tmp_path / "collided.png", server=server)
    assert done.returncode == MATCHED
    assert f"weak: {match['confidence_basis']}" in " ".join(done.stdout.split())


ALL = ((0.12, 0.3), (0.45, 0.3), (0.45, 0.8), (0.12, 0.8))
CUT = ((-0.5, 0), (1.2, 0), (1.2, 0.99), (-0.5, 0.99))
TURNED = ((0.9, 0.1), (0.9, 0.9), (0.1, 0.9), (0.1, 0.1))


@pytest.mark.parametrize(
    ("corners", "visible", "line"),
    [
        (ALL, 1.0, "at 12-45 % across, 30-80 % down"),
        (CUT, 0.6, "at 0-100 % across, 0-99 % down, 60 % of it"),
        (TURNED, 0.99, "at 10-90 % across, 10-90 % down"),
    ],
)
def test_places_are_told_by_the_box_around_them(
    corners: tuple[tuple[float, float], ...], visible: float, line: str
) -> None:
    """However it is turned; of what is cut off it is said how much is seen."""
    assert located_line(Located(9, corners, visible)) == line


def test_an_owner_says_whether_a_list_takes_them(server: str) -> None:
    """What else the list says of itself stays."""
    with Client(server) as client:
        client.create_list("acme/other", purpose="as it was")
    done = hashsvc("describe", "acme/other", "--local-features", "--json", server=server)
    (shown,) = objects(done)
    assert (shown["local_features"], shown["purpose"]) == (True, "as it was")


def test_a_list_with_them_goes_out_and_in(server: str, tmp_path: Path) -> None:
    """To the byte."""
    to, copy = tmp_path / "list.jsonl", "acme/copy"
    done = hashsvc("export", "--list", LIST, "--jsonl", "--to", to, server=server)
    assert done.returncode == 0, done.stderr
    with Client(server) as client:
        client.create_list(copy, local_features=True)
        done = hashsvc("contribute", "--list", copy, "--jsonl", to, server=server)
        assert done.returncode == 0, done.stderr
        one, other = (
            [entry.fingerprints for entry in client.entries(name, show_fingerprints=True)]
            for name in (LIST, copy)
        )
    assert one == other
    assert any(f.algorithm.is_local for f in one[0])
