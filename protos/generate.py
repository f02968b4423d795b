"""Lint the protos and write the Python under `hashsvc/v1`; `--check` only compares.

Run by `make protos` and `make lint` in a virtual environment made from requirements.txt.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from google.rpc import status_pb2

PROTOS = Path(__file__).resolve().parent
TARGET = PROTOS.parent / "hashsvc" / "v1"
BIN = Path(sys.executable).parent
GOOGLE = Path(status_pb2.__file__).parents[2]
HEADER = '"""Generated from protos/hashsvc/v1 by `make protos`."""\n'


def main() -> int:
    """Return 0 when the generated code is, or now is, what the protos say."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.glob("hashsvc/v1/*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out"
        out.mkdir()
        lint(sources, Path(scratch) / "image.binpb")
        protoc(sources, f"--python_out={out}", f"--pyi_out={out}", f"--grpc_python_out={out}")
        protoc(sources, f"--mypy_grpc_out={out}", f"--plugin={BIN / 'protoc-gen-mypy_grpc'}")
        made = {path.name: path.read_bytes() for path in (out / "hashsvc" / "v1").iterdir()}
    made = {name: text for name, text in made.items() if is_wanted(name, text)}
    made["__init__.py"] = HEADER.encode()
    return compare(made) if "--check" in sys.argv[1:] else write(made)


def lint(sources: list[str], image: Path) -> None:
    """Run buf's lint over an image, since buf itself would fetch google.rpc from the network."""
    protoc(sources, "--include_imports", "--include_source_info", f"--descriptor_set_out={image}")
    command = [BIN / "buf", "lint", image, "--path", "hashsvc", "--config", PROTOS / "buf.yaml"]
    run(command)


def protoc(sources: list[str], *arguments: str) -> None:
    """Run protoc on the sources."""
    run([sys.executable, "-m", "grpc_tools.protoc", "-I.", f"-I{GOOGLE}", *arguments, *sources])


def run(command: list[str | Path]) -> None:
    """Run a command in the protos folder; its failure ends the script."""
    if subprocess.run([str(part) for part in command], cwd=PROTOS, check=False).returncode:
        sys.exit(f"failed: {command[0]}")


def is_wanted(name: str, text: bytes) -> bool:
    """Tell whether a generated file says anything: protos without a service get empty stubs."""
    return "_grpc" not in name or b"ServiceStub" in text


def compare(made: dict[str, bytes]) -> int:
    """Say which files are stale."""
    present = {path.name: path.read_bytes() for path in TARGET.iterdir() if path.is_file()}
    stale = sorted(n for n in made.keys() | present.keys() if made.get(n) != present.get(n))
    if stale:
        print(f"stale generated code, run `make protos`: {', '.join(stale)}", file=sys.stderr)
    return 1 if stale else 0


def write(made: dict[str, bytes]) -> int:
    """Replace what is in the target folder."""
    TARGET.mkdir(exist_ok=True)
    for path in TARGET.iterdir():
        if path.is_file() and path.name not in made:
            path.unlink()
    for name, text in made.items():
        (TARGET / name).write_bytes(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
