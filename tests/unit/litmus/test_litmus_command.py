"""``pirace litmus``: herd7's form, exit codes, one line for each mistake."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hosts.cli.errors import Failure
from hosts.cli.litmus import litmus_command
from hosts.cli.main import main
from hosts.explorer.model import Model, Options
from hosts.litmus.outcome import IncompleteError
from hosts.litmus.render import FOR_HERD7
from hosts.report.jsonl import schema
from tests.unit.litmus.breadth import finals
from tests.validator import errors, records_in

FILES = Path(__file__).parent / "files"

SB = """\
Test SB Allowed
States 4
0:rax=0; 1:rax=0;
0:rax=0; 1:rax=1;
0:rax=1; 1:rax=0;
0:rax=1; 1:rax=1;
Ok
Condition exists (0:rax=0 /\\ 1:rax=0)
Observation SB Sometimes

"""
SB_OF_HERD7 = """\
Test SB Allowed
States 4
0:rax=0; 1:rax=0;
0:rax=0; 1:rax=1;
0:rax=1; 1:rax=0;
0:rax=1; 1:rax=1;
Ok
Witnesses
Positive: 1 Negative: 3
Condition exists (0:rax=0 /\\ 1:rax=0)
Observation SB Sometimes 1 3
Time SB 0.01
Hash=0123456789abcdef0123456789abcdef

"""


def path(name: str) -> str:
    """Give a test's file."""
    return str(FILES / f"{name}.litmus")


def write(folder: Path, body: str, name: str = "t") -> str:
    """Write a test."""
    file = folder / f"{name}.litmus"
    file.write_text(f"X86_64 {name}\n{body}")
    return str(file)


def test_the_form_is_herd7s(capsys: pytest.CaptureFixture[str]) -> None:
    """Once the lines that count executions are gone, as the command of the help takes them away."""
    assert litmus_command([path("SB")], finals=finals) == 0
    out = capsys.readouterr().out
    assert out == SB
    filtered = subprocess.run(FOR_HERD7, shell=True, input=SB_OF_HERD7, capture_output=True, text=True, check=True)  # noqa: S602
    assert filtered.stdout == out


def test_the_help_names_the_filter(capsys: pytest.CaptureFixture[str]) -> None:
    """The one that is tested."""
    assert main(["litmus", "--help"]) == 0
    assert FOR_HERD7 in capsys.readouterr().out


def test_the_default_is_the_native_search(capsys: pytest.CaptureFixture[str]) -> None:
    """Through the whole command."""
    assert main(["litmus", path("SB")]) == 0
    assert capsys.readouterr().out == SB


