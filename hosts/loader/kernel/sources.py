"""Finds KVM in what ``--kernel PATH`` names: a kernel tree, its ``arch/x86/kvm``, or single C files.

Of a tree only the files are read in which the functions of the emulated machine, and what they call, are; whatever else
is in it does not matter, and cannot be wrong.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

from hosts.loader.syntax.language import PolicyError

KVM: Final = "arch/x86/kvm"

_IN_KVM: Final = (
    *("x86.c", "x86.h", "lapic.c", "lapic.h", "irq.c", "irq.h", "irq_comm.c", "kvm_cache_regs.h"),
    *("vmx/vmx.c", "vmx/vmx.h", "vmx/common.h", "vmx/posted_intr.c", "vmx/posted_intr.h"),
)
_ELSEWHERE: Final = (
    *("virt/kvm/kvm_main.c", "include/linux/kvm_host.h", "include/linux/rcuwait.h"),
    *("arch/x86/include/asm/posted_intr.h", "arch/x86/include/asm/kvm_host.h"),
)
"""The files of a tree that are read, as far as it has them."""

MOST_FILES: Final = 200
"""Files of a folder that is no kernel tree; more are a tree of something else."""

_MOST_ENTRIES: Final = 50_000
_C_FILES: Final = (".c", ".h")
_VERSION: Final = re.compile(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)[ \t]*=[ \t]*(\S*)[ \t]*$", re.MULTILINE)
_MAKEFILE_HEAD: Final = 4096


def source_paths(kernel: str) -> tuple[str, ...]:
    """Return the files to be read for ``--kernel PATH``; several PATHs are separated by colons.

    One PolicyError if there is nothing to read.
    """
    found: dict[str, None] = {}
    for path in _given(kernel):
        found.update(dict.fromkeys(_of(path)))
    return tuple(found)


def version_of(kernel: str) -> str:
    """Return the version of the tree that PATH is in, such as ``v6.3.2``; an empty string if no Makefile tells it."""
    for path in _given(kernel):
        start = Path(path).absolute()
        for folder in (start, *start.parents):
            version = _version_in(folder / "Makefile")
            if version:
                return version
    return ""


def label_of(kernel: str) -> str:
    """Return what rows and sentences call the kernel: its version, or else the name of the path."""
    return version_of(kernel) or Path(_given(kernel)[0]).absolute().name or kernel


def _given(kernel: str) -> list[str]:
    """Split several paths, unless there is a file of just this name."""
    if not kernel:
        _refuse("--kernel", "names no path: a kernel tree, its arch/x86/kvm, or .c and .h files")
    return [kernel] if Path(kernel).exists() else [path for path in kernel.split(":") if path] or [kernel]


def _of(path: str) -> list[str]:
    """Return what there is to read at one path."""
    try:
        if not Path(path).is_dir():
            return [_checked_file(path)]
        names = {each.name for each in Path(path).iterdir()}
    except (OSError, ValueError) as error:
        _refuse(path, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    if Path(path, KVM).is_dir() or Path(path, "virt/kvm").is_dir():
        relative = [*(f"{KVM}/{name}" for name in _IN_KVM), *_ELSEWHERE]
    elif "lapic.c" in names or Path(path, "vmx").is_dir():
        relative = list(_IN_KVM)
    else:
        return _folder(path)
    found = [str(Path(path, name)) for name in relative if Path(path, name).is_file()]
    if not found:
        _refuse(path, f"has no KVM for x86: none of its files is there ({relative[0]}, {relative[2]} ...)")
    return found


def _checked_file(path: str) -> str:
    """Refuse what is no C file: the rest is found out when it is read."""
    if not Path(path).exists():
        _refuse(path, "cannot be read: no such file or folder")
    if not path.endswith(_C_FILES):
        _refuse(path, "is no .c or .h file: name a kernel tree, its arch/x86/kvm, or C files")
    return path


def _folder(path: str) -> list[str]:
    """Return the C files in and below a folder that is no kernel tree."""
    found: list[str] = []
    for seen, each in enumerate(_below(path)):
        if each.endswith(_C_FILES):
            found.append(each)
        if len(found) > MOST_FILES or seen > _MOST_ENTRIES:
            _refuse(path, "has no KVM for x86 (arch/x86/kvm), and too many files: name the C files that are meant")
    if not found:
        _refuse(path, "has no KVM for x86 (arch/x86/kvm), and no .c or .h file")
    return found


def _below(path: str) -> Iterator[str]:
    """Yield the files below a folder, in one order on every machine; what cannot be listed is left out."""
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(folder, name) for name in sorted(names))  # noqa: PTH118 - many


def _version_in(makefile: Path) -> str:
    """Return the version that a kernel's Makefile states; an empty string if it is none."""
    try:
        if not makefile.is_file():
            return ""
        with makefile.open("rb") as file:
            head = file.read(_MAKEFILE_HEAD).decode(errors="replace")
    except OSError:
        return ""
    parts: dict[str, str] = dict(_VERSION.findall(head))
    if not parts.get("VERSION", "").isdigit() or not parts.get("PATCHLEVEL", "").isdigit():
        return ""
    level = parts.get("SUBLEVEL", "")
    stable = "" if level in ("", "0") else f".{level}"
    return f"v{parts['VERSION']}.{parts['PATCHLEVEL']}{stable}{parts.get('EXTRAVERSION', '')}"


def _refuse(path: str, reason: str) -> NoReturn:
    raise PolicyError(path, 1, reason)
