"""``pirace kernel``: what is understood is said, whatever the width, and as records; errors are one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hosts.cli.main import main
from hosts.report.jsonl import schema
from tests.unit.kernel.c_texts import DELIVER, KICK, OLD_TRIGGER, SYNC, TRIGGER, UPDATE_IRR, written
from tests.validator import errors

NOT_NESTED = "no nested guest runs in this machine"


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """Return a file with functions of a kernel."""
    return written(tmp_path, TRIGGER, DELIVER, KICK, "int kvm_sched_in(void)\n{\n\treturn 0;\n}\n")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Return the lines of a command that succeeds."""
    assert main(["kernel", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def line_of(path: Path, text: str) -> int:
    """Return the line of a file that has a text."""
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_each_function_is_told_with_its_decisions(kernel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where it is, what calls became, what was left out or answered, which way ``#if`` went, what is never taken."""
    lines = printed(capsys, str(kernel))
    assert lines[0] == "kvm.c: 1 file read, 3 functions taken"
    place = line_of(kernel, "vmx_deliver_posted_interrupt(struct")
    assert f"vmx_deliver_posted_interrupt  kvm.c:{place}  taken" in lines
    for said in (
        f"  {line_of(kernel, '__apic_send_IPI_mask')}: __apic_send_IPI_mask is emu's apic_send_IPI",
        f"  {line_of(kernel, '#ifdef')}: #ifdef CONFIG_SMP: taken",
        f"  {line_of(kernel, 'vmx_deliver_nested')}: vmx_deliver_nested_posted_interrupt is -1: {NOT_NESTED}",
        "  kvm_sched_in: the scheduler's hooks have other parameters here",
    ):
        assert said in lines


def test_a_refused_function_is_told_and_the_rest_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the line that prevents it; asked for by its name it is an error."""
    path = written(tmp_path, OLD_TRIGGER, KICK)
    lines = printed(capsys, str(path))
    assert lines[0].endswith("1 function taken, 1 refused")
    assert any(line.startswith(f"  kvm_vcpu_trigger_posted_interrupt: {path}:2: ") for line in lines)
    assert main(["kernel", str(path), "--only", "kvm_vcpu_trigger_posted_interrupt,kvm_vcpu_kick"]) == 64
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f"pirace: {path}:2: ")


@pytest.mark.parametrize("width", [60, 100, 160])
def test_the_translation_stands_beside_the_c(
    kernel: Path, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line where there is room, else below it; no line is wider than the terminal."""
    monkeypatch.setenv("COLUMNS", str(width))
    lines = printed(capsys, str(kernel), "--python", "--only", "kvm_vcpu_kick")
    assert max(map(len, lines)) <= width
    number = line_of(kernel, "me = get_cpu();")
    (at,) = (i for i, line in enumerate(lines) if line.split() and line.split()[0] == str(number) and "me =" in line)
    beside = lines[at] if width >= 100 else lines[at + 1]
    assert "me = get_cpu()" in beside.split("│" if width >= 100 else ">")[-1]


def test_records_fit_the_schema(kernel: Path, tmp_path: Path) -> None:
    """One for each function that is told of."""
    file = tmp_path / "out.jsonl"
    assert main(["kernel", str(kernel), "--json", str(file)]) == 0
    records = [json.loads(line) for line in file.read_text().splitlines()]
    for record in records:
        assert errors(record, schema()) == []
    fates = {record["name"]: record["fate"] for record in records[1:] if record["fate"] != "inlined"}
    assert fates["kvm_vcpu_kick"] == "taken"
    assert fates["kvm_sched_in"] == "not-taken"


def test_a_wrapped_function_is_told_as_the_kernels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not by what stands between."""
    path = written(tmp_path, SYNC, UPDATE_IRR)
    lines = printed(capsys, str(path))
    assert not [line for line in lines if "wrap_" in line]
    place = line_of(path, "bool kvm_apic_update_irr(")
    assert f"kvm_apic_update_irr  kvm.c:{place}  taken" in lines


def test_a_trace_shows_the_kernels_functions_in_their_places(kernel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of the machine that are replaced are steps as before, and nothing below them is lost."""
    assert main(["trace", "timer-fastpath", "--kernel", str(kernel)]) == 0
    lines = [line.partition("<=")[0] for line in capsys.readouterr().out.splitlines()]
    steps = [line.split("->")[-1].split("=")[-1].partition(" [")[0].strip() for line in lines]
    begin = steps.index("vmx_deliver_posted_interrupt()")
    assert steps[begin + 1 : begin + 3] == ["pi_test_and_set_pir()", "pi_test_and_set_on()"]
    assert steps[begin + 3].startswith("kvm_vcpu_trigger_posted_interrupt()")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has none of the functions that can be taken"),
        ("\x00\x01\x02", "kvm.c:1: is not C: it has a byte 0"),
        ("void kvm_vcpu_kick(struct kvm_vcpu *vcpu)\n{\n\tif (", ":"),
        ("void kvm_vcpu_kick(struct kvm_vcpu *vcpu)\n{\n\tkvm_vcpu_kick(vcpu);\n\tBEGIN {\n}\n", ":"),
    ],
)
def test_what_is_no_kernel_is_refused_in_one_line(
    tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing, binary data, half a file, a macro that opens a brace."""
    assert main(["kernel", str(written(tmp_path, text))]) == 64
    (error,) = capsys.readouterr().err.splitlines()
    assert said in error
