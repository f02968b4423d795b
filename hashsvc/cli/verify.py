"""`hashsvc verify` and `hashsvc prove`: nothing that a node says is believed."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashsvc.cli import options, output
from hashsvc.cli.options import DEFAULT_SERVER, Json, Server
from hashsvc.cli.outfile import opened
from hashsvc.errors import InvalidRequest, VerificationError
from hashsvc.model import Change, EntryAdded

if TYPE_CHECKING:
    from hashsvc.lists.auditing import Audited, Witnessed
    from hashsvc.lists.keys import Key

_COMPARE = "compare it with what the list's owner says, or give that with --key"


def verify(
    name: Annotated[
        str | None,
        typer.Argument(metavar="LIST", help="The list, to verify its log.", show_default=False),
    ] = None,
    proof: Annotated[
        Path | None, typer.Option(help="A file from `prove`, to verify it without a node.")
    ] = None,
    key: Annotated[
        str, typer.Option(help="The list's public key, as its owner says it; else what is shown.")
    ] = "",
    witness: Annotated[
        list[str] | None,
        typer.Option(help="A witness's public key: it must have cosigned the log. Repeatable."),
    ] = None,
    server: Server = DEFAULT_SERVER,
    as_json: Json = False,
) -> None:
    """Verify the whole log of a list, or a proof of one record; exit 1 if it does not verify.

    The log is fetched and every leaf and its tree are computed here, under the list's key, so a
    node that leaves out, changes or takes back what the owner signed is found out.
    """
    if (name is None) is (proof is None):
        raise typer.BadParameter("give a LIST, or a file with --proof")
    if proof is not None and witness:
        raise typer.BadParameter("--witness is for a LIST")
    subject = name or str(proof)
    with options.server_extra():
        from hashsvc.lists import auditing, proofs  # noqa: F401 (all that is needed below)
        from hashsvc.lists.keys import Verifier, Witness
    _check_keys("--key", [key] if key else [], Verifier)
    _check_keys("--witness", witness or [], Witness)
    try:
        if proof is not None:
            _verify_proof(proof, key, as_json=as_json)
        else:
            _verify_list(subject, key, witness or [], server, as_json=as_json)
    except VerificationError as error:
        if as_json:
            output.print_json({"subject": subject, "verified": False, "reason": str(error)})
        output.warn(f"error: {subject} does not verify: {error}")
        raise typer.Exit(output.ERROR) from None


def _check_keys(option: str, keys: Sequence[str], kind: "type[Key]") -> None:
    for key in keys:
        try:
            kind.decode(key)
        except VerificationError as error:
            raise InvalidRequest.of(option, str(error)) from error


def _verify_list(
    name: str, key: str, witness_keys: Sequence[str], server: str, *, as_json: bool
) -> None:
    from hashsvc.lists.auditing import Audit, witnessed_by
    from hashsvc.lists.keys import Witness

    witnesses = list(dict.fromkeys(Witness.decode(text) for text in witness_keys))
    with (
        options.client(server) as client,
        output.progress("records", None, shown=True) as bar,
    ):
        # Before the log, so that all that was cosigned is in it.
        seen = witnessed_by(name, client.checkpoint(name), witnesses) if witnesses else []
        audit = Audit(name, key, seen)
        for message in client.follow(name):
            audit.receive(message)
            bar.update(bar.task_ids[0], completed=audit.size, total=audit.head_size or None)
        found = audit.finish()
    now = datetime.now(UTC)
    if as_json:
        output.print_json(_document(name, found, seen, now, is_pinned=bool(key)))
        return
    withheld = f", {found.withheld:,} of them as hashes alone (withheld or erased)"
    output.say(
        f"{name} verifies",
        f"  records  {found.size:,}{withheld if found.withheld else ''}",
        f"  root     {base64.b64encode(found.root).decode()}",
        f"  key      {found.key}",
        f"  when     {now:%Y-%m-%d %H:%M:%S} UTC",
        *(
            f"  witness  {one.witness.name} cosigned {one.size:,} records, "
            f"{_age((now - one.time).total_seconds())}"
            for one in seen
        ),
    )
    if not key:
        output.warn(f"this is under the key that the node shows: {_COMPARE}")


def _document(
    name: str, found: "Audited", seen: Sequence["Witnessed"], now: datetime, *, is_pinned: bool
) -> dict[str, Any]:
    return {
        "subject": name,
        "verified": True,
        "records": found.size,
        "withheld": found.withheld,
        "root": base64.b64encode(found.root).decode(),
        "key": found.key,
        "key_given": is_pinned,
        "time": now.isoformat(),
        "witnesses": [
            {
                "witness": one.witness.encode(),
                "records": one.size,
                "time": one.time.isoformat(),
                "age_s": round((now - one.time).total_seconds()),
            }
            for one in seen
        ],
    }


def _verify_proof(path: Path, key: str, *, as_json: bool) -> None:
    from hashsvc.lists.proofs import MAX_BYTES, RecordProof

    with path.open("rb") as file:
        read = RecordProof.from_json(file.read(MAX_BYTES + 1))
    found = read.verify(key)
    name = f"{read.list_name}#{read.place}"
    said = "withheld or erased" if found.is_withheld else _said(found.change)
    root = base64.b64encode(found.checkpoint.root).decode()
    if as_json:
        output.print_json(
            {
                "subject": str(path),
                "verified": True,
                "entry": name,
                "list": read.list_name,
                "place": read.place,
                "withheld": found.is_withheld,
                "record": read.proof.leaf.body.decode(errors="replace"),
                "records": found.checkpoint.size,
                "root": root,
                "key": found.key,
                "key_given": bool(key),
            }
        )
        return
    output.say(
        f"{name} is in the log of {read.list_name}",
        f"  record   {said}",
        f"  within   the first {found.checkpoint.size:,} records; later ones may change it",
        f"  root     {root}",
        f"  key      {found.key}",
    )
    if not key:
        output.warn(f"this is under the key that the proof shows: {_COMPARE}")


def prove(
    entry: Annotated[
        str,
        typer.Argument(metavar="ENTRY", help="The entry: acme/known#17.", show_default=False),
    ],
    to: Annotated[Path | None, typer.Option(help="The file; standard output if not given.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Write a proof that an entry is in its list: `verify --proof` checks it without a node.

    It holds the entry's record, with its hashes, where you may read it; only you may read the file.
    """
    with options.server_extra():
        from hashsvc.lists import rules
        from hashsvc.lists.proofs import RecordProof
    list_name, place = rules.check_entry_name(entry, "entry")
    with options.client(server) as client:
        made = RecordProof(list_name, place, client.inclusion_proof(list_name, place))
    try:
        found = made.verify()
    except VerificationError as error:
        output.warn(f"error: what the node says of {entry} does not verify: {error}")
        raise typer.Exit(output.ERROR) from None
    if not (found.is_withheld or isinstance(found.change, EntryAdded)):
        raise InvalidRequest.of("entry", f"there is no entry at place {place} of {list_name}")
    with opened(to, force=force) as file:
        file.write(made.to_json())
    output.warn(f"{entry}: proven within the first {found.checkpoint.size:,} records")


def _said(change: Change | None) -> str:
    if change is None:
        return "of a kind that is not known here"
    if isinstance(change, EntryAdded):
        labels = ", ".join(change.draft.description.labels)
        return (
            f"an {change.draft.media_type} that {change.contributor} added on "
            f"{change.time:%Y-%m-%d %H:%M} UTC: {labels}"
        )
    return f"no entry but one of the kind {type(change).__name__}"


def _age(seconds: float) -> str:
    """Say how long ago something was."""
    if seconds < 0:
        return "in the future by this clock"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
