"""What the translator of C asks about names that C itself does not explain, and what it can be answered.

The translator knows C. What ``struct kvm_vcpu`` is here, which function of ``emu/`` a call becomes and what is left out
is data of somebody else (an :class:`Environment`). C types are given as they are written in C: ``"u32"``,
``"unsigned long"``, ``"struct kvm_vcpu *"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

# --- structs and their fields ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StructRule:
    """A struct that exists at run time: a pointer to it is a value of a class of ``emu.machine``.

    Several structs may be views of one class. Every such pointer can be a parameter, a local, a result, and compared.
    """

    runtime: str
    """The class: ``"Vcpu"``."""


@dataclass(frozen=True)
class WordField:
    """A field that is a word, or some bits of one.

    Of a local of the struct's type, ``path`` names the local word that stands for it; fields with one path share it.
    """

    path: str
    """From the class of the struct: ``"mode"``, ``"apic.timer_pending"``."""
    type: str
    """Of the field in C. A word holds a number of this type, or, if ``bits``, this part of it."""
    shared: bool = True
    """Whether other pCPUs may touch it: READ_ONCE and the like; else local_read and local_write."""
    shift: int = 0
    """Where the field begins in the word."""
    bits: int = 0
    """Its width there; 0: the field is the whole word."""
    least: int | None = None
    most: int | None = None
    """The numbers that it can hold, if they are fewer than those of its type."""


@dataclass(frozen=True)
class WordsField:
    """A field that is an array laid out in consecutive words, as ``u32 pir[8]`` in four."""

    path: str
    """``"pir"``."""
    type: str
    """Of one element in C; a pointer to it may be cast to one of another width."""
    count: int
    """Elements of that type."""
    shared: bool = True


@dataclass(frozen=True)
class Bank:
    """Registers of 32 bits, a fixed distance apart, two of them in a word."""

    first: int
    """Byte offset of register 0."""
    stride: int
    count: int
    path: str
    """The words: register ``n`` is half ``n & 1`` of word ``n >> 1``."""
    shared: bool = False
    constant: Constant | None = None
    """What all registers hold that have no words here; what is stored in them has to be this."""


@dataclass(frozen=True)
class PageField:
    """A pointer to a page of registers (``apic->regs``), addressed by bytes."""

    banks: tuple[Bank, ...]
    words: Mapping[int, WordField] = field(default_factory=dict)
    """Single registers by byte offset."""


@dataclass(frozen=True)
class ViewField:
    """A field that is a struct, or a pointer to one, and has a place at run time (or is a part of the same value)."""

    tag: str
    """The struct's tag; made up by the environment if it has none."""
    path: str = ""
    """``""``: the same value, seen as another struct."""
    pointer: bool = False
    """Whether the field is a pointer (``vcpu->arch.apic``) rather than the struct itself."""


@dataclass(frozen=True)
class Constant:
    """What has one value on this machine."""

    value: int
    reason: str
    type: str = "int"


@dataclass(frozen=True)
class Dropped:
    """What does not matter here: a call is left out with its arguments, a store to a field with its value.

    A value that is used after all is refused.
    """

    reason: str


@dataclass(frozen=True)
class Refused:
    """What this machine cannot do."""

    reason: str
    """Says what to do as well."""


FieldRule = WordField | WordsField | PageField | ViewField | Constant | Dropped | Refused

# --- calls and names ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EmuCall:
    """An expression of ``emu/`` that a call or a name becomes."""

    expression: str
    """In Python, the arguments as ``_0``, ``_1`` ...: ``"kvm_make_request(_0, _1)"``. One that is not mentioned is
    evaluated for its effects only."""
    parameters: tuple[str, ...] = ()
    """Their types in C, to which they are converted. ``"word"``: a pointer to a whole word, given as that word.
    ``"..."``: not evaluated, and not given by every version."""
    result: str = "void"
    """The type in C. A flag (1 or 0) is a ``bool``; a struct lies in the machine's memory and may be pointed to."""
    least: int | None = None
    most: int | None = None
    pure: bool = False
    """Whether it depends on nothing but its arguments."""


@dataclass(frozen=True)
class Primitive:
    """An operation on a place: one of :data:`hosts.loader.c.operations.OPERATIONS`, under another name."""

    name: str


