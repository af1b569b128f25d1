"""Code that a user brings, as one value: what was asked for (:class:`CodeSpec`), and what the files held.

The specification is text: it is kept in records and given to other processes. Whoever needs the code reads the files
once (:func:`read_code`) and passes the value on, so that error messages, digests, cache keys and the loaded program
come from the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hosts.loader.policy_name import RuleName, is_user_policy, rule_name_of
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

    @property
    def patched(self) -> bool:
        """Whether functions of the machine are replaced, other than by a rule alone."""
        return bool(self.patches or self.kernel)

    def names(self, text: str) -> bool:
        """Return whether a text begins with a place in a file of the user's, as ``file:line: reason`` does."""
        rule = rule_name_of(self.rule)
        kernel = split_paths(self.kernel) if self.kernel is not None else []
        files = [*([rule.path] if rule is not None else []), *self.patches, *kernel]
        return text.startswith(tuple(f"{path}:" for path in files) + tuple(f"{path.rstrip('/')}/" for path in kernel))

    def absolute(self) -> CodeSpec:
        """Return it with paths that are found from any working directory."""
        rule = rule_name_of(self.rule)
        return msgspec.structs.replace(
            self,
            rule=None if rule is None else str(rule.absolute()),
            patches=tuple(_absolute(each) for each in self.patches),
            kernel=None if self.kernel is None else _absolute_paths(self.kernel),
            diff=None if self.diff is None else _absolute(self.diff),
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
    kernel_label: str = ""
    """The version of the kernel, or what its path is called."""
    diff: SourceFile | None = None
    unpatched: tuple[SourceFile, ...] = ()
    """With a diff, the kernel's files as they were without."""

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """All files, each once."""
        own = (self.rule_file, *self.patches, *self.kernel, self.diff)
        return tuple({each.path: each for each in own if each is not None}.values())

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of all files; run-time faults name one by its position."""
        return tuple(each.path for each in self.files)

    @property
    def label(self) -> str:
        """What rows and sentences call the patches and the kernel; empty if there is only a rule."""
        own = [Path(each.path).name for each in (self.diff, *self.patches) if each is not None]
        return "+".join([*([self.kernel_label] if self.kernel_label else []), *own]).replace(":", "_")

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

    kernel: tuple[SourceFile, ...] = ()
    unpatched: tuple[SourceFile, ...] = ()
    diff = None if spec.diff is None else read(spec.diff)
    label = ""
    if spec.kernel is not None:
        from hosts.loader.kernel.sources import label_of, source_paths  # nobody else needs them

        kernel = tuple(read(path) for path in source_paths(spec.kernel))
        label = label_of(spec.kernel)
    if spec.kernel is not None and diff is not None:
        from hosts.loader.kernel.patchfile import patched

        unpatched, kernel = kernel, patched(kernel, diff, spec.kernel)
    return UserCode(
        spec,
        rule,
        None if rule is None else read(rule.path),
        tuple(read(path) for path in spec.patches),
        kernel,
        label,
        diff,
        unpatched,
    )


def spec_of(policy: str | None, code: CodeSpec | None = None) -> CodeSpec:
    """Return what is asked for by a policy, which may be a user's rule, and by other code of the user's."""
    rule = rule_name_of(policy)
    code = code or CodeSpec()
    return code if rule is None else msgspec.structs.replace(code, rule=str(rule))


def code_of(policy: str | None, code: CodeSpec | None = None) -> UserCode | None:
    """Read it (:func:`spec_of`); None if there is no code of a user's."""
    return read_code(spec_of(policy, code))


def code_among(policies: Sequence[str], code: CodeSpec | None = None) -> UserCode | None:
    """Read the code of a command: of several rules among its policies, which it refuses, the first."""
    return code_of(next(filter(is_user_policy, policies), None), code)


def changed_files(code: UserCode) -> list[str]:
    """Return the files that hold something else by now, or cannot be read; OSError if one could not be before."""
    before = code.digests()
    return [file.path for file in code.read_again().files if _digest_now(file) != before.get(file.path)]


def _digest_now(file: SourceFile) -> str:
    try:
        return file.digest
    except (OSError, ValueError):
        return ""


def paths_of(code: UserCode | None) -> tuple[str, ...]:
    """Return the paths of all files of the user's."""
    return code.paths if code is not None else ()


def _absolute(path: str) -> str:
    return str(Path(path).absolute())


def _absolute_paths(kernel: str) -> str:
    return ":".join(map(_absolute, split_paths(kernel)))


def split_paths(kernel: str) -> list[str]:
    """Return the paths of a kernel: one, or several that are separated by colons."""
    return [kernel] if Path(kernel).exists() else kernel.split(":")


def is_c(path: str) -> bool:
    """Return whether a file of the user's is C."""
    return path.endswith((".c", ".h"))
