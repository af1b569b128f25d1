"""Bodies that are hard to take for automata: the explorer finds exactly the results that brute force finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.explore.bodies import Tiny

BODIES = {
    "store of a load": """
        def left():
            WRITE_ONCE(Z(), READ_ONCE(X()) + 10)
            out(0, READ_ONCE(Z()))
        """,
    "two loads in one expression": "def left(): out(0, READ_ONCE(X()) * 10 + READ_ONCE(X()))",
    "two loads in one comparison": "def left(): out(0, 5 if READ_ONCE(X()) == READ_ONCE(X()) else 6)",
    "a load in an argument beside one in a call": """
        def sum(a, b, c): return a + 10 * b + 100 * c + READ_ONCE(Y()) * 1000
        def left(): out(0, sum(READ_ONCE(X()), READ_ONCE(Y()), READ_ONCE(X())))
        """,
    "loop over equal elements": """
        def left():
            s = 0
            for i in range(3):
                s = s * 4 + READ_ONCE(X()) * (1, 1, 1)[i]
            out(0, s)
        """,
    "range with bounds changed in the body": """
        def left():
            n = 2
            i = 7
            for i in range(n):
                n = n + READ_ONCE(X())
            out(0, n * 10 + i)
        """,
    "range with step and bounds from loads": """
        def left():
            s = 1
            for i in range(READ_ONCE(X()), -2, -2):
                s = s * 5 + i
            for i in range(READ_ONCE(Y())):
                s = s + 100
            out(0, s)
        """,
    "x = f() + g()": """
        def f(): return READ_ONCE(X())
        def g():
            a = READ_ONCE(Y())
            return a * 10
        def left():
            x = f() + g() + f() * 100
            out(0, x)
        """,
    "nested loops with break, continue and return": """
        def search():
            s = 0
            for i in range(3):
                for j in range(3):
                    if j == i: continue
                    if j > i + 1: break
                    v = READ_ONCE(X()) if i != 1 else READ_ONCE(Y())
                    if v == 2: return s * 10 + v
                    s = s + v
                    if v == 3: break
                else_not = s
            return s
        def right():
            WRITE_ONCE(X(), 3)
            WRITE_ONCE(Y(), 2)
        def left(): out(0, search() + 1)
        """.replace("                else_not = s\n", ""),
    "a loop's variable after the loop": """
        def left():
            i = 9
            for i in range(4):
                if READ_ONCE(X()) == i: break
            out(0, i + 1)
        """,
    "early returns": """
        def early(a):
            if READ_ONCE(X()) == 3: return 7
            if a == 0:
                if READ_ONCE(Y()) == 2:
                    return 8
                return
            return 9
        def left():
            r = early(0)
            if r == None: r = 4
            out(0, r + early(1))
        """,
    "conditional expressions": """
        def left():
            x = READ_ONCE(X()) if READ_ONCE(Y()) == 2 else 5 if READ_ONCE(X()) else 6
            out(0, x)
        """,
    "short circuits": """
        def left():
            out(0, (READ_ONCE(X()) or READ_ONCE(Y()) or 9) + 10 * (READ_ONCE(X()) and READ_ONCE(Y())))
            if not (READ_ONCE(X()) == 3 and 0 < READ_ONCE(Y()) < 3): out(1, 1)
        """,
    "keyword and default arguments": """
        def scaled(a, b=2, c=3): return READ_ONCE(a) * b + c
        def left(): out(value=scaled(c=READ_ONCE(Y()), a=X()) + 100 * scaled(X(), 5), n=0)
        """,
    "keyword arguments of primitives": """
        def left():
            old = cmpxchg(X(), new=READ_ONCE(Y()) + 4, old=1)
            WRITE_ONCE(value=old + 1, word=Z())
            was = test_and_set_bit(word=Z(), nr=2)
            out(0, READ_ONCE(word=Z()) * 10 + was)
        """,
    "tuples from calls": """
        def both(): return READ_ONCE(X()), READ_ONCE(Y())
        def left():
            a, b = both()
            a, b = b, a
            c, d = both()
            out(0, a + 4 * b + 16 * c + 64 * d)
        """,
    "several targets": """
        def left():
            c = d = READ_ONCE(X())
            e, f = g = (READ_ONCE(Y()), c)
            out(0, c + 4 * d + 16 * e + 64 * f + 256 * g[0])
        """,
    "annotated locals": """
        def left():
            x: int = READ_ONCE(X())
            y: int
            if x == 1:
                y: int = 4
            else:
                y = 5
            z: int = READ_ONCE(Y())
            if z == 2:
                w: int = READ_ONCE(X())
                y = y + w
            out(0, y * 10 + x)
        """,
    "True against 1 in a match": """
        def left():
            v = True if READ_ONCE(X()) == 1 else 1
            w = READ_ONCE(Y())
            match v:
                case True: out(0, 1 + w)
                case 1: out(0, 5 + w)
        """,
    "True against 1 across a loop": """
        def left():
            v = 1
            for _ in range(2):
                if READ_ONCE(X()) == 1: v = v == 1
            r = 0
            match v:
                case True | False: r = 1
                case 1 | 0: r = 2
            out(0, r + 10 * v)
        """,
    "match on a load with a guard": """
        def left():
            y = READ_ONCE(Y())
            match READ_ONCE(X()):
                case 0 | 1 if y == 2: out(0, 1)
                case 1: out(0, READ_ONCE(X()) + 10)
                case 3: return
                case _: out(0, 4)
            out(1, 1)
        """,
    "True and 1 in an own word": """
        def left():
            WRITE_ONCE(own(), READ_ONCE(X()) == 1)
            w = READ_ONCE(Y())
            match READ_ONCE(own()):
                case True: out(0, 1 + w)
                case 1: out(0, 5 + w)
                case 0: out(0, 9 + w)
        """,
    "numbers beyond a word in an own word": """
        def left():
            WRITE_ONCE(own(), BIT(63) - 1 - READ_ONCE(X()))
            out(0, 1 if READ_ONCE(own()) > 0 else 2)
            local_write(own(), BIT(63) + BIT(63))
            out(1, local_read(own()) + 5 + READ_ONCE(Y()))
        """,
    "what a primitive without a result gives": """
        def left():
            a = WRITE_ONCE(Z(), READ_ONCE(X()))
            b = set_bit(1, X())
            c = set_bit(1, own())
            d = smp_mb()
            out(0, 1 if a == None else 2)
            out(1, 1 if b == None else 2)
            out(2, 1 if c == None and d == None else 2)
        """,
    "while True with break": """
        def left():
            n = 0
            while True:
                n += READ_ONCE(X())
                if n > 3: break
                if READ_ONCE(Y()) == 2: break
                if n == 0: return
            out(0, n + 1)
        def right():
            WRITE_ONCE(X(), 1)
            WRITE_ONCE(Y(), 2)
        """,
    "while with loads in its test": """
        def left():
            n = 0
            while n < 3 and READ_ONCE(X()) != 3:
                n += 1
                if n == 2: continue
                n += READ_ONCE(Y())
            out(0, n + 1)
        """,
    "deep calls": """
        def a(n): return READ_ONCE(X()) + n
        def b(n): return a(n) * 2 + READ_ONCE(Y())
        def c(n):
            x = b(n)
            return x + b(x)
        def left(): out(0, c(1) + 1)
        """,
    "locals used again after being dead": """
        def left():
            x = READ_ONCE(X())
            out(0, x)
            x = READ_ONCE(Y())
            y = x
            if y == 2:
                x = READ_ONCE(X())
            out(1, x)
        """,
    "a local that only one branch sets anew": """
        def left():
            x = READ_ONCE(X())
            for i in range(2):
                y = READ_ONCE(Y())
                if y == 0:
                    x = x + 4
            out(0, x + 1)
        """,
    "an operation that adds to a local": """
        def left():
            s = READ_ONCE(X())
            s += s * 3 + READ_ONCE(Y())
            s -= READ_ONCE(X())
            out(0, s + 50)
        """,
    "locked operations": """
        def left():
            a = xchg(X(), 8)
            b = cmpxchg(X(), 3, 9)
            atomic_inc(X())
            out(0, a + 16 * b + 256 * test_and_clear_bit(0, X()))
        """,
    "store buffers": """
        def left():
            WRITE_ONCE(Y(), 1)
            out(0, READ_ONCE(X()) + 1)
        def right():
            WRITE_ONCE(X(), 1)
            out(1, READ_ONCE(Y()) + 1)
        """,
    "store buffers with a fence": """
        def left():
            WRITE_ONCE(Y(), 1)
            smp_mb()
            out(0, READ_ONCE(X()) + 1)
        def right():
            smp_store_release(X(), 1)
            clear_bit(3, Z())
            out(1, smp_load_acquire(Y()) + 1)
        """,
    "a store forwarded to its own thread": """
        def left():
            WRITE_ONCE(X(), 5)
            a = READ_ONCE(X())
            out(0, a * 10 + READ_ONCE(Y()))
        """,
    "choices in one expression": "def left(): out(0, choose(2) + 2 * choose(3) + 10 * READ_ONCE(X()) + choose(1))",
    "private words": """
        def left():
            local_write(own(), READ_ONCE(X()))
            local_write(own(), local_read(own()) * 4 + READ_ONCE(Y()))
            out(0, local_read(own()))
        """,
}


@pytest.mark.parametrize("buffer", [0, 4], ids=["SC", "TSO"])
@pytest.mark.parametrize("body", BODIES)
def test_the_explorer_finds_what_brute_force_finds(folder: Path, body: str, buffer: int) -> None:
    """Neither fewer nor more results than the functions as they were written have, over all schedules."""
    tiny = Tiny(folder, BODIES[body])
    results = tiny.brute(buffer)
    assert tiny.explored(buffer) == results
    assert tiny.explored(buffer, exact=True) == results
    if buffer:
        assert tiny.explored(buffer, fuse=False) == results


def test_the_memory_models_differ_where_they_should(folder: Path) -> None:
    """Both loads miss under TSO, never under SC, nor with what drains between store and load."""
    missed = ((0, 1), (1, 1))
    for body, seen in (("store buffers", True), ("store buffers with a fence", False)):
        assert missed not in Tiny(folder, BODIES[body]).explored(0)
        assert (missed in Tiny(folder, BODIES[body]).explored(4)) == seen
