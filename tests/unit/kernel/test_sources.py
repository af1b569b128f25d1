"""Where KVM is found in what ``--kernel`` names, and which version it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.loader.kernel.sources import MOST_FILES, label_of, source_paths, version_of
from hosts.loader.syntax.language import PolicyError

MAKEFILE = "# a comment\nVERSION = 6\nPATCHLEVEL = 3\nSUBLEVEL = 2\nEXTRAVERSION =\nNAME = x\n"


def put(folder: Path, *names: str) -> Path:
    """Write files of one line."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("int nothing;\n")
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a folder that looks like a kernel's."""
    (tmp_path / "Makefile").write_text(MAKEFILE)
    return put(
        tmp_path,
        "arch/x86/kvm/x86.c",
        "arch/x86/kvm/lapic.c",
        "arch/x86/kvm/vmx/vmx.c",
        "arch/x86/kvm/svm/svm.c",
        "virt/kvm/kvm_main.c",
        "drivers/a.c",
    )


def names(tree: Path, path: Path) -> list[str]:
    """Return what is read, by its place in the tree."""
    return [str(Path(each).relative_to(tree)) for each in source_paths(str(path))]


def test_of_a_tree_only_the_files_that_can_hold_wanted_functions_are_read(tree: Path) -> None:
    """AMD's half, drivers and the rest of the kernel are left alone."""
    found = ["arch/x86/kvm/x86.c", "arch/x86/kvm/lapic.c", "arch/x86/kvm/vmx/vmx.c", "virt/kvm/kvm_main.c"]
    assert names(tree, tree) == found
    assert names(tree, tree / "arch/x86/kvm") == found[:3]


def test_single_files_and_several_paths_are_read_as_named(tree: Path) -> None:
    """PATH is one file, or several paths with colons between, each of them once."""
    lapic, main = tree / "arch/x86/kvm/lapic.c", tree / "virt/kvm/kvm_main.c"
    assert source_paths(str(lapic)) == (str(lapic),)
    assert source_paths(f"{lapic}:{main}:{lapic}") == (str(lapic), str(main))


def test_a_folder_that_is_no_tree_is_read_whole(tmp_path: Path) -> None:
    """C files are taken from it and from below, hidden folders left out."""
    put(tmp_path, "b.c", "sub/a.h", "notes.txt", ".git/x.c")
    assert names(tmp_path, tmp_path) == ["b.c", "sub/a.h"]


def test_the_version_is_found_from_any_place_in_the_tree(tree: Path) -> None:
    """The Makefile at the top tells it, from the top down to a single file."""
    places = (tree, tree / "arch/x86/kvm", tree / "arch/x86/kvm/lapic.c")
    assert {version_of(str(place)) for place in places} == {"v6.3.2"}
    assert label_of(str(tree)) == "v6.3.2"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("VERSION = 6\nPATCHLEVEL = 3\nSUBLEVEL = 0\nEXTRAVERSION =\n", "v6.3"),
        ("VERSION = 6\nPATCHLEVEL = 17\nSUBLEVEL = 0\nEXTRAVERSION = -rc3\n", "v6.17-rc3"),
        ("VERSION = one\nPATCHLEVEL = 3\n", ""),
        ("all:\n\ttrue\n", ""),
    ],
)
def test_the_version_is_what_the_makefile_states(tmp_path: Path, text: str, version: str) -> None:
    """A first release has no third number, a candidate its mark; any other Makefile tells nothing."""
    (tmp_path / "Makefile").write_text(text)
    assert version_of(str(put(tmp_path, "lapic.c"))) == version


def test_a_kernel_without_a_makefile_is_called_by_its_path(tmp_path: Path) -> None:
    """Rows need a name."""
    assert label_of(str(put(tmp_path / "mine", "arch/x86/kvm/lapic.c"))) == "mine"


def test_a_path_without_kvm_is_refused_in_one_line(tmp_path: Path) -> None:
    """Each kind of bad path has its reason."""
    put(tmp_path, "no/readme.txt", "arm/arch/x86/kvm/Kconfig", *(f"many/{i}.c" for i in range(MOST_FILES + 1)))
    for path, reason in (
        ("no", "has no KVM for x86 (arch/x86/kvm), and no .c or .h file"),
        ("arm", "has no KVM for x86: none of its files is there"),
        ("many", "too many files"),
        ("nowhere", "no such file or folder"),
        ("no/readme.txt", "is no .c or .h file"),
        ("a\0b", "cannot be read"),
    ):
        with pytest.raises(PolicyError) as refused:
            source_paths(str(tmp_path / path))
        assert reason in str(refused.value)
        assert "\n" not in str(refused.value)
    with pytest.raises(PolicyError, match="names no path"):
        source_paths("")