def test_a_condition_that_does_not_hold(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1; the other tests are run too."""
    assert litmus_command([path("SB"), path("MP")], "sc", finals=finals) == 1
    out = capsys.readouterr().out
    assert "States 3" in out
    assert "\nNo\nCondition exists (0:rax=0 /\\ 1:rax=0)\nObservation SB Never\n\nTest MP Forbidden\n" in out


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        ("exists (x=1)", "Allowed Ok Sometimes"),
        ("exists (x=3)", "Allowed No Never"),
        ("~exists (x=3)", "Forbidden Ok Never"),
        ("~exists (x=1)", "Forbidden No Sometimes"),
        ("forall (x=1 \\/ x=2)", "Required Ok Always"),
        ("forall (x=1)", "Required No Sometimes"),
        ("forall (x=1 => x=1)", "Required Ok Always"),
        ("forall (x=1 => x=2)", "Required No Sometimes"),
        ("forall (not x=3 /\\ x != 4)", "Required Ok Always"),
        ("exists (false \\/ x=y)", "Allowed No Never"),
        ("exists ([x]=z /\\ [x]=[x])", "Allowed No Never"),
        ("filter (x=2) forall (x=2)", "Required Ok Always"),
        ("filter (x=2) exists (x=1)", "Allowed No Never"),
        ("filter (x=3) exists true", "Allowed No Never"),
        ("", "Required Ok Always"),
    ],
)
def test_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str], condition: str, verdict: str) -> None:
    """Test's kind, Ok or No, and Observation's word."""
    file = write(tmp_path, f"{{ }}\nP0 | P1 ;\n movl $1,(x) | movl $2,(x) ;\n{condition}\n")
    kind, good, word = verdict.split()
    assert litmus_command([file], finals=finals) == (good == "No")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Test t {kind}"
    assert good in lines
    assert lines[-2] == f"Observation t {word}"


def test_states_are_sorted_as_herd7_sorts_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Threads, their registers in the machine's order, locations by name; whole registers as signed numbers."""
    rows = " movq $-1,(x) | movq (x),%rsi | movl (b),%r9d ;\n movl $-1,(b) | movl $2,%eax | movl $1,%edi ;\n"
    shown = "locations [b; 2:r9; 2:rdi; 1:rsi; 1:rax; x;]\n"
    file = write(tmp_path, f"{{ uint64_t x; }}\nP0 | P1 | P2 ;\n{rows}{shown}")
    assert litmus_command([file], finals=finals) == 0
    out = capsys.readouterr().out.splitlines()
    tail = "[b]=-1; [x]=18446744073709551615;"
    assert out[2:6] == [
        f"1:rax=2; 1:rsi={rsi}; 2:rdi=1; 2:r9={r9}; {tail}" for rsi, r9 in ((-1, 0), (-1, -1), (0, 0), (0, -1))
    ]


def test_nothing_shown_is_an_empty_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As herd7 prints it."""
    litmus_command([write(tmp_path, "{ }\nP0 ;\n nop ;\n")], finals=finals)
    assert capsys.readouterr().out.startswith("Test t Required\nStates 1\n\nOk\nCondition forall (true)\n")


def test_a_file_that_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with the file's and the line's name, exit code 64, and the others are run."""
    wrong = write(tmp_path, "{ }\nP0 ;\n movl $1,(x) ;\n jmp away ;\n")
    late = write(tmp_path, "{ 0:rax=5; }\nP0 ;\n movl (%rax),%ebx ;\n", "late")
    binary = tmp_path / "binary.litmus"
    binary.write_bytes(b"\x7fELF\x00\xff\n")
    absent = str(tmp_path / "absent.litmus")
    assert main(["litmus", wrong, absent, late, str(binary), path("SB")]) == 64
    told = capsys.readouterr()
    assert told.out == SB
    assert told.err.splitlines() == [
        f"{wrong}:5: jumps are not read (jmp)",
        f"{absent}: No such file or directory",
        f"{late}:4: movl (%rax),%ebx: 0x5 is the address of no location",
        f"{binary}:1: a heading is wanted: X86 NAME or X86_64 NAME",
    ]


def test_not_read_is_worse_than_no(tmp_path: Path) -> None:
    """64 before 1."""
    wrong = write(tmp_path, "{ }\n")
    assert litmus_command([path("SB"), wrong, path("SB")], "sc", finals=finals) == 64


def test_json(tmp_path: Path) -> None:
    """Where it was run, and a line for each test that is read, as the schema says."""
    lines = tmp_path / "out.jsonl"
    litmus_command([path("SB"), path("pointers"), str(tmp_path / "absent")], "tso", str(lines), finals)
    _, first, second = records_in(lines)
    states = [{"0:rax": a, "1:rax": b} for a in (0, 1) for b in (0, 1)]
    assert first == {
        "record": "litmus",
        "host": "explorer",
        "file": path("SB"),
        "test": "SB",
        "arch": "X86_64",
        "model": "tso",
        "quantifier": "exists",
        "ok": True,
        "observation": "Sometimes",
        "witnesses": 1,
        "states": states,
    }
    assert second["states"][0]["0:rax"] == "x"
    for name in first:
        assert errors({key: part for key, part in first.items() if key != name}, schema())
    assert errors(first | {"states": [{"0:rax": None}]}, schema())


def test_an_incomplete_search_is_our_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """It is never taken for an answer."""

    def broken(model: Model, options: Options) -> list[tuple[list[int], list[int]]]:
        raise IncompleteError("bounded by memory")

    with pytest.raises(Failure, match="bounded by memory") as caught:
        litmus_command([path("SB")], finals=broken)
    assert caught.value.exit_code == 4


def test_a_file_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    """Usage."""
    assert main(["litmus"]) == 64
    assert "FILE" in capsys.readouterr().err