@dataclass(frozen=True)
class Argument:
    """A call that is one of its arguments: ``likely(x)``."""

    position: int = 0


@dataclass(frozen=True)
class View:
    """A call that gives another view of a pointer: ``to_vmx(vcpu)``, ``vcpu_to_pi_desc(vcpu)``."""

    tag: str
    path: str = ""
    argument: int = 0


@dataclass(frozen=True)
class ByName:
    """A call whose meaning hangs on the name that is one of its arguments: ``__this_cpu_read(kvm_running_vcpu)``."""

    rules: Mapping[str, CallRule]
    argument: int = 0


@dataclass(frozen=True)
class Into:
    """A macro that puts what a call of the machine's gives into one of its arguments: ``local_irq_save(flags)``."""

    call: EmuCall
    """Without parameters."""
    argument: int = 0


@dataclass(frozen=True)
class Each:
    """A macro that begins a loop over the members of a list: ``list_for_each_entry(pos, head, member) { ... }``.

    The list is a word with a bit for each member. It is read once, which is all the same where its lock is held.
    """

    head: str
    """The type in C of what leads to a list."""
    members: str
    """That word, in Python, the list as ``_0``: ``"READ_ONCE(_0.vcpus)"``."""
    count: str
    """Members have numbers below this one, at most 64."""
    member: str
    """A member, its number as ``_0``."""


@dataclass(frozen=True)
class Instead:
    """A call of another function of the files, which is looked up there: the environment is not asked again."""

    function: str


CallRule = EmuCall | Primitive | Argument | View | ByName | Into | Each | Instead | Constant | Dropped | Refused
NameRule = EmuCall | Constant | Dropped | Refused
"""Of a global variable, a constant of an enum or a header."""


class Environment(Protocol):
    """Answers the translator's questions. ``None`` always means: nothing is known of this name.

    Names are looked up in this order: locals, the environment, macros and functions of the files.
    """

    def typedef(self, name: str) -> str | None:
        """Return what a type's name stands for, as C text. The widths u8 to s64, bool, size_t ... are known."""

    def struct(self, tag: str) -> StructRule | None:
        """Return what a struct is at run time."""

    def field(self, tag: str, name: str) -> FieldRule | None:
        """Return what a field of a struct or union is."""

    def call(self, name: str) -> CallRule | None:
        """Return what becomes of a call of a function or a function-like macro."""

    def callee(self, text: str) -> str | None:
        """Return which function an expression that is called means; ``text`` has no spaces.

        ``"static_call(kvm_x86_deliver_interrupt)"``, ``"kvm_x86_ops.sync_pir_to_irr"``.
        """

    def name(self, name: str) -> NameRule | None:
        """Return what a name that is no local stands for."""

    def config(self, name: str) -> bool | None:
        """Return whether ``CONFIG_...`` (or another name that ``#if`` asks for) is set."""


@dataclass(frozen=True)
class NoEnvironment:
    """An environment that knows nothing: plain functions of integers."""

    def typedef(self, name: str) -> str | None:
        """Return None."""

    def struct(self, tag: str) -> StructRule | None:
        """Return None."""

    def field(self, tag: str, name: str) -> FieldRule | None:
        """Return None."""

    def call(self, name: str) -> CallRule | None:
        """Return None."""

    def callee(self, text: str) -> str | None:
        """Return None."""

    def name(self, name: str) -> NameRule | None:
        """Return None."""

    def config(self, name: str) -> bool | None:
        """Return None."""


# --- what is wanted, and what came of it -------------------------------------------------------------------------


@dataclass(frozen=True)
class CFile:
    """A file of C. Of a function that several files define, the first file's is taken."""

    path: str
    content: bytes
    note: str = ""
    """Said of functions that come from here: an adapter of the environment's own."""


@dataclass(frozen=True)
class Wanted:
    """A function to be translated as a whole."""

    function: str
    """Its name in C."""
    name: str = ""
    """Its name in the program; the same if empty."""
    parameters: tuple[str, ...] = ()
    """Names and classes or types that the program calls it with, as ``"vcpu: Vcpu"``; those of C if empty."""
