"""C files that cannot be taken, through the command line: one line that names the file, exit 64."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from hosts.cli.main import main
from hosts.exit_codes import EXIT_USAGE

KVM: Final = "arch/x86/kvm"
RULE: Final = "void f(struct kvm_vcpu *vcpu, int vec)\n{\n\t%s\n}\n"


def _tree(folder: Path, make: Callable[[Path], object]) -> Path:
    """Make a kernel's tree whose one file is something else."""
    (folder / KVM).mkdir(parents=True)
    make(folder / KVM / "lapic.c")
    return folder


PATHS: Final[dict[str, Callable[[Path], Path]]] = {
    "nothing": lambda folder: folder / "missing.c",
    "an empty folder": lambda folder: folder,
    "a pipe": lambda folder: (os.mkfifo(folder / "pipe.c"), folder / "pipe.c")[1],
    "a link to nothing": lambda folder: ((folder / "a.c").symlink_to("nowhere"), folder / "a.c")[1],
    "a link to itself": lambda folder: ((folder / "a.c").symlink_to("a.c"), folder / "a.c")[1],
    "a folder that is in itself": lambda folder: ((folder / "again").symlink_to("."), folder)[1],
    "a tree with a pipe": lambda folder: _tree(folder, os.mkfifo),
    "a tree with a link to itself": lambda folder: _tree(folder, lambda path: path.symlink_to("lapic.c")),
    "a tree with a folder": lambda folder: _tree(folder, Path.mkdir),
    "an endless device": lambda _: Path("/dev/zero"),
    "an empty file": lambda folder: ((folder / "a.c").touch(), folder / "a.c")[1],
    "binary data": lambda folder: ((folder / "a.c").write_bytes(bytes(range(256)) * 20), folder / "a.c")[1],
    "half a file": lambda folder: ((folder / "a.c").write_text("void kvm_vcpu_kick(str"), folder / "a.c")[1],
    "an #if without an end": lambda folder: ((folder / "a.c").write_text("#if 1\nint f;\n"), folder / "a.c")[1],
}

RULES: Final = {
    "recursion": ("f(vcpu, vec);", "ends up calling itself"),
    "a float": ("double d = 1.5;", "double"),
    "an unknown field": ("kvm_vcpu_kick(vcpu->nothing);", "nothing"),
    "an unknown call": ("frobnicate(vcpu);", "frobnicate"),
    "no C": ("if (vcpu kvm_vcpu_kick(vcpu);", "not C"),
    "a loop without an end": ("while (vec) vec |= 1;", "does not come to an end"),
    "a division by 0": ("WRITE_ONCE(vcpu->mode, 1 / (vec - vec));", "divides by zero"),
}
"""What a rule does, and what is said of it."""


def _told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == EXIT_USAGE
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("pirace: ")
    return lines[0]


@pytest.mark.parametrize("what", PATHS)
def test_a_path_that_is_no_kernel_is_told_in_a_line(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever lies there: nothing waits for a pipe, goes round in a link, or reads a device."""
    path = PATHS[what](tmp_path)
    assert str(path) in _told(capsys, "kernel", str(path))


@pytest.mark.parametrize("what", RULES)
def test_a_rule_that_cannot_be_run_is_told_with_its_line(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """When it is translated, or when it is run."""
    body, said = RULES[what]
    path = tmp_path / "rule.c"
    path.write_text(RULE % body)
    line = _told(capsys, "trace", "device-irq", "--policy", f"{path}:f")
    assert f"{path}:3: " in line
    assert said in line
