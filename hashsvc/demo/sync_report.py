"""What the demo of following prints: who does what, whether that is right, and how long it took."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from hashsvc.demo.report import out, say, shown, sign
from hashsvc.demo.samples import LICENCES
from hashsvc.model_sync import Alarm, FollowStatus

_WHO, _TIME, _GAP = 7, 8, 2
_COLUMNS = 100


def print_start(list_name: str) -> None:
    """Say what is about to happen."""
    say(
        "This starts three nodes, each with a folder and a process of its own: those of two "
        f"partners, acme and bolt, and a hub between them. acme keeps the list {list_name}, the "
        "hub follows acme, bolt follows the hub. Then the hub tampers with its copy. All media are "
        f"harmless stand-ins under open licences: see {shown(LICENCES)}"
    )


class Story:
    """Prints what happens as it happens, and counts what is not as it should be."""

    def __init__(self) -> None:
        self._right = 0
        self._wrong: list[str] = []

    def chapter(self, title: str, remark: str = "") -> None:
        """Begin a part."""
        out.print(Text(f"\n{title}", "bold").append(remark, "not bold default"))

    def expect(self, who: str, text: str, is_right: bool, seconds: float | None = None) -> None:
        """Tell what somebody did, which is as it should be or not."""
        if is_right:
            self._right += 1
            mark, style = Text(sign("✓", "ok"), "green"), ""
        else:
            self._wrong.append(f"{who} {text}")
            mark, style = Text(sign("✗", "NO"), "bold red"), "red"
        _print_line(mark, Text(who, "cyan"), Text(text, style), _took(seconds))

    def evidence(self, alarm: Alarm) -> None:
        """Show what was refused, and both checkpoints."""
        for name, text in (
            ("why", alarm.reason),
            ("held", _checkpoint(alarm.held)),
            ("offered", _checkpoint(alarm.offered)),
        ):
            _print_line(Text(), Text(name, "yellow"), Text(text))

    def stand(self, followed: Sequence[tuple[str, FollowStatus]]) -> None:
        """Show how the lists stand that nodes follow, by the name of the node."""
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for column in ("node", "list", "from", "state"):
            table.add_column(column)
        for column in ("records", "behind", "alarms"):
            table.add_column(column, justify="right")
        for node, status in followed:
            one = status.subscription
            numbers = (status.size, status.behind, len(status.alarms))
            state = status.state.replace("_", " ")
            texts = (one.list_name, one.source, state, *map(str, numbers))
            table.add_row(Text(node, "cyan"), *map(Text, texts))
        out.print(table)

    def end(self, seconds: float) -> bool:
        """Say how much was as it should be; return whether all was."""
        out.print()
        for text in self._wrong:
            out.print(Text(f"Wrong: {text}", "red"))
        total = self._right + len(self._wrong)
        style = "bold red" if self._wrong else "bold green"
        count = Text(f"{self._right} of {total} as expected", style)
        out.print(count.append(f" ({seconds:.0f} s in all)", "not bold default"))
        return not self._wrong


def _print_line(mark: Text, who: Text, what: Text, took: str = "") -> None:
    line = Table.grid(padding=(0, _GAP, 0, 0))
    widths = (len(sign("✓", "ok")), _WHO, 0, _TIME)
    rest = min(out.width, _COLUMNS) - sum(widths) - _GAP * 3
    for width in widths:
        line.add_column(width=width or rest, justify="right" if width == _TIME else "left")
    line.add_row(mark, who, what, took)
    out.print(line)


def _took(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _checkpoint(note: bytes) -> str:
    """Return a checkpoint in words: how many records, and what they hash to."""
    _, size, root = note.decode(errors="replace").split("\n")[:3]
    return f"a checkpoint of {size} records, root {root}"
