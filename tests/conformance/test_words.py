"""Every primitive on words means on every host what it means on the plain one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from emu.machine import Machine
from emu.memory import WORD_BYTES
from hosts.sequential import SequentialHost
from hosts.word64 import signed
from tests.conformance import explorer, native, replay
from tests.conformance.primitives import FUNCTIONS, numbers

pytestmark = pytest.mark.timeout(90)  # a program of thirty functions takes 3 s to compile


class Words(Protocol):
    """One function on a host, whose first argument is the first of four words of a PIR."""

    every: int
    """Each so manieth case is tried."""

    def call(self, words: Sequence[int], a: int, b: int) -> tuple[int, dict[int, int]]:
        """Return its result, and the words afterwards that the host knows, counted from the first argument."""

    def end(self) -> None:
        """Check what has to hold after all cases."""


HOSTS: dict[str, Callable[[Path, str], Words]] = {
    "native": lambda _, name: native.Words(name),
    "explorer, shared words": lambda folder, name: explorer.Words(folder, name, shared=True),
    "explorer, private words": lambda folder, name: explorer.Words(folder, name, shared=False),
    "replay, shared words": lambda _, name: replay.Words(name, shared=True),
    "replay, private words": lambda _, name: replay.Words(name, shared=False),
}


def exists(host: str, name: str) -> bool:
    """Return whether a host has this case: only the loader writes ``mutated``, and private words are never shared."""
    if not host.startswith("explorer"):
        return True
    return name != "call_mutated" and not ("shared" in host and name.startswith("call_local"))


@pytest.mark.parametrize(("host", "name"), [(host, name) for host in HOSTS for name in FUNCTIONS if exists(host, name)])
def test_it_means_what_it_means_on_the_plain_host(folder: Path, host: str, name: str) -> None:
    """Result and memory agree, and no other word changes."""
    words_of = HOSTS[host](folder, name)
    plain = SequentialHost()
    at = plain.machine.vcpus[1].pi_desc.pir[0]
    for word, a, b in list(numbers(len(name)))[:: words_of.every]:
        words = [signed(word * (2 * i + 1)) for i in range(4)]
        for i, value in enumerate(words):
            plain.store(at + i * WORD_BYTES, value)
        with plain:
            expected = signed(FUNCTIONS[name](at, a, b))
        result, after = words_of.call(words, a, b)
        assert signed(result) == expected, (word, a, b)
        assert after == {i: plain.load(at + i * WORD_BYTES) for i in after}, (word, a, b)
    words_of.end()


def test_one_mutation_is_selected() -> None:
    """``mutated`` compares with the word in the machine's configuration."""
    compiled = native.compiled()
    selected = Machine(0).config.mutation // 8
    for number in (0, 1, 2):
        compiled.words[selected] = number
        assert [compiled.call_mutated(0, 0, 0), compiled.call_mutated(0, 1, 0)] == [number == 0, number == 1]
    compiled.words[selected] = 0
