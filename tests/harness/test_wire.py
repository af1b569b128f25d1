"""Frames that are none: counted, ignored, and never read past their end."""

from __future__ import annotations

import ctypes
import mmap
import random
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace

import msgpack
import pytest
import zmq

from emu.machine import MAX_PCPUS
from hosts.compiler.object_file import Image
from hosts.compiler.unit import Unit
from hosts.native.codegen.intrinsics import local_address
from hosts.native.codegen.symbols import symbols
from hosts.native.fabric import wire
from hosts.native.fabric.frame_kinds import KIND_SILENT, KINDS, kind_of_vector
from hosts.native.fabric.sockets import Fabric
from hosts.native.memory import region
from hosts.native.memory.addresses import LOCAL_AT
from hosts.native.memory.mapping import words_at
from hosts.native.memory.private_words import LOCAL_BYTES, Local
from hosts.native.process import pcpu
from hosts.native.runtime.receive import accept, receive
from tests.choice import slow_but

FRAMES = slow_but([10_000], [10_000, 100_000])
"""In memory, and through a socket."""
PCPUS = 5
ME = 3
NAME = f"test-{secrets.token_hex(8)}"
"""Of the sockets: two runs of the tests at once do not meet."""
TOKEN = 0x0123_4567_89AB_CDEF
PAGE = mmap.PAGESIZE


def judge(buffer: int, length: int) -> int:
    """Judge a frame in memory."""
    return accept(Local(local_address()), buffer, length)


def look() -> int:
    """Take what has arrived."""
    return receive(Local(local_address()))


@pytest.fixture(scope="module")
def image() -> Image:
    """Compile the two."""
    unit = Unit({"judge": judge, "look": look})
    unit.compile()
    return Image(unit.object_code(symbols=symbols()), symbols())


@pytest.fixture
def fabric() -> Iterator[Fabric]:
    """Make this process pCPU ``ME`` of five, its words filled in as a pCPU process does it."""
    region.reserve()
    with region.SharedMemory() as memory:
        region.map_machine(memory.fd)
    region.map_doorbell(ME)
    ctypes.memset(LOCAL_AT, 0, LOCAL_BYTES)
    fabric = Fabric(NAME, TOKEN, ME, PCPUS)
    fabric.bind()
    arguments = pcpu.PcpuArguments(None, NAME, TOKEN, ME, PCPUS, 0, 0, None)
    host = region.host_words()
    pcpu.fill_local(arguments, fabric, host.run, host.cpus[ME])
    yield fabric
    fabric.close()


def expected() -> list[int]:
    """Return the sequence numbers that are due."""
    return [int(number) for number in words_at(region.host_words().cpus[ME].arrived.at, MAX_PCPUS)]


def counted(name: str) -> int:
    """Read a word of this pCPU."""
    return int(words_at(getattr(region.host_words().cpus[ME], name), 1)[0])


class Frames:
    """Draws frames: good ones, and bad ones that are nearly good."""

    def __init__(self, seed: int) -> None:
        """Start."""
        self.random = random.Random(seed)

    def good(self, due: list[int]) -> bytes:
        """Return a frame that counts."""
        sender = self.random.randrange(PCPUS)
        vector = self.random.choice([0xF2, 0xF1, 0xF0, 0xFD, 0x41, 0, 1, 0x20, 0x3F, 0x7F, 0xFF])
        return wire.encode(wire.Frame(TOKEN, sender, ME, vector, due[sender]))

    def any(self, due: list[int]) -> bytes:
        """Return a frame with any fault, or none."""
        frame = wire.decode(self.good(due))
        assert frame is not None
        number = self.random
        wrong = number.choice(
            [
                lambda: frame,
                lambda: replace(frame, token=number.getrandbits(64)),
                lambda: replace(frame, token=TOKEN ^ 1 << number.randrange(64)),
                lambda: replace(frame, sender=number.randrange(256)),
                lambda: replace(frame, target=number.randrange(256)),
                lambda: replace(frame, last=True),
                lambda: replace(frame, sequence=number.getrandbits(64)),
                lambda: replace(frame, sequence=frame.sequence ^ 1 << number.randrange(64)),
                lambda: replace(frame, sequence=max(0, frame.sequence + number.randint(-2, 2))),
            ]
        )()
        return number.choice([lambda data: data] * 4 + [self.flip, self.cut, self.longer, self.repacked])(
            wire.encode(wrong)
        )

    def flip(self, data: bytes) -> bytes:
        """Turn one bit."""
        at = self.random.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << self.random.randrange(8)]) + data[at + 1 :]

    def cut(self, data: bytes) -> bytes:
        """Leave some of the end out."""
        return data[: self.random.randrange(len(data))]

    def longer(self, data: bytes) -> bytes:
        """Add something."""
        return data + self.random.randbytes(self.random.choice([1, 7, 39, 1000]))

    def repacked(self, data: bytes) -> bytes:
        """Say the same in the shortest msgpack, which is not the fixed width."""
        return bytes(msgpack.packb(msgpack.unpackb(data)))


