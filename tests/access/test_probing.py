"""Probing: what is counted, for how long, and that it is bounded."""

from hashsvc.access import probing
from hashsvc.access.probing import WINDOW_S, Probing


class Clock:
    """A time that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_different_uploads_near_one_entry_are_counted() -> None:
    """For each partner and entry apart; the first past the limit is to be reported."""
    clock = Clock()
    watch = Probing(2, now=clock)
    for values in ([b"a"], [b"b"], [b"a"], [b"b"]):
        assert watch.note("eve", "acme/known#1", values) == (0, False)
    clock.now += 10
    assert watch.note("eve", "acme/known#1", [b"c"]) == (WINDOW_S - 10, True)
    assert watch.note("eve", "acme/known#1", [b"d"]) == (WINDOW_S - 10, False)
    assert watch.note("eve", "acme/known#1", [b"a"]) == (0, False)
    assert watch.note("eve", "acme/known#2", [b"c"]) == (0, False)
    assert watch.note("bob", "acme/known#1", [b"c"]) == (0, False)


def test_an_hour_later_it_begins_anew() -> None:
    """And is reported anew."""
    clock = Clock()
    watch = Probing(1, now=clock)
    watch.note("eve", "x", [b"a"])
    assert watch.note("eve", "x", [b"b"]) == (WINDOW_S, True)
    clock.now += WINDOW_S
    assert watch.note("eve", "x", [b"b"]) == (0, False)
    assert watch.note("eve", "x", [b"a"]) == (WINDOW_S, True)


def test_memory_is_bounded() -> None:
    """The entries that were asked near longest ago are forgotten."""
    watch = Probing(1)
    for number in range(probing._MOST_ENTRIES + 5):
        watch.note("eve", str(number), [b"a"])
    assert len(watch._near) == probing._MOST_ENTRIES
    assert watch.note("eve", "0", [b"b"]) == (0, False)
    assert watch.note("eve", str(probing._MOST_ENTRIES), [b"b"])[0] > 0
