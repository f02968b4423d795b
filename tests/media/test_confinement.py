"""What a confined decoder cannot do any more, tried in real processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hashsvc import testpattern
from hashsvc.app import Node
from hashsvc.config import load
from hashsvc.errors import ConfigError
from hashsvc.media import DecoderPool, Recipe
from hashsvc.media.confinement import LAYERS
from hashsvc.media.recipe import PERCEPTUAL
from hashsvc.model import Decoding

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")

# Says which layers hold, and what became of each try.
PROBE = """
import ctypes, json, os, signal, socket, subprocess, sys, threading
from pathlib import Path
from hashsvc.media.confinement import confine

folder, parent = sys.argv[1], os.getppid()
inside = socket.socketpair()
layers = confine(opens_files=sys.argv[2] == "paths")
libc = ctypes.CDLL(None, use_errno=True)

def raw(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")

def thread():
    threads = [threading.Thread(target=sum, args=([1, 2],)) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

tries = {
    "thread": thread,
    "read": lambda: Path(folder, "secret").read_bytes(),
    "passwd": lambda: Path("/etc/passwd").read_bytes(),
    "write": lambda: Path(folder, "new").write_bytes(b""),
    "append": lambda: open(Path(folder, "secret"), "ab"),
    "chmod": lambda: os.chmod(Path(folder, "secret"), 0o777),
    "unlink": lambda: os.unlink(Path(folder, "secret")),
    "mkdir": lambda: os.mkdir(Path(folder, "sub")),
    "socket": lambda: socket.socket(),
    "unix": lambda: socket.socket(socket.AF_UNIX),
    "pair": lambda: socket.socketpair(),
    "accept": lambda: inside[0].accept(),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "fork": lambda: os._exit(0) if os.fork() == 0 else None,
    "spawn": lambda: subprocess.run(["/bin/true"], check=True),
    "signal": lambda: os.kill(parent, 0),
    "own": lambda: os.kill(os.getpid(), 0),
    "memory": lambda: raw({"x86_64": 310, "aarch64": 270}[os.uname().machine], parent, 0, 0),
    "memfd": lambda: os.memfd_create("x"),
    "unshare": lambda: raw({"x86_64": 272, "aarch64": 97}[os.uname().machine], 0x10000000),
    "uring": lambda: raw(425, 1, 0),
}
found = {}
for name, act in tries.items():
    try:
        act()
        found[name] = "done"
    except OSError as error:
        found[name] = "EPERM" if error.errno == 1 else "EACCES" if error.errno == 13 else str(error)
print(json.dumps([layers, found]))
"""


def probe(folder: Path, mode: str) -> tuple[list[str], dict[str, str]]:
    """Confine a process and let it try everything."""
    (folder / "secret").write_text("secret")
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(folder), mode], capture_output=True, text=True, check=True
    )
    layers, found = json.loads(done.stdout)
    if set(layers) != set(LAYERS):
        pytest.skip(f"this kernel, or its container, holds {layers} alone")
    return layers, found


@pytest.mark.parametrize("mode", ["bytes", "paths"])
def test_what_is_refused(tmp_path: Path, mode: str) -> None:
    """All that is no decoding; with paths, files may be read."""
    _, found = probe(tmp_path, mode)
    allowed = {"thread", "own"} | ({"read", "passwd"} if mode == "paths" else set())
    assert {name for name, what in found.items() if what == "done"} == allowed
    refused = {name: what for name, what in found.items() if name not in allowed}
    assert set(refused.values()) <= {"EPERM", "EACCES"}
    assert (tmp_path / "secret").read_text() == "secret"
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


async def test_workers_are_confined(monkeypatch: pytest.MonkeyPatch) -> None:
    """They run under the filter, without the caller's descriptors, environment and group."""
    monkeypatch.setenv("HASHSVC_API_KEY", "hsk_secret")
    open_here = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(open_here, True)
    async with DecoderPool(1, opens_files=False) as pool:
        await pool.fingerprint([testpattern.PATH.read_bytes()])
        (starting,) = pool._idle
        worker = await starting
        if set(pool.confined) != set(LAYERS):
            pytest.skip(f"only {pool.confined} hold here")
        process = Path(f"/proc/{worker.pid}")
        status = dict(
            line.split(":\t", 1) for line in (process / "status").read_text().splitlines()
        )
        assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
        assert "HASHSVC_API_KEY" not in (process / "environ").read_text()
        targets = [link.readlink().name for link in (process / "fd").iterdir()]
        assert "passwd" not in targets
        assert os.getpgid(worker.pid) != os.getpgid(0)
        with pytest.raises(OSError, match="not permitted"):
            await pool.fingerprint_path(testpattern.PATH)
        assert (await pool.fingerprint([testpattern.PATH.read_bytes()])).format == "png"
    os.close(open_here)


async def test_every_hash_is_there_without_files() -> None:
    """All that a recipe can ask for was loaded before the worker gave up opening files."""
    data = testpattern.PATH.read_bytes()
    async with DecoderPool(1, opens_files=False) as pool:
        for algorithm in PERCEPTUAL:
            recipe = Recipe(algorithms=(algorithm,), dihedral=True, decoding=Decoding.FAST)
            found = await pool.fingerprint([data], recipe)
            made = {one.algorithm for one in found.fingerprints}
            assert made & set(PERCEPTUAL) == {algorithm}


async def test_a_node_may_insist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not start where a layer is missing, and says which."""
    monkeypatch.setattr("hashsvc.app.LAYERS", (*LAYERS, "moat"))
    flags = {
        "data": tmp_path / "data",
        "listen": "127.0.0.1:0",
        "decoding": {"require_confinement": True},
    }
    with pytest.raises(ConfigError, match="not confined by moat"):
        async with Node(load(None, flags)):
            pass
