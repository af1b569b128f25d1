"""The language that protocol functions are written in, and its refusals."""

from __future__ import annotations

import pytest

from hosts.loader.program import LoaderError
from tests.unit.loader.synthetic import Load, indent

REFUSED = {
    "try:\n    pass\nexcept: pass": "try is not part",
    "with a: pass": "with is not part",
    "global g": "global (state lives",
    "x = [i for i in range(3)]": "a comprehension (write the loop) is not part",
    "x = max(i for i in range(3))": "a generator expression",
    "yield 1": "a generator is not part",
    "x = lambda: 1": "a lambda is not part",
    "def g(): pass": "a function inside a function is not part",
    "f(*a)": "'*' in a call, a tuple or an assignment is not part",
    "f(**a)": "'**' in a call is not part",
    "for i in (1, 2): pass": "'for' only counts",
    "for i in range(3): i = 2": "the loop's own i is assigned inside the loop",
    "for i in range(3): pass\nelse:\n    pass  # here": "'else' after a loop",
    "while a: pass\nelse:\n    pass  # here": "'else' after a loop",
    "if (x := a): pass": "':='",
    "a.mode = 3": "only local names are assigned",
    "a[0] += 3": "only local names are assigned",
    "a.wake()": "a.wake(): only functions are called, by their plain names",
    "a()": "a() is called through a variable",
    "x = 'text'": "a string is not part",
    "x = f'{a}'": "an f-string is not part",
    "x = 0.5": "0.5: a value is a whole number",
    "x = 0x8000_0000_0000_0000": "a word is a signed 64-bit number (bit 63 is BIT(63))",
    "x = a / 2": "'/', '**' and '@' are not part",
    "x = a is None": "'is' differs between plain and compiled code",
    "import os": "import inside a function is not part",
    "raise a": "raise is not part",
    "assert a": "assert is not part",
    "_pirace_1 = a": "names that begin with '_pirace_' are the loader's",
    "match a:\n    case x: pass  # here": "a case compares; it does not bind names",
    "match a:\n    case 1 if local_read(a): pass  # here": "a call in the guard of a case",
    "x = y": "y is neither a local nor a name of the protocol",
    "x = y\ny = 1": "y may have no value here",
    "if a: x = 1\nlocal_read(x)  # here": "x may have no value here",
    "while a:\n    x = 1\nlocal_read(x)  # here": "x may have no value here",
    "for i in range(a): pass\nlocal_read(i)  # here": "i may have no value here",
    "x += 1": "x may have no value here",
    "local_read()": "local_read(): missing a required argument: 'word'",
    "f(1, 2)": "f(): too many positional arguments",
    "x = local_read": "local_read is a function: it is called, not passed on",
    "interrupt_point(1)": "interrupt_point() is put in by the loader",
    "mutated(1)": "mutated() is put in by the loader",
    "switch_to(a, a)": "switch_to() is called by context_switch() only",
    "x = a.mode": "no struct has a field mode",
    "set_host(a)": "set_host is neither",
    "NUMBER(a)": "NUMBER is not a function",
    "dedent(a)": "dedent() comes from textwrap, which is no protocol module",
    "f(a)": "f ends up calling itself: f -> f",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_some_host_cannot_run_is_refused_with_its_line(load: Load, text: str) -> None:
    """Everything outside of the language is one clear error with file and line, before anything is compiled."""
    module = f"from textwrap import dedent\nNUMBER = 3\n\ndef f(a):\n    cpu_relax()\n{indent(text)}\n"
    with pytest.raises(LoaderError) as error:
        load(module)
    assert REFUSED[text] in error.value.reason
    marked = [line.endswith("# here") for line in text.splitlines()]
    assert error.value.line == 7 + (marked.index(True) if True in marked else 0)
    assert str(error.value).startswith(f"{error.value.file}:{error.value.line}: ")
    assert error.value.file.endswith("one.py")


ACCEPTED = [
    "while True:\n    x = local_read(a)\n    if x: break\nreturn x",
    "while 1:\n    if a: return 3\n    x = 1",
    "if a: x = 1\nelse: return 2\nreturn x",
    "match a:\n    case 1 | 2: x = 1\n    case _: x = 2\nreturn x",
    "x, y = 1, 2\nreturn x + y",
    "x: int = 4\nreturn x << 3",
    "return (1, 2)[a & 1] if a in (1, 2) else -1",
    "for i in range(3):\n    for j in range(i, 3): local_write(i, j)",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_plain_code_is_accepted(load: Load, text: str) -> None:
    """What all hosts run alike is not refused; a local is known to have a value wherever all ways lead through one."""
    assert load(f"def f(a):\n{indent(text)}\n").functions["f"]
