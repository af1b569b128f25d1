"""Lexical preprocessing of one file: ``#if`` decided, definitions collected, annotations of the kernel left out.

What does not count is blanked, so that lines and columns stay those of the file. Nothing is included: a name that no
given file defines is the environment's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from hosts.loader.c.conditions import holds
from hosts.loader.c.errors import refuse
from hosts.loader.c.report import Note
from hosts.loader.c.rules import Environment
from hosts.loader.c.types import BASIC, CType, Integer, named

_DIRECTIVE = re.compile(rb"^[ \t]*#[ \t]*([a-z]+)\b[ \t]*(.*)$", re.DOTALL)
_COMMENT = re.compile(rb"/\*.*?\*/|//(?:\\\n|[^\n])*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
_NAME = re.compile(rb"[A-Za-z_]\w*")
_DEFINE = re.compile(rb"([A-Za-z_]\w*)(\(([^)]*)\))?[ \t]*(.*)$", re.DOTALL)

_ANNOTATIONS = re.compile(
    rb"\b(?:__always_inline|__inline__|__inline|noinline|noinstr|notrace|nokprobe_inline|__init|__exit|__ro_after_init"
    rb"|__read_mostly|__maybe_unused|__always_unused|__must_check|__noclone|__visible|__used|__cold|__hot|__pure"
    rb"|__attribute_const__|asmlinkage|__user|__percpu|__rcu|__iomem|__force|__packed|__cacheline_aligned|__weak"
    rb"|__flatten|__sched|__latent_entropy|__no_kcsan|__no_sanitize_address|____cacheline_aligned_in_smp"
    rb"|__cacheline_aligned_in_smp|____cacheline_aligned|__private|__bitwise|__noendbr|__nocfi|__randomize_layout"
    rb"|__extension__)\b"
    rb"|\b(?:__acquires|__releases|__must_hold|__aligned|__printf|__section|__counted_by)[ \t]*\([^()\n]*\)"
    rb"|\b__attribute__[ \t]*\(\((?:[^()]|\([^()]*\))*\)\)"
    rb"|^(?:EXPORT_SYMBOL\w*|EXPORT_STATIC_CALL\w*|EXPORT_PER_CPU_SYMBOL\w*|STACK_FRAME_NON_STANDARD|NOKPROBE_SYMBOL"
    rb"|MODULE_\w+|BUILD_BUG_ON|__MODULE_\w+)[ \t]*\([^()\n]*\);?",
    re.MULTILINE,
)
"""What says something to the compiler or the linker and nothing about what is computed."""

LIST_LOOP = "list_for_each_entry"
_LIST_LOOP = re.compile(
    rb"\b(list_for_each_entry)[ \t]*(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))(?=\s*[^\s;,)])",
)
"""The macro that begins a loop over a list; the grammar, which knows no macros, takes it for a call."""


Meaning = Callable[[str], CType | None]


@dataclass(frozen=True)
class Macro:
    """One definition."""

    name: str
    parameters: tuple[str, ...] | None
    """None: it takes no arguments."""
    body: str
    file: str
    line: int


@dataclass
class Text:
    """A file as it counts."""

    path: str
    content: bytes
    macros: dict[str, Macro] = field(default_factory=dict)
    directives: list[Note] = field(default_factory=list)
    """Conditions, in the order of lines."""
    meaning: Meaning = field(default=lambda _: None, repr=False)
    """Tells the types that it names."""
    unknown: list[tuple[int, int, str]] = field(default_factory=list)
    """First and last line of what hangs on a name that nothing is known of, and the name."""
    unsure: dict[str, str] = field(default_factory=dict)
    """Macros that mean one thing or another, and why."""
    undefined: dict[str, Macro] = field(default_factory=dict)
    """Macros up to some line of the file."""


@dataclass
class _Group:
    """One ``#if`` up to its ``#endif``."""

    line: int
    active: bool
    """Whether the lines around count."""
    taken: bool = False
    now: bool = False
    unknown: str = ""
    last: bool = False
    """Whether it is the ``#else`` already."""


def _blank(match: re.Match[bytes]) -> bytes:
    text = match.group(0)
    if text[:1] in b"\"'":
        return text
    return re.sub(rb"[^\n]", b" ", text)


_IN_PARENTHESES = re.compile(rb"\((\s*)([A-Za-z_]\w*)(\s*)\)(?=\s*[-+*&(])")
_BEFORE = re.compile(rb"(\w+|[^\w\s])\s*\Z")
_TYPEDEF = re.compile(rb"\btypedef\s+([A-Za-z_][\w\s]*?)\s+([A-Za-z_]\w*)\s*;")


def typed(content: bytes, environment: Environment) -> Meaning:
    """Return what tells the types that a text names, its own plain typedefs included."""
    own = {match.group(2).decode(): match.group(1).decode() for match in _TYPEDEF.finditer(content)}

    def meaning(name: str) -> CType | None:
        for _ in range(len(own) + 1):
            found = named(name, environment)
            if found is not None or name not in own:
                return found
            name = own[name]
        return None

    return meaning