def test_any_msgpack_reader_reads_a_frame() -> None:
    """Five numbers in the documented order."""
    frame = wire.Frame(TOKEN, 7, 9, 0xF2, 2**40)
    assert msgpack.unpackb(wire.encode(frame)) == [TOKEN, 7, 9, 0xF2, 2**40]
    assert wire.decode(wire.encode(frame)) == frame
    last = replace(frame, last=True)
    assert msgpack.unpackb(wire.encode(last))[1] == frame.sender + wire.LAST
    assert wire.decode(wire.encode(last)) == last


def test_every_vector_has_a_kind() -> None:
    """None is that of the last frame, which is no IPI."""
    assert {kind_of_vector(vector) for vector in range(0x100)} == set(range(KINDS - 1)) - {KIND_SILENT}


def last_bytes_of_a_page() -> tuple[int, Callable[[bytes], int]]:
    """Return a function that puts bytes right before a page that cannot be read, and says where."""
    libc = ctypes.CDLL(None, use_errno=True)
    pages = mmap.mmap(-1, 2 * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    assert libc.mprotect(ctypes.c_void_p(start + PAGE), ctypes.c_size_t(PAGE), 0) == 0

    def place(data: bytes) -> int:
        pages[PAGE - len(data) : PAGE] = data
        return start + PAGE - len(data)

    return start, place


@pytest.mark.parametrize("number", FRAMES)
def test_compiled_code_and_python_agree_about_frames_in_memory(image: Image, fabric: Fabric, number: int) -> None:
    """Each frame ends where memory ends, so a read past its end would be a SIGSEGV."""
    _, place = last_bytes_of_a_page()
    compiled, frames = image.function("judge", 2), Frames(1)
    good = 0
    for _ in range(number):
        due = expected()
        data = frames.any(due)
        data = data[:PAGE]
        right = wire.flaw(data, TOKEN, ME, PCPUS, due) is None
        assert compiled(place(data), len(data)) == right, (data.hex(), due)
        good += right
        if right:
            frame = wire.decode(data)
            assert frame is not None
            due[frame.sender] += 1
        assert expected() == due
    assert number / 100 < good < number / 2
    assert counted("taken_total") == good
    assert fabric.cpu == ME


@pytest.mark.parametrize("number", FRAMES)
def test_bad_frames_through_a_socket_are_counted_and_ignored(image: Image, fabric: Fabric, number: int) -> None:
    """Good ones among them arrive: the real socket, the real receive."""
    look, frames = image.function("look", 0), Frames(2)
    context = zmq.Context()
    push = context.socket(zmq.PUSH)
    push.set_hwm(0)
    push.connect(fabric.pull.last_endpoint)
    due, sent, good = expected(), 0, 0
    local = region.local()
    while sent - good < number:
        for _ in range(500):
            data = frames.any(due)
            push.send(data)
            sent += 1
            if wire.flaw(data, TOKEN, ME, PCPUS, due) is None:
                frame = wire.decode(data)
                assert frame is not None
                due[frame.sender] += 1
                good += 1
        # The doorbell is what tells a pCPU to go on looking.
        words_at(region.host_words().bells[ME].rung, 1)[0] = sent + 1
        while counted("bad_frames") + counted("taken_total") < sent:
            look()
    assert (counted("bad_frames"), counted("taken_total")) == (sent - good, good)
    assert expected() == due
    assert counted("error") == 0
    assert int(words_at(local.taken, 1)[0]) == good
    context.destroy(linger=0)


def test_the_frames_of_the_pcpus_are_those_of_the_codec(fabric: Fabric) -> None:
    """What is prepared in the private words, vector and sequence left out."""
    arguments = pcpu.PcpuArguments(None, NAME, TOKEN, ME, PCPUS, 0, 0, None)
    pcpu.fill_frame(region.local(), arguments, 4)
    at = region.local().frames[4 * 4]
    assert ctypes.string_at(at, wire.FRAME_BYTES) == wire.encode(wire.Frame(TOKEN, ME, 4, 0, 0))
    assert fabric.cpu == ME
