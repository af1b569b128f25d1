"""Words of the machine in C: fields, elements, registers and bits become the primitives of the waist."""

from __future__ import annotations

import pytest

from tests.unit.c.device import python, translated

ACCESSES = {
    # loads and stores
    "return d->mode;": "return READ_ONCE(d.mode)",
    "return READ_ONCE(d->mode);": "return READ_ONCE(d.mode)",
    "d->mode = 1; return 0;": "WRITE_ONCE(d.mode, 1)\nreturn 0",
    "WRITE_ONCE(d->mode, v); return 0;": "WRITE_ONCE(d.mode, v)\nreturn 0",
    "d->count++; return 0;": "local_write(d.count, wrap_s32(local_read(d.count) + 1))\nreturn 0",
    "return smp_load_acquire(&d->mode);": "return smp_load_acquire(d.mode)",
    "smp_store_release(&d->mode, 1); return 0;": "smp_store_release(d.mode, 1)\nreturn 0",
    "smp_store_mb(d->mode, 1); return 0;": "WRITE_ONCE(d.mode, 1)\nsmp_mb()\nreturn 0",
    "return atomic_read(&d->count);": "return local_read(d.count)",
    # locked operations
    "return xchg(&d->mode, 2);": "return xchg(d.mode, 2)",
    "return cmpxchg(&d->mode, 1, 2);": "return cmpxchg(d.mode, 1, 2)",
    "set_bit(3, (unsigned long *)&d->events); return 0;": "set_bit(3, d.events)\nreturn 0",
    "return test_and_clear_bit(v & 7, &d->events);": "return test_and_clear_bit(v & 7, d.events)",
    "return test_bit(2, &d->events);": "return 1 if READ_ONCE(d.events) & 4 != 0 else 0",
    "smp_mb(); smp_wmb(); smp_rmb(); cpu_relax(); return 0;": "smp_mb()\nsmp_wmb()\nsmp_rmb()\ncpu_relax()\nreturn 0",
    # elements of words
    "return d->wide[1] == 3;": "return 1 if READ_ONCE(d.queue[1]) == 3 else 0",
    "return d->queue[2];": "return wrap_s32(READ_ONCE(d.queue[1]) & 4294967295)",
    "return d->queue[3];": "return wrap_s32(READ_ONCE(d.queue[1]) >> 32 & 4294967295)",
    "return xchg(&d->queue[5], 0) != 0;": "return 1 if take_half(d.queue[2], 1) != 0 else 0",
    "return test_and_set_bit(v & 255, (unsigned long *)d->queue);": (
        "return test_and_set_bit(v & 255 & 63, d.queue[(v & 255) >> 6])"
    ),
    # registers and parts of words
    "return *((u32 *)(d->part.regs + 0x80)) > 5;": "return 1 if local_read(d.priority) > 5 else 0",
    "return *((u32 *)(d->part.regs + 0x200 + 3 * 0x10)) != 0;": (
        "return 1 if local_read(d.apic.regs[1]) >> 32 & 4294967295 != 0 else 0"
    ),
    "return d->desc.nv;": "return READ_ONCE(d.desc.control) >> 16 & 255",
    "return to_desc(d)->on;": "return READ_ONCE(d.desc.control) & 1",
    # calls
    "return ring(d, v);": "return ring(d, v)",
    "return ops.ring(d, v) && feature;": "return 1 if ring(d, v) != 0 else 0",
    "return static_call(ring)(d, 1);": "return ring(d, 1)",
    "ring_quietly(d, v && 0); return 0;": "ring(d, 7)\nreturn 0",
    "return claim(&d->mode);": "return claim(d.mode)",
    "return probably(d->mode == 1);": "return 1 if READ_ONCE(d.mode) == 1 else 0",
    "return d == current_dev();": "return 1 if d == current_dev() else 0",
    "return this_cpu(clock) == 3;": "return 1 if clock() == 3 else 0",
    "trace_dev(d, v); d->stat.hits++; d->stat.last = v; return nested(d);": "return 0",
}
"""Statements of a function of a device and an int, and what they become."""


