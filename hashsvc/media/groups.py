"""A video looked at by its key frames, and closely where somebody asks for it.

A key frame can be decoded alone, and then stands for the group of pictures up to the next one. The
packets of the present group and of the one before are held undecoded, so that they can be decoded
after all. Whoever chooses a video's key frames also chooses what is seen, so that a video is
looked at inside its groups too where its key frames show nothing new for long.
"""

from hashsvc.media.container import Reader, VideoPacket
from hashsvc.media.limits import Limits
from hashsvc.media.recipe import Recipe
from hashsvc.media.sampling import Sampler, Timed
from hashsvc.media.scanning import STEP_MS, Scan

KEY_STEP_MS = 1000
"""A key frame that follows another by less does not begin a group."""

MAX_GAP_MS = 11_000
"""A group is looked at inside when for so long nothing new was seen.

Encoders put key frames 0.5 to 10.5 seconds apart, most by their default of 250 frames; a longer gap
could hold a whole known clip, and so could key frames that are black or always the same.
"""

SHORT_GAP_MS = 2_000
"""The same for a group whose key frame shows nothing, as of a video that fades in; and for the last
one of a video of which little was seen, or something known, which may end there."""

LITTLE = 5
"""Little are fewer key frames than these that showed something new."""


class _Group:
    """Packets from one key frame up to the next.

    `is_inside` once its frames are decoded and not its key frame alone, `is_shown` once any was.
    `is_plain` if its key frame shows nothing that could be recognised.
    """

    def __init__(self, start_ms: int) -> None:
        self.start_ms, self.end_ms = start_ms, start_ms
        self.packets: list[VideoPacket] = []
        self.size_bytes = 0
        self.is_held = True
        self.is_hidden = True
        self.is_inside = False
        self.is_shown = False
        self.is_plain = False

    def hold(self, packet: VideoPacket) -> None:
        """Keep a packet, unless packets were dropped before."""
        self.is_hidden = self.is_hidden and packet.is_discard
        if self.is_held:
            self.packets.append(packet)
            self.size_bytes += packet.size

    def drop(self) -> None:
        """Hold no packets any longer."""
        self.packets.clear()
        self.size_bytes, self.is_held = 0, False


