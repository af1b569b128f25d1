"""``pirace litmus``: herd7's form, exit codes, one line for each mistake."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from hosts.cli.litmus import LitmusOptions, litmus_command
from hosts.cli.litmus_show import Shown
from hosts.cli.main import main
from hosts.explorer.model import system
from hosts.explorer.model.options import Options
from hosts.litmus.bounds import IncompleteError
from hosts.litmus.outcome import Finals, FinalState
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
Loop Ok
Witnesses
Positive: 1 Negative: 3
Condition exists (0:rax=0 /\\ 1:rax=0)
Observation SB Sometimes 1 3
Time SB 0.01
Hash=0123456789abcdef0123456789abcdef

"""


def path(name: str) -> str:
    """Return a test's file."""
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
    assert " ".join(FOR_HERD7.split()) in " ".join(capsys.readouterr().out.split())


def test_the_help_says_where_herd7_differs(capsys: pytest.CaptureFixture[str]) -> None:
    """By version, so that whoever compares knows which of the two is meant to be right."""
    assert main(["litmus", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    for part in (
        "(7.57, and 7.58 unless noted)",
        "xchg, lock another",
        "since 2026-06-30",
        "decb of 0 gives -1, not 255",
    ):
        assert part in told


def test_the_default_is_the_native_search(capsys: pytest.CaptureFixture[str]) -> None:
    """Through the whole command."""
    assert main(["litmus", path("SB")]) == 0
    assert capsys.readouterr().out == SB


def test_a_condition_that_does_not_hold(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1; the other tests are run too."""
    assert litmus_command([path("SB"), path("MP")], LitmusOptions(model="sc"), finals) == 1
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
        f"{wrong}:5: jmp away: there is no label away in this thread",
        f"{absent}: No such file or directory",
        f"{late}:4: movl (%rax),%ebx: 0x5 is the address of no location",
        f"{binary}:1: a heading is wanted: X86 NAME or X86_64 NAME",
    ]


def test_not_read_is_worse_than_no(tmp_path: Path) -> None:
    """64 before 1."""
    wrong = write(tmp_path, "{ }\n")
    assert litmus_command([path("SB"), wrong, path("SB")], LitmusOptions(model="sc"), finals) == 64


def test_json(tmp_path: Path) -> None:
    """Where it was run, and a line for each file, refused or not, as the schema says."""
    lines, absent = tmp_path / "out.jsonl", str(tmp_path / "absent")
    litmus_command([path("SB"), absent, path("pointers")], LitmusOptions(json_file=str(lines)))
    _, first, refused, second = records_in(lines)
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
    assert refused == {
        "record": "litmus-unanswered",
        "file": absent,
        "model": "tso",
        "why": "refused",
        "line": None,
        "reason": "No such file or directory",
    }
    assert second["states"][0]["0:rax"] == "x"
    for record in (first, refused):
        for name in record:
            assert errors({key: part for key, part in record.items() if key != name}, schema())
    assert errors(first | {"states": [{"0:rax": None}]}, schema())


@pytest.mark.parametrize(
    ("error", "status", "why", "told"),
    [
        (IncompleteError("seconds"), 2, "bounded", "bounded by its time limit, no answer: more --budget"),
        (IncompleteError("memory"), 2, "bounded", "bounded by its memory limit, no answer: more --memory"),
        (MemoryError(), 2, "bounded", "bounded by this machine's memory, or a limit: no answer"),
        (ValueError("odd"), 4, "fault", "internal error: ValueError: odd (--debug shows where)"),
    ],
)
def test_what_has_no_answer_keeps_no_other_from_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception, status: int, why: str, told: str
) -> None:
    """One line, a record, an exit code, and the next file."""
    file, lines = write(tmp_path, MARKED), tmp_path / "out.jsonl"

    def fail() -> None:
        raise error

    assert litmus_command([file, path("SB")], LitmusOptions(json_file=str(lines)), where_marked(fail)) == status
    said = capsys.readouterr()
    assert said.err == f"{file}: {told}\n"
    assert said.out == SB
    _, record, answered = records_in(lines)
    assert (record["file"], record["why"], record["reason"]) == (file, why, told)
    assert answered["file"] == path("SB")


@pytest.mark.parametrize(
    ("option", "given", "bound"), [("--budget", "0.01s", "time limit"), ("--memory", "1", "memory limit")]
)
@pytest.mark.parametrize("more", [[], ["--no-reduce"]], ids=["reduced", "everything"])
def test_a_test_is_bounded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, given: str, bound: str, more: list[str]
) -> None:
    """By what it is given, whichever search; that is no answer, and the exit code says so."""
    file = write(tmp_path, contended(4, 4))
    assert main(["litmus", option, given, *more, file]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[-1] == f"{file}: bounded by its {bound}, no answer: more {option}"


def test_a_test_is_bounded_by_two_things_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first is told."""
    file = write(tmp_path, "{ }\nP0 | P1 ;\n L: incl (x) | movl (x),%eax ;\n jmp L | ;\nexists (1:rax=1)\n")
    assert main(["litmus", "--no-reduce", "--budget", "0.3s", file]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"{file}: bounded by its time limit")


def test_ctrl_c_leaves_a_record_of_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of those that were not run, too; without a line for each."""
    file, lines = write(tmp_path, MARKED), tmp_path / "out.jsonl"
    with pytest.raises(KeyboardInterrupt):
        litmus_command([path("SB"), file, path("MP")], LitmusOptions(json_file=str(lines)), where_marked(interrupt))
    assert capsys.readouterr() == (SB, "")
    _, *records = records_in(lines)
    assert [(each.get("why"), each.get("file") or each["planned"]) for each in records] == [
        (None, path("SB")),
        ("cancelled", file),
        ("cancelled", path("MP")),
    ]


@pytest.mark.parametrize("more", [[], ["--no-reduce"]], ids=["reduced", "everything"])
def test_a_search_that_takes_long_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    """In the middle of it, by one Ctrl-C; its budget is not waited for."""
    told: list[int] = []

    def once(_shown: Shown, states: int) -> None:
        told.append(states)
        if len(told) == 1:
            interrupt()

    monkeypatch.setattr(Shown, "__call__", once)
    assert main(["litmus", *more, "--budget", "20s", write(tmp_path, contended(4, 4))]) == 130
    assert len(told) == 1


def test_nothing_slow_is_loaded() -> None:
    """A small test takes no longer than Python's own start."""
    program = f"import sys; from hosts.cli.main import main; main(['litmus', {path('SB')!r}]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(SB)
    assert not {"numpy", "numba", "rich", "zmq"} & set(done.stdout.split())


def test_without_the_reduction(capsys: pytest.CaptureFixture[str]) -> None:
    """The compiled search says the same."""
    assert main(["litmus", "--no-reduce", path("SB")]) == 0
    assert capsys.readouterr().out == SB


def test_any_number_of_stores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The states of the compiled search have room for a dozen; it says so in one line."""
    stores = "".join(f" movl $1,(x{number}) | ;\n" for number in range(20))
    loads = " | movl (x19),%eax ;\n | movl (x0),%ebx ;\n"
    file = write(tmp_path, f"{{ }}\nP0 | P1 ;\n{stores}{loads}~exists (1:rax=1 /\\ 1:rbx=0)\n")
    assert main(["litmus", file]) == 0
    assert "States 3\n1:rax=0; 1:rbx=0;\n1:rax=0; 1:rbx=1;\n1:rax=1; 1:rbx=1;\n" in capsys.readouterr().out
    assert main(["litmus", "--no-reduce", file]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{file}: bounded, no answer: so long a store buffer ")


MARKED = "{ }\nP0 ;\n movl $1,(marked) ;\n"


def where_marked(act: Callable[[], None]) -> Finals:
    """Return a search that does something else first where a test has the location ``marked``."""

    def search(asked: system.Model, options: Options) -> Iterable[FinalState]:
        if "marked" in asked.words:
            act()
        return finals(asked, options)

    return search


def interrupt() -> None:
    """Press Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


def contended(threads: int, accesses: int) -> str:
    """Return a test with many states: all threads store to one location, and load it."""
    registers = "abcd"[:accesses]
    rows = [
        *([f"movl ${thread * accesses + row},(x)" for thread in range(threads)] for row in range(1, accesses + 1)),
        *([f"movl (x),%e{register}x"] * threads for register in registers),
    ]
    heading = [f"P{thread}" for thread in range(threads)]
    places = [f"{thread}:r{register}x" for thread in range(threads) for register in registers]
    table = "".join(f" {' | '.join(row)} ;\n" for row in (heading, *rows))
    return f"{{ }}\n{table}locations [{'; '.join(places)};]\n"


def test_a_file_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    """Usage."""
    assert main(["litmus"]) == 64
    assert "FILE" in capsys.readouterr().err
