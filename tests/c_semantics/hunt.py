"""Looks for faults by hand, in new functions and in mangled texts: ``python -m tests.c_semantics.hunt --help``."""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import traceback
from collections import Counter

from hosts.loader.c.translate import CError
from tests.c_semantics import corpus, running
from tests.c_semantics.corpus import Case
from tests.c_semantics.generate import drawn
from tests.c_semantics.generator import oracle
from tests.c_semantics.generator.constructs import CONSTRUCTS
from tests.c_semantics.generator.shape import Function
from tests.c_semantics.mangling import Mangler, last_function

STUCK_AFTER = 20
"""Seconds for one text."""


def against_gcc(seed: int, constructs: list[str], most: int) -> None:
    """Compare new functions of a seed."""
    for construct in constructs:
        cases = oracle.results(drawn(construct, seed, most), construct)
        loaded = running.load({case.name: case.text.encode() for case in cases})
        wrong = list(running.differences(cases, loaded))
        told(construct, cases, loaded, wrong)


def told(construct: str, cases: list[Case], loaded: running.Loaded, wrong: list[str]) -> None:
    """Print what came of one construct."""
    print(f"{construct:15} {len(cases)} functions, {len(loaded.refused)} refused, {len(wrong)} wrong")
    for reason, count in Counter(error.reason for error in loaded.refused.values()).most_common(12):
        print(f"    {count:4} {reason}")
    for each in sorted(wrong, key=len)[:3]:
        print(each)


def mangled(seed: int, count: int, *, compared: bool) -> None:
    """Feed mangled texts; with ``compared``, what is translated is held against gcc."""
    cases = {case.name: case for case in corpus.read()}
    mangler = Mangler(random.Random(seed), [case.text.encode() for case in cases.values()])
    ends: Counter[str] = Counter()
    taken: list[tuple[str, Case]] = []
    for n in range(count):
        text = mangler.text()
        name = last_function(text)
        end = outcome(name, text)
        ends[end.partition(":")[0]] += 1
        if end not in ("taken", "refused"):
            print(f"--- case {n} of seed {seed}: {end}\n{text!r}", flush=True)
        elif end == "taken" and compared and name in cases:
            taken.append((text.decode("latin-1"), cases[name]))
    print(dict(ends))
    for text, case in taken:
        compare(text, case)


def outcome(name: str, text: bytes) -> str:
    """Translate one function of a text."""
    signal.signal(signal.SIGALRM, stuck)
    signal.alarm(STUCK_AFTER)
    try:
        loaded = running.load({name: text})
    except CError:
        return "refused"
    except Exception:  # noqa: BLE001 - this is what is looked for
        return f"fault: {traceback.format_exc()}"
    finally:
        signal.alarm(0)
    return "refused" if name in loaded.refused else "taken"


def stuck(_number: int, _frame: object) -> None:
    """End what takes too long."""
    raise TimeoutError("takes too long")


def compare(text: str, case: Case) -> None:
    """Hold a text that was translated against what gcc makes of it."""
    function = Function(case.name, case.result, case.parameters, text)
    try:
        made = oracle.results([function], case.construct)
    except oracle.CompilerError as error:
        print(f"--- gcc does not take it: {str(error)[:300]}\n{text}", flush=True)
        return
    except subprocess.SubprocessError:
        return  # it does not come to an end
    for one in made:
        for wrong in running.differences([one], running.load({case.name: text.encode("latin-1")})):
            print(f"--- {wrong}", flush=True)


def main() -> None:
    """Look for faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["gcc", "mangled", "compared"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--construct", choices=sorted(CONSTRUCTS), action="append")
    parser.add_argument("--count", type=int, default=100)
    given = parser.parse_args()
    if given.what == "gcc":
        against_gcc(given.seed, given.construct or list(CONSTRUCTS), given.count)
    else:
        mangled(given.seed, given.count, compared=given.what == "compared")


if __name__ == "__main__":
    main()
