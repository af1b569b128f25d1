"""Benchmark: functions in C against the same in Python, raced and explored."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.options import BenchError, Options
from bench.pirace import scenario_by_name
from bench.probe import Probe
from bench.report import Report
from bench.selfpost import in_run_loop
from bench.series import compare, interleave
from emu.machine import ELIDE_SELF_2022
from hosts.explorer.build import Builder
from hosts.explorer.model.options import Options as Switches
from hosts.explorer.refine import explore
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import load_program
from hosts.loader.user_code import CodeSpec, UserCode, read_code
from hosts.native.process.forkserver import Root
from hosts.native.process.supervisor import Supervisor
from hosts.native.program.build import LOADER, build

FORMS: Final = Path(__file__).parents[2] / "tests" / "c_forms"
NAMES: Final = ("deliver", "kick", "check_block")
"""The functions that are replaced, all at once. The harvests are left out: the one in C looks at the APIC's registers
by 32 bits, as the kernel does, and the one in Python at words."""
AT_LEAST: Final = 0.95
POLICY: Final = "elide-self-2022"
EXPLORED: Final = (("device-irq", None), ("kick", None))


def forms() -> dict[str, UserCode]:
    """Return the same functions in either language."""
    in_c = CodeSpec(kernel=":".join(str(FORMS / f"{name}.c") for name in NAMES))
    in_python = CodeSpec(patches=tuple(str(FORMS / f"{name}.py") for name in NAMES))
    found = {name: read_code(spec) for name, spec in (("C", in_c), ("Python", in_python))}
    return {name: code for name, code in found.items() if code is not None}


def raced(language: str, seconds: float) -> float:
    """Race in a process of its own, since one process runs one program; return ns for one self-post."""
    command = [sys.executable, "-m", "bench.cforms", language, str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{language}: {done.stderr.strip()}")
    return float(done.stdout)


def main(language: str, seconds: str) -> None:
    """Print ns for one self-post of the program in one language."""
    built = build(forms()[language])
    with contextlib.closing(built), Supervisor(Root(LOADER, built.path)) as running:
        print(in_run_loop(running, POLICY, float(seconds)))


def exploring(code: UserCode) -> float:
    """Return the processor seconds of a search, what it learns of the threads included."""
    program = load_program(code)
    begun = time.process_time()
    for scenario, scope in EXPLORED:
        explore(Builder(program, scope_of(scenario_by_name(scenario), scope), ELIDE_SELF_2022), Switches())
    return time.process_time() - begun


def benchmark(options: Options) -> Report:
    """Race and explore both."""
    report = Report("cforms", f"{', '.join(NAMES)}: in C against the same in Python")
    seconds = options.seconds(1.0, quick=0.3)
    codes = forms()

    def racing(language: str) -> Callable[[], float]:
        return lambda: raced(language, seconds)

    for language in codes:
        raced(language, seconds)  # compiles
    races = interleave({f"raced, in {name}": racing(name) for name in codes}, "ns", options.repeats(9), Probe())

    def searching(code: UserCode) -> Callable[[], float]:
        return lambda: exploring(code)

    searches = {f"explored, in {name}": searching(code) for name, code in codes.items()}
    explored = interleave(searches, "s", options.repeats(3), lambda: None)
    report.add(*races.values(), *explored.values())
    report.targets += [
        compare("raced: Python's time / C's", races["raced, in Python"], races["raced, in C"], AT_LEAST, at_least=True),
        compare(
            "explored: Python's time / C's",
            explored["explored, in Python"],
            explored["explored, in C"],
            AT_LEAST,
            at_least=True,
        ),
    ]
    report.remarks += [
        "Raced: processor time for each self-post in the whole run loop, scenario tscdeadline-immed.",
        "Explored: device-irq and kick, from a program that nothing is known of.",
    ]
    return report


if __name__ == "__main__":
    main(*sys.argv[1:])
