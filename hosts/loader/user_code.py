"""Code that a user brings, as one value: what was asked for (:class:`CodeSpec`), and what the files held.

The specification is text: it is kept in records and given to other processes. Whoever needs the code reads the files
once (:func:`read_code`) and passes the value on, so that error messages, digests, cache keys and the loaded program
come from the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hosts.loader.rule.policy_source import RuleName, rule_name_of
from hosts.loader.source_file import SourceFile, source_file


class CodeSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a user asked for."""

    rule: str | None = None
    """``path.py:function`` or ``path.c:function``: a rule of delivery."""
    patches: tuple[str, ...] = ()
    """Python files whose functions stand in the place of those of ``emu`` that have the same names."""
    kernel: str | None = None
    """A kernel's tree, a folder of it, or a file."""
    diff: str | None = None
    """A patch that is applied to the kernel's files before they are read."""
    only: tuple[str, ...] = ()
    """The functions that are taken from the kernel; empty: all."""
    stubs: tuple[str, ...] = ()
    """``NAME=VALUE``: what calls of a function of the kernel give that is not translated."""

    def __bool__(self) -> bool:
        """Return whether anything is asked for."""
        return self != CodeSpec()

    def absolute(self) -> CodeSpec:
        """Return it with paths that are found from any working directory."""
        rule = rule_name_of(self.rule)
        return msgspec.structs.replace(
            self,
            rule=None if rule is None else str(rule.absolute()),
            patches=tuple(str(Path(each).absolute()) for each in self.patches),
            kernel=None if self.kernel is None else str(Path(self.kernel).absolute()),
            diff=None if self.diff is None else str(Path(self.diff).absolute()),
        )


@dataclass(frozen=True)
class UserCode:
    """What a user brings."""

    spec: CodeSpec
    rule: RuleName | None = None
    """The file and the function of a rule."""
    rule_file: SourceFile | None = None
    patches: tuple[SourceFile, ...] = ()
    kernel: tuple[SourceFile, ...] = ()
    """The kernel's files as they are loaded: with the diff in them, if there is one."""
    diff: SourceFile | None = None

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """All files, each once."""
        own = (self.rule_file, *self.patches, *self.kernel, self.diff)
        return tuple({each.path: each for each in own if each is not None}.values())

    @property
    def digest(self) -> str:
        """One hash of what was asked for and of all contents; the error with which a file could not be read."""
        digest = hashlib.sha256()
        for part in self.parts():
            digest.update(len(part).to_bytes(8, "little") + part)
        return digest.hexdigest()

    def parts(self) -> Iterator[bytes]:
        """Yield what the loaded program depends on: not where the files lie, but what they hold and what is taken."""
        yield msgspec.json.encode((self.rule.function if self.rule else "", self.spec.only, self.spec.stubs))
        for files in ((self.rule_file,), self.patches, self.kernel, (self.diff,)):
            yield from (each.content for each in files if each is not None)
            yield b"|"

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each file by its path; the error with which one could not be read."""
        return {each.path: each.digest for each in self.files}

    def read_again(self) -> UserCode:
        """Return the same of the files as they are now, to find out whether they have changed."""
        again = read_code(self.spec)
        assert again is not None  # noqa: S101 - something was asked for
        return again


def read_code(spec: CodeSpec, held: Mapping[str, bytes | OSError | ValueError] | None = None) -> UserCode | None:
    """Read what a user asks for; None if it is nothing. PolicyError if a kernel's tree is none, or a patch not its.

    ``held``: what files held when somebody else read them, by their paths; they are not read again.
    """
    if not spec:
        return None
    rule = rule_name_of(spec.rule)

    def read(path: str) -> SourceFile:
        return SourceFile(path, held[path]) if held is not None and path in held else source_file(path)

    return UserCode(
        spec,
        rule,
        None if rule is None else read(rule.path),
        tuple(read(path) for path in spec.patches),
        tuple(read(path) for path in _kernel_files(spec)),
    )


def is_c(path: str) -> bool:
    """Return whether a file of the user's is C."""
    return path.endswith((".c", ".h"))


def _kernel_files(spec: CodeSpec) -> tuple[str, ...]:
    """Return the files of the kernel that are read; PolicyError if there are none."""
    if spec.kernel is None:
        return ()
    from hosts.loader.kernel.sources import source_paths  # nobody else needs it

    return source_paths(spec.kernel)
