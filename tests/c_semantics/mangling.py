"""C as it comes out of an accident: tokens and lines lost, doubled, swapped, and strange ones put in."""

from __future__ import annotations

import random
import re
from typing import Final

TOKEN: Final = re.compile(
    rb"\s+|[A-Za-z_]\w*|\d\w*|'(?:\\.|[^'])*'|\"(?:\\.|[^\"])*\"|->|<<=?|>>=?|[-+*/%&|^=!<>]=|&&|\|\||\+\+|--|.",
    re.DOTALL,
)

_WORDS: Final = rb"""
{ } ( ) [ ] ; , : ? # ## \ ' " /* */ // -> . ... & &&a ! ~ - ++ -- = == << >>= % / ?a:b *p &a a[0] a.b a->b f() (u8)
(int) 0 1 -1 64 0x 08 1e5 1.5 99999999999999999999999 'ab' '' 1u1 a b r NULL true ??/ ??= <: $ @ ` else do goto case
default: break; continue; return sizeof static volatile const extern float double void struct union enum typeof(a)
""".split()
_PHRASES: Final = rb"""
#if 0
#endif
#else
#define a
#define a (a)
#define X {
#include <x>
#undef a
 asm("nop");
 __attribute__((x))
 struct x y;
 goto a; a:
 case 1:
 switch (a)
 while (1)
 for (;;)
 ({ a; })
 (a, b)
""".split(b"\n")
STRANGE: Final = (
    *_WORDS,
    *(b"\n" + phrase + b"\n" for phrase in _PHRASES),
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\xe9", b"\r", b"\f", b"\x1a", b"\\\n"),
)
"""What is brought in."""


_HEAD: Final = re.compile(rb"(\w+)\s*\([^;{}]*\)\s*\{")


def last_function(text: bytes) -> str:
    """Return the name of the last function in a text, as far as one is seen."""
    found = [name for name in _HEAD.findall(text) if name not in (b"if", b"for", b"while", b"switch")]
    return found[-1].decode() if found else "f"


class Mangler:
    """Makes mangled texts out of whole ones."""

    def __init__(self, rng: random.Random, texts: list[bytes]) -> None:
        """``texts``: what is mangled, and what others are mixed with."""
        self.rng = rng
        self.texts = texts

    def text(self) -> bytes:
        """Return a mangled text: mostly by one to four accidents."""
        text = self.rng.choice(self.texts)
        for _ in range(self.rng.choice((1, 1, 1, 2, 2, 3, 4, 10))):
            text = self.rng.choice((self.tokens, self.tokens, self.tokens, self.lines, self.bytes, self.spliced))(text)
        return text

    def tokens(self, text: bytes) -> bytes:
        """Lose, double, swap, replace or bring in a token."""
        parts = TOKEN.findall(text)
        places = [i for i, part in enumerate(parts) if not part.isspace()]
        if not places:
            return text
        i, j = self.rng.choice(places), self.rng.choice(places)
        match self.rng.randrange(6):
            case 0:
                parts[i] = b" "
            case 1:
                parts[i] += b" " + parts[i]
            case 2:
                parts[i], parts[j] = parts[j], parts[i]
            case 3:
                parts[i] = parts[j]
            case 4:
                parts[i] = self.rng.choice(STRANGE)
            case _:
                parts[i] += self.rng.choice(STRANGE)
        return b"".join(parts)

    def lines(self, text: bytes) -> bytes:
        """Lose, double, move or bring in a line."""
        lines = text.split(b"\n")
        i, j = self.rng.randrange(len(lines)), self.rng.randrange(len(lines))
        match self.rng.randrange(4):
            case 0:
                del lines[i]
            case 1:
                lines.insert(j, lines[i])
            case 2:
                lines[i], lines[j] = lines[j], lines[i]
            case _:
                lines.insert(i, self.rng.choice(self.rng.choice(self.texts).split(b"\n")))
        return b"\n".join(lines)

    def bytes(self, text: bytes) -> bytes:
        """Cut the text off, or put a byte in."""
        at = self.rng.randrange(len(text) + 1)
        if self.rng.random() < 0.3:
            return text[:at]
        return text[:at] + bytes([self.rng.randrange(256)]) + text[at + self.rng.randrange(2) :]

    def spliced(self, text: bytes) -> bytes:
        """Go on with another text in the middle."""
        other = self.rng.choice(self.texts)
        return text[: self.rng.randrange(len(text) + 1)] + other[self.rng.randrange(len(other) + 1) :]