@pytest.mark.parametrize("statements", ACCESSES)
def test_an_access_becomes_the_primitive_of_its_kind(statements: str) -> None:
    """One access in C is one access here, of the whole word."""
    made = python(f"int f(struct dev *d, int v)\n{{\n{statements}\n}}\n")
    assert made == ACCESSES[statements]


def test_a_register_is_put_into_its_half_of_a_private_word() -> None:
    """The other half stays."""
    made = python("void f(struct dev *d, u32 v)\n{\n*((u32 *)(d->part.regs + 0x210)) = v;\n}\n")
    assert made == ("local_write(d.apic.regs[0], local_read(d.apic.regs[0]) & 4294967295 | shift_left(v, 32))")


def test_an_exchange_that_may_fail_keeps_what_it_found() -> None:
    """The old value is where the caller's was, whether it was done or not."""
    made = python(
        "int f(struct dev *d)\n{\nint old = 1;\nif (try_cmpxchg(&d->mode, &old, 2)) return -1;\nreturn old;\n}\n"
    )
    assert "was = cmpxchg(d.mode, 1, 2)" in made
    assert made.endswith("return old")


def test_a_loop_that_goes_through_an_array_is_unrolled() -> None:
    """Each turn names its word: nothing is computed at run time that C computes for the address only."""
    made = python(
        "int f(struct dev *d)\n{\nint i, n = 0;\nfor (i = 0; i < 4; i++)\nif (d->wide[i])\nn++;\nreturn n;\n}\n"
    )
    assert [f"READ_ONCE(d.queue[{i}])" in made for i in range(4)] == [True] * 4
    assert "while" not in made
    assert "wrap" not in made


def test_a_variable_element_is_looked_up_at_run_time() -> None:
    """Half of a word by its number, with a shift that is computed."""
    made = python("u32 f(struct dev *d, int i)\n{\nreturn d->queue[i & 7];\n}\n")
    assert made == "return shift_right(READ_ONCE(d.queue[(i & 7) >> 1]), (i & 7 & 1) * 32) & 4294967295"


def test_a_local_struct_is_its_words() -> None:
    """Fields that share a word are parts of one local."""
    made = python(
        "void f(struct dev *d, u8 v)\n{\nstruct desc old, new;\n"
        "old.control = READ_ONCE(d->desc.control);\nnew = old;\nnew.nv = v;\nnew.on = 0;\n"
        "cmpxchg(&d->desc.control, old.control, new.control);\n}\n"
    )
    assert "READ_ONCE(d.desc.control)" in made
    assert made.endswith("cmpxchg(d.desc.control, old_control, new_control)")
    assert made.count("READ_ONCE") == 1


def test_an_out_parameter_is_the_callers_local() -> None:
    """The function is inlined; a pointer to a local exists only while translating."""
    made = translated(
        "static bool highest(u64 w, int *max)\n{\n*max = -1;\nif (!w)\nreturn false;\n"
        "*max = __fls(w);\nreturn true;\n}\n"
        "int f(u64 w)\n{\nint max;\nif (highest(w, &max))\nreturn max;\nreturn -2;\n}\n"
    )
    assert list(made.functions) == ["f"]
    assert [(each.function, each.fate.value) for each in made.reports] == [("f", "translated"), ("highest", "inlined")]


def test_a_function_of_values_is_one_of_the_program() -> None:
    """It is called once it is made; its lines are its own."""
    made = translated(
        "static int twice(struct dev *d, int v)\n{\nint r = ring(d, v);\nif (r)\nr += ring(d, v);\nreturn r;\n}\n"
        "int f(struct dev *d, int v)\n{\nreturn twice(d, v);\n}\n"
    )
    assert set(made.functions) == {"f", "twice"}
    assert [made.functions[name].lineno for name in ("f", "twice")] == [8, 1]
