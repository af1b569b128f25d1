"""What a C compiler makes of functions: their results, and the inputs for which C defines none."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.c_semantics import inputs
from tests.c_semantics.corpus import Case
from tests.c_semantics.generator.shape import Function

PRELUDE: Final = r"""
#include <stdint.h>
#include <stdio.h>
#include <stdbool.h>
#include <setjmp.h>
#include <signal.h>
typedef uint8_t u8; typedef int8_t s8; typedef uint16_t u16; typedef int16_t s16;
typedef uint32_t u32, __u32; typedef int32_t s32;
typedef unsigned long long u64; typedef long long s64;
struct control {
	union {
		struct { u16 on : 1, sn : 1, spare : 14; u8 nv, spare2; u32 ndst; };
		u64 word;
	};
};
"""
"""The kernel's types, and a word that is seen as fields."""

DRIVER: Final = r"""
static sigjmp_buf undefined;
static void caught(int number) { siglongjmp(undefined, number); }

int main(void)
{
	struct sigaction action = { .sa_handler = caught, .sa_flags = SA_NODEFER };

	sigaction(SIGILL, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	for (int f = 0; f < sizeof(functions) / sizeof(functions[0]); f++)
		for (int i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			volatile u64 result[2] = { 0, 1 };

			if (!sigsetjmp(undefined, 1))
				result[0] = functions[f](words[i][0], words[i][1], words[i][2], words[i][3]);
			else
				result[1] = 0;
			fwrite((void *)result, 8, 2, stdout);
		}
	return 0;
}
"""

DIALECT: Final = ("-std=gnu11", "-w", "-fwrapv", "-fno-strict-aliasing", "-fno-strict-overflow")
"""The kernel's: signed numbers wrap."""
SANITISED: Final = (
    "-O0",
    "-fsanitize=shift-exponent,integer-divide-by-zero,bounds,null,unreachable,return,bool",
    "-fsanitize-undefined-trap-on-error",
)
BUILDS: Final = (SANITISED, ("-O0",), ("-O1",), ("-O2",))

LEAST_DEFINED: Final = inputs.INPUTS // 4

Table = list[list[tuple[int, int]]]
"""For each function and input the result, and 1 if there is one."""


class CompilerError(Exception):
    """The compiler does not take a function, or its builds disagree about one."""


def results(functions: Sequence[Function], construct: str = "") -> list[Case]:
    """Compile and run functions; leave out those for which C defines few results."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "functions.c")
        source.write_text(_source(functions), encoding="utf-8")
        with ThreadPoolExecutor(2) as pool:
            tables = list(pool.map(lambda n: _run(source, n), range(len(BUILDS))))
    cases = [_case(function, construct, [table[i] for table in tables]) for i, function in enumerate(functions)]
    return [case for case in cases if case.defined.bit_count() >= LEAST_DEFINED]


def _source(functions: Sequence[Function]) -> str:
    words = ",\n".join("{" + ", ".join(f"{word:#x}ULL" for word in given) + "}" for given in inputs.words())
    parts = [PRELUDE, *(_called(function) for function in functions)]
    parts.append("static u64 (*functions[])(u64, u64, u64, u64) = {")
    parts += [f"call_{function.name}," for function in functions]
    return "\n".join([*parts, "};", f"static u64 words[][4] = {{\n{words}\n}};", DRIVER])


def _called(function: Function) -> str:
    """Return a function, and one that calls it with words."""
    given = ", ".join(f"({width.name})w{i}" for i, width in enumerate(function.parameters))
    call = f"return (u64)(s64){function.name}({given});"
    return f"{function.text}static u64 call_{function.name}(u64 w0, u64 w1, u64 w2, u64 w3) {{ {call} }}\n"


def _run(source: Path, build: int) -> Table:
    program = source.with_name(f"program{build}")
    command = ["gcc", *DIALECT, *BUILDS[build], source, "-o", program]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode:
        raise CompilerError(built.stderr[:4000])
    out = subprocess.run([program], capture_output=True, check=True, timeout=60).stdout
    values = memoryview(out).cast("Q").tolist()
    pairs = list(zip(values[::2], values[1::2], strict=True))
    return [pairs[i : i + inputs.INPUTS] for i in range(0, len(pairs), inputs.INPUTS)]


def _case(function: Function, construct: str, builds: Table) -> Case:
    """Return a function with what all builds agree about."""
    defined = 0
    values: list[int] = []
    for n, each in enumerate(zip(*builds, strict=True)):
        if not all(is_defined for _, is_defined in each):
            continue  # some trap in one build only: the least number divided by -1
        if len(set(each)) > 1:
            raise CompilerError(f"builds disagree about input {n} of {function.name}: {each}\n{function.text}")
        defined |= 1 << n
        value = each[0][0]
        values.append(value - (1 << 64) if value >> 63 else value)
    shown, rest = values[: inputs.SHOWN], values[inputs.SHOWN :]
    return Case(
        function.name, construct, function.result, function.parameters, function.text, defined, tuple(shown),
        inputs.summed(rest),
    )  # fmt: skip
