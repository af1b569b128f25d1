"""Reader of a user's structs: their words, where these lie, what they hold at the start, and how they are used."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Final

from emu.machine import OWN_WORDS
from emu.memory import LINE_BYTES, WORD_BYTES
from hosts.loader.own.declared import Each, OwnField, OwnStruct, Place, Use
from hosts.loader.own.literals import Literals

_BASES: Final = {each.value: each for each in Each}
_HOW: Final = "class X(PerVcpu), X(PerPcpu) or X(ForAll), from emu.own"
_FIELD: Final = "NAME = word() or NAME = words(COUNT)"
_LINE_WORDS: Final = LINE_BYTES // WORD_BYTES


def struct_of(statement: ast.ClassDef, literals: Literals, before: Iterable[OwnStruct]) -> OwnStruct:
    """Read a struct, which lies behind those ``before`` it; PolicyError with the line."""
    refuse = literals.origin.refuse
    name = statement.name
    base = literals.imported(statement.bases[0], "emu.own") if len(statement.bases) == 1 else ""
    if base not in _BASES or statement.keywords or statement.decorator_list:
        refuse(statement, f"{name} does not say what there is one of it for: {_HOW}")
    each = _BASES[base]
    begin = free = _free(before, each)
    found: dict[str, OwnField] = {}
    for line in statement.body:
        match line:
            case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
                continue
            case ast.Assign(targets=[ast.Name(id=field)], value=ast.Call() as call):
                found[field] = made = _field(field, call, literals, free)
                if field == "at" or field.startswith("__"):
                    refuse(line, f"{name}.{field}: this name is taken")
                free = made.index + len(made.start)
            case _:
                refuse(line, f"a struct has words, each in a line: {_FIELD}")
    if not found:
        refuse(statement, f"{name} has no words: {_FIELD}")
    if free > OWN_WORDS:
        said = (
            f"{name} ends at word {free} of those that a patch has for {_OF[each]}, and there is room for {OWN_WORDS}"
        )
        refuse(statement, said + (f": {begin} are taken before it" if begin else ""))
    return OwnStruct(name, each, tuple(found.values()), Place(literals.origin.file, statement.lineno))


_OF: Final = {Each.VCPU: "each vCPU", Each.PCPU: "each pCPU", Each.ALL: "all"}


def _free(before: Iterable[OwnStruct], each: Each) -> int:
    """Return the first word of a line that no struct before has any of."""
    ends = [field.index + len(field.start) for struct in before if struct.each is each for field in struct.fields]
    return _line(max(ends, default=0))


def _line(index: int) -> int:
    return -(-index // _LINE_WORDS) * _LINE_WORDS


def _field(name: str, call: ast.Call, literals: Literals, free: int) -> OwnField:
    """Read the words of one name."""
    refuse = literals.origin.refuse
    kind = literals.imported(call.func, "emu.own") or literals.imported(call.func, "emu.memory")
    single = kind == "word"
    if kind not in ("word", "words") or len(call.args) != (0 if single else 1):
        refuse(call, f"{ast.unparse(call)}: a struct's words are declared as {_FIELD}, from emu.own")
    options = {str(each.arg): each.value for each in call.keywords}
    unknown = [option for option in options if option not in ("start", "private", "mark", "line")]
    if unknown:
        refuse(call, f"{name} = {kind}(... {unknown[0]}=): what is said of words is start=, private=, mark= or line=")
    count = 1 if single else literals.number(call.args[0])
    if not 1 <= count <= OWN_WORDS:
        refuse(call, f"{name} has {count} words: there is room for 1 to {OWN_WORDS}")
    said = {
        option: literals.number(options[option]) != 0 for option in ("private", "mark", "line") if option in options
    }
    if said.get("private") and said.get("mark"):
        refuse(call, f"{name} is private and a mark: a word is one of them, or neither, which others share")
    use = Use.PRIVATE if said.get("private") else Use.MARK if said.get("mark") else Use.SHARED
    start = _start(name, options.get("start"), literals, count, single=single)
    return OwnField(name, _line(free) if said.get("line") else free, start, single, use)


def _start(name: str, node: ast.expr | None, literals: Literals, count: int, *, single: bool) -> tuple[int, ...]:
    """Return what each word holds at the start."""
    value = 0 if node is None else literals.value(node)
    if isinstance(value, int):
        return (value,) * count
    numbers = tuple(each for each in value if isinstance(each, int))
    if single or isinstance(value, str) or len(numbers) != len(value) or len(numbers) != count:
        said = "a number" if single else f"a number, or {count} of them"
        literals.origin.refuse(node, f"{name} starts with {said}")
    return numbers