class KeyFrames:
    """Takes a video's packets one by one and hashes what is to be seen of them.

    `through_ms` is how far it has come, `unseen_ms` how much of that could not be decoded.
    Methods raise what `Scan` and `Reader` raise.
    """

    def __init__(self, reader: Reader, scan: Scan, limits: Limits, recipe: Recipe) -> None:
        self._reader, self._scan = reader, scan
        self._most_bytes = limits.max_held_bytes
        self._recipe = recipe
        self._before: _Group | None = None
        self._now: _Group | None = None
        self._sampler: Sampler | None = None  # set while the decoder is inside a group
        self._fed: _Group | None = None  # which that is
        self._given_ms: set[int] = set()
        self._told_ms = 0
        self.unseen_ms = 0
        self.through_ms = 0

    def take(self, packet: VideoPacket) -> None:
        """Add the next packet."""
        time_ms = self._reader.time_ms(packet)
        if not packet.is_discard:
            self.through_ms = max(self.through_ms, round(time_ms + self._reader.frame_ms))
        now = self._now
        if now is None or (packet.is_keyframe and abs(time_ms - now.start_ms) >= KEY_STEP_MS):
            self._begin(packet, time_ms)
        else:
            self._go_on(now, packet, time_ms)
        if self._sampler is None or abs(time_ms - self._told_ms) >= STEP_MS:
            self._converse(time_ms)

    def end(self) -> None:
        """Look at what is left when no more packets come."""
        now = self._now
        if now is None:
            return
        is_wanted = self._scan.news_count < LITTLE or self._scan.was_asked
        if not now.is_inside and is_wanted and self._unknown_ms() > SHORT_GAP_MS:
            self._look_inside(now)
        self._leave()
        while self._scan.has_news:
            self._converse(self.through_ms)
            self._leave()
        self._count_unseen(self._before)
        self._count_unseen(now)

    def _unknown_ms(self) -> float:
        """How long it is since something new was seen."""
        return self.through_ms - self._scan.news_ms

    def _begin(self, packet: VideoPacket, time_ms: int) -> None:
        """Begin a group with a key frame, or with whatever the video begins with."""
        self._count_unseen(self._before)
        self._before, self._now = self._now, _Group(time_ms)
        self._now.hold(packet)
        held_ms = self._before.start_ms if self._before else time_ms
        self._scan.forget(held_ms)
        self._given_ms = {given for given in self._given_ms if given >= held_ms}
        if self._sampler is not None:
            if self._scan.is_asked(time_ms, time_ms + 1):
                self._look_inside(self._now)
                return
            self._leave()
        if not self._see_key_frame(packet, self._now):
            self._look_inside(self._now)

    def _go_on(self, group: _Group, packet: VideoPacket, time_ms: int) -> None:
        """Hold a packet, and decode it where the group is looked at inside."""
        group.end_ms = max(group.end_ms, time_ms)
        group.hold(packet)
        if group.is_inside:
            self._feed(group, packet)
        elif group.size_bytes > self._most_bytes or (
            time_ms - self._scan.news_ms > (SHORT_GAP_MS if group.is_plain else MAX_GAP_MS)
            or self._scan.is_asked(time_ms, time_ms + 1)
        ):
            self._look_inside(group)
        self._keep_bounded(group)

    def _keep_bounded(self, group: _Group) -> None:
        """Hold no more than allowed; what is dropped was decoded or has passed."""
        before = self._before
        if before is not None and before.size_bytes + group.size_bytes > self._most_bytes:
            before.drop()
        if group.is_inside and group.size_bytes > self._most_bytes:
            group.drop()

    def _see_key_frame(self, packet: VideoPacket, group: _Group) -> bool:
        """Decode a key frame alone and hash it; False when that gives nothing."""
        self._reader.restart()
        frames = [*self._reader.decode(packet), *self._reader.decode(None)]
        self._reader.restart()
        for decoded in frames[:1]:
            frame = self._reader.picture(decoded, group.start_ms, self._recipe.decoding)
            if frame is not None:
                self._scan.add(frame, is_key=True)
                self._given_ms.add(group.start_ms)
                group.is_shown, group.is_plain = True, self._scan.is_plain
        return group.is_shown

    def _look_inside(self, group: _Group) -> None:
        """Decode all that is held of a group; what follows is decoded as it comes."""
        if self._sampler is None:
            self._reader.restart()
            self._sampler = Sampler(self._recipe.rate, self._reader.frame_ms, group.start_ms)
        group.is_inside = True
        for packet in group.packets:
            self._feed(group, packet)

    def _feed(self, group: _Group, packet: VideoPacket) -> None:
        assert self._sampler is not None
        self._fed = group
        for frame in self._reader.decode(packet):
            group.is_shown = True
            self._hash(self._sampler.take(self._reader.time_ms(frame), frame))
        # Looked at, it is no gap, even if it shows the same all along.
        self._scan.news_ms = max(self._scan.news_ms, group.end_ms)

    def _leave(self) -> None:
        """Take the frames that the decoder still has, and end the closer look."""
        if self._sampler is None:
            return
        for frame in self._reader.decode(None):
            if self._fed is not None:
                self._fed.is_shown = True
            self._hash(self._sampler.take(self._reader.time_ms(frame), frame))
        self._hash(self._sampler.end(self.through_ms))
        self._reader.restart()
        self._sampler = None

    def _hash(self, chosen: list[Timed]) -> None:
        """Hash the frames chosen, but for those that were hashed before."""
        for time_ms, decoded in chosen:
            if time_ms in self._given_ms:
                continue
            frame = self._reader.picture(decoded, time_ms, self._recipe.decoding)
            if frame is not None:
                self._given_ms.add(time_ms)
                self._scan.add(frame)

    def _converse(self, time_ms: int) -> None:
        """Tell the judge what is new and look where it asks, until there is nothing to tell."""
        while self._scan.has_news:
            self._told_ms = time_ms
            self._scan.tell(self.through_ms)
            self._look_where_asked()

    def _look_where_asked(self) -> None:
        """Look inside the groups that are held, in their order."""
        before, now = self._before, self._now
        assert now is not None
        wants_now = not now.is_inside and self._is_asked(now, now.end_ms + 1)
        # Within the present group the decoder can go back only if all of it is held.
        can_go_back = self._sampler is None or now.is_held
        if before is not None and can_go_back and self._wants(before, now.start_ms):
            self._leave()
            self._look_inside(before)
            if wants_now or now.is_inside:
                self._look_inside(now)
            else:
                self._leave()
        elif wants_now:
            self._look_inside(now)

    def _wants(self, group: _Group, end_ms: int) -> bool:
        """Whether a closer look at a group is asked for, was not had, and can be had."""
        return not group.is_inside and group.is_held and self._is_asked(group, end_ms)

    def _is_asked(self, group: _Group, end_ms: int) -> bool:
        return self._scan.is_asked(group.start_ms, max(end_ms, group.start_ms + 1))

    def _count_unseen(self, group: _Group | None) -> None:
        """Note a group of which no frame could be decoded, though it is to be shown."""
        if group is not None and not group.is_shown and not group.is_hidden:
            self.unseen_ms += max(0, group.end_ms - max(0, group.start_ms))
