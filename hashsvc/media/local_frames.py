"""Which frames of a video get local features, so that they stay few however long it is.

Time is cut into slots of the recipe's `local_every_s`, and the first frame of each is taken that
shows enough. Where all of a video is kept until its end, slots grow to twice their length whenever
there are too many, so that what is kept is spread over all of it.
"""

import numpy as np
from PIL import Image

from hashsvc import feature_values
from hashsvc.media.frame import Frame
from hashsvc.media.local import local_features
from hashsvc.media.recipe import Recipe
from hashsvc.model import Algorithm, Fingerprint

MOST_FRAMES = feature_values.MOST_OF_ONE
"""Frames of a video that are kept, or told of at once; as many as an entry or a check may have."""


class LocalFrames:
    """The local features of some frames of one video.

    `kept` are those of a video that nobody is told of before its end, in the order of time.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._looking = recipe.local_frames
        self._distinct_bits = recipe.distinct_bits
        self._slot_ms = round(1000 * recipe.local_every_s)
        self._taken: set[int] = set()
        self._last_value: int | None = None
        self._kept: dict[int, Fingerprint] = {}

    def of(self, frame: Frame, value: int) -> Fingerprint | None:
        """The local features of a frame whose PDQ is `value`, if it is one to take.

        Not taken is one that shows what the last one did, by the recipe's `distinct_bits`.
        """
        slot = frame.time_ms // self._slot_ms
        if self._looking is None or slot in self._taken or self._is_repeated(value):
            return None
        self._taken.add(slot)
        self._last_value = value
        picture = Image.fromarray(np.ascontiguousarray(frame.luma))
        found = local_features(picture, self._looking)
        if found is None:
            return None
        return Fingerprint(Algorithm.ORB, found, None, frame.time_ms, frame.decoding)

    def keep(self, fingerprint: Fingerprint) -> None:
        """Keep one until the end."""
        self._kept.setdefault((fingerprint.time_ms or 0) // self._slot_ms, fingerprint)
        while len(self._kept) > MOST_FRAMES:
            self._slot_ms *= 2
            fewer: dict[int, Fingerprint] = {}
            for one in self.kept:
                fewer.setdefault((one.time_ms or 0) // self._slot_ms, one)
            self._kept, self._taken = fewer, set(fewer)

    @property
    def kept(self) -> list[Fingerprint]:
        """What was kept."""
        return [self._kept[slot] for slot in sorted(self._kept)]

    def _is_repeated(self, value: int) -> bool:
        bits, last = self._distinct_bits, self._last_value
        return bool(bits) and last is not None and (value ^ last).bit_count() <= bits
