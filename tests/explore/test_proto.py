"""The small program proto(senders, entries) of the published comparison, against GenMC's and Nidhugg's verdicts.

What the explorer says of it is held against what two independent model checkers say under TSO and SC; its distinct
outcomes (final memory and what each thread read) against an interpreter, and that against their count of executions.
"""

from __future__ import annotations

import ast
import textwrap
from dataclasses import replace
from functools import cache
from typing import Final

import pytest

from emu.workload.program import GUEST_CPUID
from hosts.explorer.build import Builder
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.threads.harness import Scope
from hosts.explorer.threads.primitives import direct
from hosts.explorer.threads.protocol import Protocol
from hosts.loader.program import Program, load_program
from tests.explore.interpreter import PROGRAMS, SHAPE, Outcome, Shape, executions, interpreted, wrong

PIR, ON, MODE, IPI = (-8 * place for place in range(1001, 1005))
"""Words outside of the machine, so that nothing else is made of them."""
READ: Final = -8 * 2000
"""Below it, a word for each thread: what it read, a digit of base 4 for each answer."""
BUFFER: Final = 4

SENDER = """
def thread_{thread}():
    was_set = test_and_set_bit({bit}, {PIR})
    read = 1 + was_set
    if was_set == 0:
        on = xchg({ON}, 1)
        read = read * 4 + 1 + on
        if on == 0:
            mode = smp_load_acquire({MODE})
            read = read * 4 + 1 + mode
            if mode == 1:
                smp_store_release({IPI}, 1)
    mark({READ}, read)
"""
VCPU = """
def thread_0():
    read = 0
    for entry in range({entries}):
        smp_store_release({MODE}, 1)
        {barrier}
        on = smp_load_acquire({ON})
        read = read * 4 + 1 + on
        if on != 0:
            xchg({ON}, 0)
            pir = xchg({PIR}, 0)
            read = read * 4 + pir
        ipi = smp_load_acquire({IPI})
        read = read * 4 + 1 + ipi
        if ipi != 0:
            xchg({IPI}, 0)
            xchg({ON}, 0)
            pir = xchg({PIR}, 0)
            read = read * 4 + pir
        if entry != {entries} - 1:
            smp_store_release({MODE}, 0)
    mark({READ}, read)
"""
SHAPE_SENDER = """
def thread_1():
    was_on = xchg({ON}, 1)
    mode = smp_load_acquire({MODE})
    mark({READ}, 1 + mode)
"""
SHAPE_VCPU = """
def thread_0():
    smp_store_release({MODE}, 1)
    {barrier}
    on = smp_load_acquire({ON})
    mark({READ}, 1 + on)
"""


# --- by the explorer --------------------------------------------------------------------------------------------------


def source(shape: Shape, *, barrier: bool) -> dict[str, ast.FunctionDef]:
    """Write the program in the waist's primitives."""
    names = {"PIR": PIR, "ON": ON, "MODE": MODE, "IPI": IPI, "barrier": "smp_mb()" if barrier else "pass"}
    vcpu, sender = (VCPU, SENDER) if shape.entries else (SHAPE_VCPU, SHAPE_SENDER)
    texts = [
        vcpu.format(**names, entries=shape.entries, READ=READ),
        *(
            sender.format(**names, thread=thread, bit=thread - 1, READ=READ - 8 * thread)
            for thread in range(1, shape.senders + 1)
        ),
    ]
    functions = [ast.parse(textwrap.dedent(text)).body[0] for text in texts]
    return {each.name: each for each in functions if isinstance(each, ast.FunctionDef)}


@cache
def primitives() -> Program:
    """Return the primitives alone: of the protocol nothing is called here, and cutting it up takes its time."""
    return replace(load_program(), functions={}, trees={})


@cache
def explored(shape: Shape, buffer: int, *, barrier: bool, reduce: bool) -> frozenset[Outcome]:
    """Return every outcome that the explorer finds."""
    program = primitives()
    builder = Builder(program, Scope((("post:34",),) * shape.senders, (GUEST_CPUID,)), policy=0)
    builder.protocol = Protocol(program, source(shape, barrier=barrier), direct(builder.world))
    threads = range(shape.senders + 1)
    results = [READ - 8 * thread for thread in threads]
    for word in (PIR, ON, MODE, IPI, *results):
        builder.world.words.share(word, threads)
    options = Options(buffer=buffer, reduce=reduce, keep_finals=True, progress_check=False)
    result, _, _ = explore(builder, options)
    assert result.complete
    numbers = builder.world.words.shared
    found = [{word: memory[number] for word, number in numbers.items()} for _, memory in result.finals]
    return frozenset(
        Outcome(tuple(memory[word] for word in (PIR, ON, MODE, IPI)), tuple(memory[word] for word in results))
        for memory in found
    )


# --- the tests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduce", [True, False], ids=["reduced", "whole"])
@pytest.mark.parametrize("barrier", [True, False], ids=["barrier", "none"])
@pytest.mark.parametrize("buffer", [BUFFER, 0], ids=["tso", "sc"])
@pytest.mark.parametrize("shape", PROGRAMS, ids=str)
def test_the_explorer_finds_what_brute_force_finds(shape: Shape, buffer: int, *, barrier: bool, reduce: bool) -> None:
    """Every outcome, and no other, with the reductions and without."""
    found = explored(shape, buffer, barrier=barrier, reduce=reduce)
    assert found == interpreted(shape, buffers=buffer != 0, barrier=barrier)
    assert any(wrong(shape, outcome) for outcome in found) == (buffer != 0 and not barrier)


OUTCOMES: Final = {
    SHAPE: (3, 4),
    Shape(1, 1): (5, 6),
    Shape(1, 2): (10, 11),
    Shape(2, 1): (35, 37),
    Shape(2, 2): (145, 164),
}
"""Distinct outcomes under TSO, with the barrier and without; under SC, with it and without it, as the first."""


@pytest.mark.parametrize("shape", PROGRAMS, ids=str)
def test_the_number_of_outcomes_is_as_counted(shape: Shape) -> None:
    """Also under sequential consistency, where the barrier makes no difference."""
    with_barrier, without = OUTCOMES[shape]
    for buffer, barrier, wanted in ((BUFFER, True, with_barrier), (BUFFER, False, without), (0, False, with_barrier)):
        assert len(explored(shape, buffer, barrier=barrier, reduce=True)) == wanted


PUBLISHED: Final = {SHAPE: 3, Shape(1, 1): 5, Shape(1, 2): 15, Shape(2, 1): 106, Shape(2, 2): 838}
"""Executions that GenMC and Nidhugg count, with the barrier."""


@pytest.mark.parametrize("shape", PROGRAMS, ids=str)
def test_the_interpreter_has_the_published_number_of_executions(shape: Shape) -> None:
    """So the programs here are those that were compared."""
    assert executions(shape) == PUBLISHED[shape]
