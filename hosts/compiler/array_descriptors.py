"""Descriptors of NumPy arrays, and how arrays are passed to compiled code (:mod:`hosts.compiler.arrays`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

DATA, ROWS, COLUMNS, DESCRIPTION_WORDS = range(4)
"""Words of a description. Of an array with one dimension COLUMNS is 1."""
DESCRIPTION_BYTES: Final = 8 * DESCRIPTION_WORDS


def described(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
    """Return the descriptions of some arrays, one behind the other; good as long as the arrays are where they are."""
    words: list[int] = []
    for array in arrays:
        if not array.flags.c_contiguous:
            raise ValueError("compiled code takes arrays whose elements lie side by side")
        words += (array.__array_interface__["data"][0], array.shape[0], array.shape[1] if array.ndim > 1 else 1)
    return np.array(words, np.int64)
