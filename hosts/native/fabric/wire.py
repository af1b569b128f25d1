"""An IPI on the wire: a msgpack array of five numbers, each of fixed width, so that compiled code fills it in place.

::

    byte   0  0x95             array of 5
           1  0xcf  8 bytes    run token
          10  0xcc  1 byte     sender; 128 more in the last frame of its connection
          12  0xcc  1 byte     target
          14  0xcc  1 byte     vector
          16  0xcf  8 bytes    sequence, from 0 up without a gap in each connection

Frame 0 of a connection is a hello, which proves that the way is open; the last one says that all that this sender sent
has arrived. Neither is an IPI, whatever its vector.

Any msgpack reader reads it; 25 bytes are few enough for libzmq to carry without an allocation. Seen as words, with the
bytes in the machine's order, bytes 0-7 are the same in all frames of a run and bytes 8-15 in all frames to one pCPU
but for sender and vector: a receiver compares two words.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

FRAME_BYTES: Final = 25
SENDER_BYTE: Final = 11
VECTOR_BYTE: Final = 15
SEQUENCE_BYTE: Final = 16
"""Where the sequence number's tag stands; the number follows, big-endian."""
LAST: Final = 0x80
"""Added to the sender in the last frame of a connection; above the number of any pCPU."""

ARRAY_OF_FIVE: Final = 0x95
UINT8: Final = 0xCC
UINT64: Final = 0xCF

SENDER_SHIFT: Final = 8 * (SENDER_BYTE - 8)
VECTOR_SHIFT: Final = 8 * (VECTOR_BYTE - 8)
MIDDLE_MASK: Final = ~(0xFF << SENDER_SHIFT | 0xFF << VECTOR_SHIFT) & (1 << VECTOR_SHIFT) - 1
"""The bits of bytes 8-15 that are the same in all frames to one pCPU."""


class Flaw(enum.Enum):
    """Why a frame is ignored."""

    SHAPE = "shape"
    RUN = "run"
    SENDER = "sender"
    TARGET = "target"
    SEQUENCE = "sequence"


@dataclass(frozen=True)
class Frame:
    """What a frame says."""

    token: int
    sender: int
    target: int
    vector: int
    sequence: int
    last: bool = False


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame."""
    numbers = bytes([UINT8, frame.sender | LAST * frame.last, UINT8, frame.target, UINT8, frame.vector])
    return bytes([ARRAY_OF_FIVE, UINT64]) + _wide(frame.token) + numbers + bytes([UINT64]) + _wide(frame.sequence)


def _wide(number: int) -> bytes:
    return number.to_bytes(8, "big")


def decode(data: bytes) -> Frame | None:
    """Read a frame; None where the bytes have another shape (a msgpack reader may still make sense of them)."""
    tags = (ARRAY_OF_FIVE, UINT64, UINT8, UINT8, UINT8, UINT64)
    if len(data) != FRAME_BYTES or tuple(data[at] for at in (0, 1, 10, 12, 14, 16)) != tags:
        return None
    token, sequence = int.from_bytes(data[2:10], "big"), int.from_bytes(data[17:], "big")
    return Frame(token, data[11] & ~LAST, data[13], data[15], sequence, last=data[11] & LAST != 0)


def flaw(data: bytes, token: int, target: int, pcpus: int, expected: Sequence[int]) -> Flaw | None:
    """Return what is wrong with a frame that arrived at ``target``, which expects sequence ``expected[sender]``."""
    frame = decode(data)
    if frame is None:
        return Flaw.SHAPE
    checks = (
        (frame.token == token, Flaw.RUN),
        (frame.target == target, Flaw.TARGET),
        (frame.sender < pcpus, Flaw.SENDER),
        (frame.sender >= pcpus or frame.sequence == expected[frame.sender], Flaw.SEQUENCE),
    )
    return next((wrong for right, wrong in checks if not right), None)


def words_of(frame: Frame) -> tuple[int, int]:
    """Return bytes 0-7 and 8-15 as the signed words that compiled code compares."""
    data = encode(frame)
    return int.from_bytes(data[:8], "little", signed=True), int.from_bytes(data[8:16], "little", signed=True)
