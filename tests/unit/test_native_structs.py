"""Structs in compiled code: the same addresses and the same truths as in plain Python."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from emu.machine import Machine, PiDesc, Vcpu, machine
from emu.memory import Array, Struct, Word, Words, array, struct, word, words
from emu.waist import send_IPI
from hosts.compiler.signatures import CompileError
from tests.compiled import Compiled, unit_of

pytestmark = pytest.mark.timeout(60)  # some ten functions of two lines: 3 s, more on a crowded machine


class Inner(Struct):
    """Not line-aligned."""

    low = word()
    high = word()


class Outer(Struct, line=True):
    """Every kind of field."""

    first = word()
    some = words(3)
    apart = word(line=True)
    inner = struct(Inner)
    inners = array(Inner, 5)
    descriptors = array(PiDesc, 2)
    last = word()


def word_field(base: int, index: int) -> int:
    """Take a word's address."""
    return Outer(base).last + index


def words_element(base: int, index: int) -> int:
    """Take the address of one of some words."""
    return Outer(base).some[index]


def nested_field(base: int, index: int) -> int:
    """Go through a struct in a struct."""
    return Outer(base).inner.high + index


def array_element(base: int, index: int) -> int:
    """Go through an array of small structs."""
    return Outer(base).inners[index].high


def wide_array_element(base: int, index: int) -> int:
    """Go through an array of line-sized structs and their words."""
    return Outer(base).descriptors[index].pir[index]


def machine_field(base: int, index: int) -> int:
    """Go through the real machine."""
    return Machine(base).vcpus[index].pi_desc.control + Machine(base).pcpus[index].irq.enabled


def address_itself(base: int, index: int) -> int:
    """Return structs, words and arrays as numbers."""
    outer = Outer(base)
    return outer.inners[index].at + 3 * outer.some.at + 5 * outer.inners.at + 7 * Words(index)[2]


def truths(base: int, index: int) -> int:
    """Compare, and ask whether there is one."""
    one = Inner(base)
    other = Inner(base + index)
    result = 0
    if one == other:
        result += 1
    if one != other:
        result += 2
    if one:
        result += 4
    if not one:
        result += 8
    if Outer(base).some == Outer(base + index).some:
        result += 16
    chosen = one if index != 0 else Inner(0)
    if chosen and chosen == other:
        result += 32
    return result + 64 * bool(other)


def take(at: Words, which: Array[Inner], inner: Inner, number: Word, count: int = 2) -> Inner:
    """Take and give every kind of value."""
    return which[at[count] + inner.low + number - at[0] - inner.at]


def passed(base: int, index: int) -> int:
    """Pass every kind of value to a function, by position, by name, by default."""
    outer = Outer(base)
    by_default = take(outer.some, outer.inners, outer.inner, index)
    by_name = take(outer.some, outer.inners, number=index, inner=outer.inner, count=index)
    return by_default.at * 3 + by_name.low


FUNCTIONS: dict[str, Callable[[int, int], int]] = {
    function.__name__: function
    for function in (
        word_field,
        words_element,
        nested_field,
        array_element,
        wide_array_element,
        machine_field,
        address_itself,
        truths,
        passed,
    )
}


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    """Compile all of them."""
    return Compiled(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("base", [0, 4096, 0x1000_0000_0000])
@pytest.mark.parametrize("index", [0, 1, 4])
def test_compiled_is_plain(compiled: Compiled, name: str, base: int, index: int) -> None:
    """The same number comes out."""
    assert getattr(compiled, name)(base, index) == FUNCTIONS[name](base, index)


def test_the_machine_lies_where_the_host_says() -> None:
    """``memory()`` is a constant of the compiled program."""

    def where(index: int) -> int:
        return machine().vcpus[index].mode

    compiled = Compiled({"where": where})
    assert compiled.where(3) == Machine(compiled.base).vcpus[3].mode


def missing_field(base: int) -> int:
    """Name a field that is not there."""
    return Outer(base).nothing


def two_kinds(base: int) -> int:
    """Compare a struct with a struct of another kind."""
    return 1 if Outer(base) == Inner(base) else 0


def a_struct_for_a_word(base: int) -> int:
    """Return a struct where a number belongs."""
    return given(Outer(base))


def given(number: int) -> int:
    """Take a number."""
    return number + 1


def unsigned(base: int) -> int:
    """Make a number that is no signed word."""
    return base & 0xFFFF_FFFF_FFFF_FFFF


def fraction(base: int) -> int:
    """Divide into a fraction."""
    return int(base / 3)


def second_meaning(base: int) -> int:
    """Let one name be a number and a struct."""
    thing = base
    if base != 0:
        thing = Outer(base)
    return thing


def not_a_word(base: float) -> int:
    """Take what no word holds."""
    return int(base)


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (missing_field, "nothing"),
        (two_kinds, "Outer"),
        (a_struct_for_a_word, "Outer"),
        (unsigned, "uint64; a word is a signed 64-bit number"),
        (fraction, "float64; a word is a signed 64-bit number"),
        (second_meaning, "thing"),
        (not_a_word, "base is a <class 'float'>"),
    ],
)
def test_what_would_differ_is_refused(function: Callable[..., int], complaint: str) -> None:
    """A compile error names file, line and function instead of code that means something else."""
    with pytest.raises(CompileError) as caught:
        unit_of({"function": function})
    assert complaint in str(caught.value)
    assert f"test_native_structs.py:{function.__code__.co_firstlineno}: {function.__name__}" in str(caught.value)


def tree(depth: int) -> int:
    """Call itself twice."""
    return 1 if depth == 0 else tree(depth - 1) + branch(depth - 1)


def branch(depth: int) -> int:
    """Call the one that calls it."""
    return 0 if depth == 0 else tree(depth - 1)


def bare(number, struct):  # noqa: ANN001, ANN201
    """Have no annotations, as a user's helper may."""
    return number + struct.low


def calls_bare(base: int) -> int:
    """Call it with two kinds of number."""
    return bare(1, Inner(base)) + bare(base == 0, Inner(base))


def calls_bare_circle(base: int) -> int:
    """Call it."""
    return bare_circle(base)


def bare_circle(number):  # noqa: ANN001, ANN201
    """Call itself without saying what comes out."""
    return bare_circle(number)


def test_functions_may_call_each_other_in_circles() -> None:
    """Numba's dispatchers cannot; symbols can."""
    assert Compiled({"tree": tree}).tree(6) == tree(6)


def test_a_function_without_annotations_is_compiled_for_its_callers() -> None:
    """Numbers of all kinds are words to it."""
    assert Compiled({"calls_bare": calls_bare}).calls_bare(64) == calls_bare(64)
    with pytest.raises(CompileError, match="calls itself and has no annotations"):
        unit_of({"calls_bare_circle": calls_bare_circle})


def test_exports_take_numbers() -> None:
    """C code and Python have nothing else to give."""
    for function in (bare, take):
        with pytest.raises(CompileError, match="what is exported takes numbers"):
            unit_of({"function": function})


def sender(cpu: int) -> int:
    """Call a primitive that only the whole host has."""
    send_IPI(cpu, 3)
    return 0


def test_what_has_no_meaning_is_named() -> None:
    """A program that calls what the host does not have is refused before it can kill anybody."""
    with pytest.raises(CompileError, match="no host function for the primitive send_IPI"):
        unit_of({"sender": sender})


def test_struct_types_are_told_apart() -> None:
    """A word of one struct is not a field of another that has the same name."""

    def control(base: int) -> int:
        return Vcpu(base).pi_desc.control

    assert Compiled({"control": control}).control(0) == Vcpu(0).pi_desc.control