def without_doubt(content: bytes, meaning: Meaning) -> bytes:
    """Write out what the grammar, which knows no names, may take for something else.

    ``(a) - b`` is no cast if ``a`` is no type, and ``(u8) - b`` is one: the first loses its parentheses, the second
    gets the plain name of its type. Lines stay what they are.
    """

    def plain(match: re.Match[bytes]) -> bytes:
        name = match.group(2).decode()
        before = _BEFORE.search(content, max(0, match.start() - 80), match.start())
        word = before.group(1) if before is not None else b";"
        is_call = (word[:1].isalnum() or word[:1] in b"_)]") and word not in (b"return", b"case", b"else", b"do")
        follows = content[match.end() : match.end() + 80].lstrip()[:1]
        kind = None if name in BASIC else meaning(name)
        if isinstance(kind, Integer) and (not is_call or word == b")"):
            return b"(" + kind.spelled.encode() + b")"
        is_type = kind is not None or name in BASIC or name.endswith("_t")
        if is_call or is_type or follows == b"(":
            return match.group(0)
        return b" " + b"".join(match.groups()) + b" "

    return _IN_PARENTHESES.sub(plain, content)


def preprocess(path: str, content: bytes, environment: Environment) -> Text:
    """Return the lines of a file that count."""
    if b"\0" in content:
        refuse(path, content[: content.index(b"\0")].count(b"\n") + 1, "is not C: it has a byte 0")
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = _COMMENT.sub(_blank, content).split(b"\n")
    return _Lines(Text(path, b""), lines, environment).run()


class _Lines:
    """One pass over the lines."""

    def __init__(self, text: Text, lines: list[bytes], environment: Environment) -> None:
        self.text, self.lines, self.environment = text, lines, environment
        self.groups: list[_Group] = []
        self.before: dict[str, Macro] = {}
        """The first definition of each macro."""

    def run(self) -> Text:
        """Blank what does not count."""
        at, active = 0, True
        while at < len(self.lines):
            line = self.lines[at]
            if line.lstrip()[:1] == b"#":
                end = at
                while self.lines[end].endswith(b"\\") and end + 1 < len(self.lines):
                    end += 1
                joined = b" ".join(each.rstrip(b"\\") for each in self.lines[at : end + 1])
                self.directive(joined, at + 1)
                self.lines[at : end + 1] = [b""] * (end + 1 - at)
                active = all(group.active and group.now for group in self.groups[-1:])
                at = end + 1
                continue
            if not active:
                self.lines[at] = b""
            at += 1
        if self.groups:
            refuse(self.text.path, self.groups[-1].line, "#if without #endif")
        content = _LIST_LOOP.sub(rb"for (;\1\2;)", _ANNOTATIONS.sub(_blank, b"\n".join(self.lines)))
        self.text.meaning = typed(content, self.environment)
        self.text.content = without_doubt(content, self.text.meaning)
        return self.text

    def directive(self, line: bytes, number: int) -> None:
        """Follow one directive."""
        match = _DIRECTIVE.match(line)
        if match is None:
            return  # the null directive, or what only a compiler could complain about
        kind, rest = match.group(1).decode(), match.group(2).strip().decode(errors="replace")
        active = all(group.active and group.now for group in self.groups[-1:])
        if kind in ("if", "ifdef", "ifndef"):
            self.groups.append(_Group(number, active))
            self.branch(kind, rest, number)
        elif kind in ("elif", "else", "endif"):
            self.next_branch(kind, rest, number)
        elif active and kind == "define":
            self.define(match.group(2).strip(), number)
        elif active and kind == "undef":
            self.undefine(rest, number)
        elif active and kind == "error":
            self.text.unknown.append((number, number, f"'#error {rest}'"))

    def next_branch(self, kind: str, rest: str, number: int) -> None:
        """End a branch; begin the next, if there is one."""
        if not self.groups:
            refuse(self.text.path, number, f"#{kind} without #if")
        if kind != "endif" and self.groups[-1].last:
            refuse(self.text.path, number, f"#{kind} after #else")
        self.groups[-1].last = kind == "else"
        self.leave(number)
        if kind == "endif":
            self.groups.pop()
        else:
            self.branch(kind, rest, number)

    def leave(self, number: int) -> None:
        """End a branch."""
        group = self.groups[-1]
        if group.active and group.unknown:
            self.text.unknown.append((group.line, number, group.unknown))

    def branch(self, kind: str, rest: str, number: int) -> None:
        """Begin a branch."""
        group = self.groups[-1]
        if group.taken or not group.active:
            group.now = False
            return
        condition = {"ifdef": f"defined({rest})", "ifndef": f"!defined({rest})", "else": "1"}.get(kind, rest)
        answer, unknown = holds(condition, self.text.macros, self.environment)
        group.now = group.taken = answer
        group.unknown = unknown or group.unknown
        if kind != "else":
            went = "unknown, taken as not set" if unknown else "taken" if answer else "not taken"
            self.text.directives.append(Note(self.text.path, number, f"#{kind} {rest}", went))

    def undefine(self, name: str, number: int) -> None:
        """End a definition."""
        gone = self.text.macros.pop(name, None)
        if gone is not None:
            self.text.undefined[name] = gone
            self.text.unsure[name] = f"is defined in line {gone.line} and no longer in line {number}"

    def define(self, text: bytes, number: int) -> None:
        """Keep a definition."""
        match = _DEFINE.match(text)
        if match is None:
            return
        name = match.group(1).decode()
        given = None
        if match.group(2) is not None:
            given = tuple(each.strip().decode(errors="replace") for each in match.group(3).split(b",") if each.strip())
        body = match.group(4).strip().decode(errors="replace")
        new = self.text.macros[name] = Macro(name, given, body, self.text.path, number)
        before = self.before.setdefault(name, new)
        if (before.parameters, before.body) != (new.parameters, new.body):
            self.text.unsure[name] = f"is defined in line {before.line} and otherwise in line {number}"
        for group in self.groups:
            if group.unknown:
                self.text.unsure[name] = f"hangs on {group.unknown}, which this machine has no answer for"
