"""Whether the compiled kernels are here; everything works without them, only slower."""

import os
from functools import cache
from types import ModuleType

# Any other value than the empty one does without.
WITHOUT = "HASHSVC_INDEX_WITHOUT_NUMBA"


@cache
def kernels() -> ModuleType | None:
    """The kernels, compiled and ready; None where numba is missing or switched off.

    The first call of a process takes about a second, the first on a machine ten.
    """
    if os.environ.get(WITHOUT):
        return None
    try:
        from hashsvc_index import kernels as compiled
    except ImportError:
        return None
    return compiled
