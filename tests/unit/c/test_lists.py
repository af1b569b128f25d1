"""Lists, locks and copies of a descriptor in C: what the scheduler's half of a driver is written with."""

from __future__ import annotations

import pytest

from tests.unit.c.device import python, refused

BROUGHT = {
    # a struct that lies somewhere in the machine, and a macro that assigns
    "lock(&ready_list(3)); return 0;": "lock(machine().ready[3])",
    "struct dev_list *l = &ready_list(v & 1); lock(l); return 0;": "l = machine().ready[v & 1]\nlock(l)",
    "unsigned long was; save(was); return was + 1;": "was = saved()\nreturn was + 1",
    # copies of a part of the machine: nobody sees what is done to them
    "struct desc old; old.control = READ_ONCE(d->desc.control); return old.nv;": (
        "old_control = READ_ONCE(d.desc.control)\nreturn old_control >> 16 & 255"
    ),
    "struct desc new; new.control = 0; new.nv = 7; new.ndst = v; return new.control == 1;": (
        "return 1 if 458752 | shift_left(v & 4294967295, 32) == 1 else 0"
    ),
    "struct desc c; c.control = v & 1; return rung(&c);": "return 1 if v & 1 != 0 else 0",
    "return rung(&d->desc);": "return rung(d.desc)",
}
"""Statements, and what stands in what they become: calls of the machine's, and of the function of the file."""

RUNG = "static bool rung(struct desc *desc)\n{\n\treturn test_bit(0, (unsigned long *)&desc->control);\n}\n"

LOOP = """
int f(struct dev *d, int v)
{
	struct dev *e;
	int n = 0;

	list_for_each_entry(e, &ready_list(v & 1), entry) {
		if (e->mode == 2)
			continue;
		if (e == d)
			break;
		n++;
		ring(e, n);
	}
	return n;
}
"""
LOOPED = """
n = 0
members = READ_ONCE(machine().ready[v & 1].bits)
count = devices()
index = 0
while index < count:
    if members & shift_left(1, index) != 0:
        e = machine().devs[index]
        if READ_ONCE(e.mode) != 2:
            if e == d:
                break
            n = wrap_s32(n + 1)
            ring(e, n)
    index = index + 1
return n
"""


@pytest.mark.parametrize("statements", BROUGHT)
def test_what_a_scheduler_hook_does_becomes_calls_and_words(statements: str) -> None:
    """A copy of a descriptor is a local word, of which fields are parts; a function of it is the file's own."""
    made = python(f"{RUNG}int f(struct dev *d, int v)\n{{\n{statements}\n}}\n")
    assert made.startswith(BROUGHT[statements])


def test_a_loop_over_a_list_reads_it_once() -> None:
    """And goes by the numbers of its members; 'continue' and 'break' are those of C."""
    assert python(LOOP) == LOOPED.strip()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("list_for_each_entry(e, d, entry) { n++; }", "a struct dev_list * belongs here"),
        (
            "list_for_each_entry(n, &ready_list(0), entry) { n++; }",
            "a pointer to a struct of this machine belongs here",
        ),
        ("list_for_each_entry(e, entry) { n++; }", "nothing is known of such lists"),
        ("n = list_for_each_entry(e, &ready_list(0), entry);", "begins a loop, and stands inside of an expression"),
        ("save(3);", "this is no place"),
        ("save(d->secret);", "this machine has none"),
    ],
)
def test_a_list_or_a_macro_that_is_used_otherwise_is_refused(text: str, said: str) -> None:
    """With the line where it stands."""
    source = f"int f(struct dev *d, int v)\n{{\n\tstruct dev *e;\n\tint n = 0;\n{text}\n\treturn n;\n}}\n"
    assert said in refused(source)
