"""The benchmarks' compiled program: pirace's own, and beside it the loops of ``bench.bare`` and ``bench.emulated``.

One program, one fork server: contenders take turns in processes of the same kind.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench import bare, emulated
from bench.bare import TICKS, bare_main
from bench.options import BenchError
from emu import PROTOCOL
from hosts.compiler.cache import default_folder
from hosts.compiler.fingerprint import key_of
from hosts.compiler.object_file import Image
from hosts.loader.program import load_program
from hosts.native.codegen import symbols
from hosts.native.memory.layout import DONE
from hosts.native.memory.region import SharedMemory
from hosts.native.process.configuration import Configuration
from hosts.native.process.forkserver import Root
from hosts.native.process.supervised_run import Setup
from hosts.native.process.supervisor import Supervisor
from hosts.native.program import root
from hosts.native.program.build import LIVE, TAKE_INTERRUPT

ROLE_NOTIFIED: Final = 16
ROLE_SELF_POSTS: Final = 17
"""Roles besides the product's own; those of bench.bare come after them."""

ROOT: Final = "bench_main"
KEPT: Final = 4
"""Programs that are kept."""
_SECONDS: Final = 120.0
_CALIBRATION: Final = 100_000_000
_DEPTH: Final = 10_000


def bench_main(role: int, argument: int) -> int:
    """Dispatch on the role: the product's, or one of the loops."""
    result = 0
    if role == TAKE_INTERRUPT:
        common_interrupt()  # type: ignore[name-defined]  # noqa: F821 - the program's
    elif role == LIVE:
        live()  # type: ignore[name-defined]  # noqa: F821
    elif role == ROLE_NOTIFIED:
        result = notified_deliveries(argument)  # type: ignore[name-defined]  # noqa: F821
    elif role == ROLE_SELF_POSTS:
        result = self_posts(argument)  # type: ignore[name-defined]  # noqa: F821
    else:
        result = bare_main(role, argument)
    return result


# --- building and loading ----------------------------------------------------------------------------------------


def build() -> Path:
    """Return the object file, compiled now if something has changed."""
    own = [Path(str(module.__file__)).read_bytes() for module in (bare, emulated, sys.modules[__name__])]
    key = hashlib.sha256(b"".join([key_of(None)[1].encode(), *own])).hexdigest()[:40]
    folder = default_folder().with_name("pirace-bench")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{key}.o"
    if not path.exists():
        print("compiling the benchmarks' program", file=sys.stderr, flush=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            file.write(_compiled())
        Path(file.name).replace(path)
        for old in sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)
    return path


def _compiled() -> bytes:
    sys.setrecursionlimit(_DEPTH)
    loaded = load_program(modules=(*PROTOCOL, emulated.__name__))
    unit = root.unit_of(loaded, roots={ROOT: bench_main})
    unit.compile()
    named = symbols.symbols()
    return unit.object_code({name: named[name] for name in root.FIXED}, named)


def load(path: str) -> int:
    """Load the program into the fork server for good; return the root's address."""
    image = Image(Path(path).read_bytes(), symbols.symbols())
    _loaded.append(image)
    return image.address(ROOT)


_loaded: list[Image] = []


# --- running -----------------------------------------------------------------------------------------------------


class Bench:
    """Runs the loops, each in fresh pCPU processes."""

    def __init__(self, running: Supervisor) -> None:
        self.running = running
        self._ticks_a_second = self._calibrated()

    def seconds(self, role: int, count: int, pcpus: int, setup: Setup | None = None, timed: int | None = None) -> float:
        """Run a loop ``count`` times; return the seconds that pCPU ``timed`` (the last) says it took, each."""
        memory = self._run(role, count, pcpus, setup, pcpus - 1 if timed is None else timed)
        ticks = memory.read(memory.host.cpus[pcpus - 1 if timed is None else timed].result)
        if ticks <= 0:
            raise BenchError(f"the loop of role {role} did not do what it was to do")
        return ticks / self._ticks_a_second / count

    def _run(self, role: int, argument: int, pcpus: int, setup: Setup | None, timed: int) -> SharedMemory:
        wanted = Configuration(pcpus=pcpus, seconds=_SECONDS, role=role, argument=argument)
        outcome = self.running.run(
            wanted, setup=setup, enough=lambda memory: memory.read(memory.host.cpus[timed].phase) >= DONE
        )
        if outcome.cancelled:
            raise KeyboardInterrupt
        if outcome.crash is not None:
            raise BenchError(f"role {role}: {outcome.crash}")
        return outcome.memory

    def _calibrated(self) -> float:
        """Ask the machine how many ticks of the time stamp counter a second has."""
        memory = self._run(TICKS, _CALIBRATION, 1, None, 0)
        return memory.read(memory.host.cpus[0].result) / (_CALIBRATION / 1e9)


@contextlib.contextmanager
def bench() -> Iterator[Bench]:
    """Yield the program, compiled if need be, with a fork server."""
    with Supervisor(Root(f"{__name__}:load", str(build()))) as running:
        yield Bench(running)
