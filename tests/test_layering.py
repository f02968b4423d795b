"""Who may know whom: walks the imports of every module and holds them against the rules."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Rooms from top to bottom: a module may import from its own room and those below it.
ROOMS = (
    "hashsvc.cli",
    "hashsvc.demo",
    "hashsvc.app",
    "hashsvc.server",
    "hashsvc.tls",
    "hashsvc.rpc",
    "hashsvc.sync",
    "hashsvc.matching",
    "hashsvc.access",
    "hashsvc.lists",
    "hashsvc.store",
    "hashsvc_client",
    "hashsvc.testpattern",
    "hashsvc.translate_match",
    "hashsvc.translate_partners",
    "hashsvc.translate_sync",
    "hashsvc.translate",
    "hashsvc.tokens",
    "hashsvc.metrics",
    "hashsvc.v1",
    "hashsvc.config",
    "hashsvc.logs",
    "hashsvc.media",
    "hashsvc.private_keys",
    "hashsvc.private_files",
    "hashsvc.errors",
    "hashsvc.wording",
    "hashsvc.calibration",
    "hashsvc.model_sync",
    "hashsvc.features",
    "hashsvc.feature_values",
    "hashsvc.model",
    "hashsvc.addresses",
    "hashsvc_index",
)

# Outside packages and the only rooms that may import them.
KEPT_IN = {
    "faiss": {"hashsvc_index"},
    "llvmlite": {"hashsvc_index"},
    "numba": {"hashsvc_index"},
    "sqlalchemy": {"hashsvc.store"},
    "alembic": {"hashsvc.store"},
    "grpc": {
        "hashsvc.rpc",
        "hashsvc.sync",
        "hashsvc.server",
        "hashsvc.tls",
        "hashsvc_client",
        "hashsvc.v1",
    },
    "google": {
        "hashsvc.rpc",
        "hashsvc.translate",
        "hashsvc.translate_match",
        "hashsvc.translate_partners",
        "hashsvc.translate_sync",
        "hashsvc_client",
        "hashsvc.v1",
    },
    "cryptography": {"hashsvc.access", "hashsvc.lists", "hashsvc.private_keys"},
    "av": {"hashsvc.media", "hashsvc.demo"},
    "cv2": {"hashsvc.media"},
    "PIL": {"hashsvc.media", "hashsvc.demo"},
    "typer": {"hashsvc.cli"},
    "prometheus_client": {"hashsvc.metrics"},
    "pydantic": {"hashsvc.config"},
}
NEVER = {"pickle", "shelve", "marshal"}


def modules() -> Iterator[tuple[str, Path]]:
    """Yield the name and file of every module of the packages, generated ones left out."""
    for base in (ROOT, ROOT / "index", ROOT / "clients" / "python"):
        for package in ("hashsvc", "hashsvc_index", "hashsvc_client"):
            for path in (base / package).rglob("*.py"):
                name = ".".join(path.relative_to(base).with_suffix("").parts)
                if not name.startswith("hashsvc.v1"):
                    yield name.removesuffix(".__init__"), path


def imports(path: Path) -> Iterator[str]:
    """Yield what a module imports, with the names taken from packages."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name: str) -> str | None:
    """Return the room a module is in."""
    return next((r for r in ROOMS if name == r or name.startswith(f"{r}.")), None)


def test_arrows_point_down() -> None:
    """No module knows a room above its own."""
    wrong = [
        f"{name} imports {imported}"
        for name, path in modules()
        if (own := room(name))
        for imported in imports(path)
        if (other := room(imported)) and ROOMS.index(other) < ROOMS.index(own)
    ]
    assert wrong == []


def test_libraries_stay_in_their_rooms() -> None:
    """FAISS in the index, SQL in the store, gRPC at the edges, decoders in media."""
    wrong = [
        f"{name} imports {imported}"
        for name, path in modules()
        for imported in imports(path)
        if (rooms := KEPT_IN.get(imported.partition(".")[0])) and room(name) not in rooms
    ]
    assert wrong == []


def test_some_things_are_never_imported() -> None:
    """Nothing that loads code from data."""
    found = {imported.partition(".")[0] for _, path in modules() for imported in imports(path)}
    assert not found & NEVER


BESIDE_MEDIA = {
    "hashsvc.media",
    "hashsvc.features",
    "hashsvc.feature_values",
    "hashsvc.model",
    "hashsvc.errors",
}
"""What the media room may use: itself, and what is below it."""


def test_the_index_and_the_media_room_stand_alone() -> None:
    """They may be used without the service."""
    for name, path in modules():
        for imported in imports(path):
            if room(name) == "hashsvc_index":
                assert not imported.startswith("hashsvc."), f"{name} imports {imported}"
            if room(name) == "hashsvc.media" and imported.startswith("hashsvc"):
                assert room(imported) in BESIDE_MEDIA, f"{name} imports {imported}"


HEAVY = {"numpy", "cv2", "PIL", "av", "sqlalchemy", "faiss"}


def loaded_by(name: str) -> list[str]:
    """All modules that importing one brings, by name."""
    code = f"import sys, {name}; print(*sorted(sys.modules))"
    return subprocess.check_output([sys.executable, "-c", code], text=True).split()


def test_the_command_line_starts_with_little() -> None:
    """Each verb loads what it needs; half of them need no numbers."""
    assert not HEAVY & set(loaded_by("hashsvc.cli.main"))


def test_importing_the_client_loads_little() -> None:
    """Neither decoders nor anything of the server."""
    loaded = loaded_by("hashsvc_client")
    ours = {name for name in loaded if name.startswith("hashsvc.")}
    assert {room(name) for name in ours} <= {
        "hashsvc.v1",
        "hashsvc.translate",
        "hashsvc.translate_match",
        "hashsvc.translate_partners",
        "hashsvc.translate_sync",
        "hashsvc.model",
        "hashsvc.calibration",
        "hashsvc.model_sync",
        "hashsvc.errors",
        "hashsvc.addresses",
    }
    assert not HEAVY & set(loaded)
