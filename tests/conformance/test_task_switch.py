"""What compiled code knows of its pCPU it reads again behind every point at which its task may have changed it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hosts.native
from emu.memory import Word
from emu.waist import interrupt_point, switch_to, this_cpu_ptr
from hosts.compiler.unit import Unit
from hosts.native.codegen.intrinsics import load_constant, local_address
from hosts.native.memory import region
from hosts.native.memory.addresses import DOORBELL_AT, LOCAL_AT, MEMORY_AT
from hosts.native.memory.mapping import words_at
from hosts.native.memory.private_words import Local
from hosts.native.process import pcpu
from hosts.native.program import root
from tests.compiled import instructions

PLACES = {"pirace_local": LOCAL_AT, "pirace_memory": MEMORY_AT, "pirace_doorbell": DOORBELL_AT}
BEHIND = re.compile(r"call\w* .*attention|jmpq \*%rax")
"""What the task may come back from on another pCPU."""


def around_a_switch(prev: Word, following: Word) -> int:
    """Use the pCPU's address on both sides of a switch."""
    before = this_cpu_ptr()
    switch_to(prev, following)
    return before - this_cpu_ptr()


def around_a_point(word: Word, value: int) -> int:
    """Use it on both sides of an interrupt point."""
    before = this_cpu_ptr()
    interrupt_point(1)
    return before - this_cpu_ptr()


SHAPES = (around_a_switch, around_a_point)


def constant_cpu_ptr() -> int:
    """Read the address as what never changes, which it does when the task migrates."""
    return load_constant(Local(local_address()).pcpu_at)


def read_again(assembly: str, name: str) -> bool:
    """Return whether the address is read from memory behind the point at which the task may have migrated."""
    code = instructions(assembly, name)
    behind = max(number for number, text in enumerate(code) if BEHIND.search(text))
    place = re.compile(rf"\b{int(Local(LOCAL_AT).pcpu_at)}\b")
    return any(place.search(text) for text in code[behind:])


def assembly_of(this_cpu: Callable[[], int]) -> str:
    """Compile the shapes with one way to read the address."""
    shapes = {shape.__name__: shape for shape in SHAPES}
    unit = Unit(shapes, {**root.host_functions(), this_cpu_ptr: this_cpu}, unrolled=False)
    unit.compile()
    return unit.assembly(PLACES)


def test_the_own_pcpu_is_read_again_where_a_task_may_have_migrated() -> None:
    """LLVM keeps no copy of it; of a word that is called constant it does, so this test would see it."""
    assembly, mistaken = assembly_of(root.this_cpu_ptr), assembly_of(constant_cpu_ptr)
    for shape in SHAPES:
        assert read_again(assembly, shape.__name__)
        assert not read_again(mistaken, shape.__name__)


def test_no_word_that_differs_by_process_is_read_as_a_constant() -> None:
    """Two pCPUs of one run fill their private words in; what differs is read as what may change."""
    region.reserve()
    with region.SharedMemory() as memory:
        region.map_machine(memory.fd)
        first, second = filled(0), filled(1)
    constants = read_as_constants()
    assert {"run_at", "root_at", "pcpus"} <= constants
    differing = {name for name in Local.fields if first[name] != second[name]}
    assert {"pcpu_at", "own_at", "irq_enabled_at", "ring_at", "cpu", "pull", "middle"} <= differing
    assert not constants & differing


def filled(cpu: int) -> dict[str, list[int]]:
    """Return the private words of a pCPU, by name."""
    local = region.local()
    words_at(local.at, Local.nbytes // 8)[:] = 0
    sockets = [SimpleNamespace(underlying=1000 * (cpu + 1) + number) for number in range(3)]
    fabric: Any = SimpleNamespace(pull=sockets[2], push=sockets[:2])
    own = region.host_words().cpus[cpu]
    pcpu.fill_local(pcpu.PcpuArguments(None, "", 1, cpu, 2, 0, 0, None), fabric, region.host_words().run, own)
    return {name: words_at(local.at + field.offset, field.nbytes // 8).tolist() for name, field in Local.fields.items()}


def read_as_constants() -> set[str]:
    """Return the private words that compiled code reads once and for all, by what its sources say."""
    (folder,) = map(Path, hosts.native.__path__)
    calls = [
        node
        for file in folder.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "load_constant"
    ]
    words = [call.args[0] for call in calls]
    assert all(isinstance(word, ast.Attribute) for word in words), list(map(ast.unparse, words))
    return {word.attr for word in words if isinstance(word, ast.Attribute)}
