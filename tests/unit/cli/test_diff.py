"""``--diff``: each row before and after a patch of a kernel, and one sentence on what it changes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from emu.machine import Machine
from emu.memory import WORD_BYTES
from emu.observe.accounting import CHECKS, COUNTERS, RECORD_WORDS, WINDOWS
from hosts.cli.main import main
from hosts.cli.stress import stress_command
from hosts.errors import Failure
from hosts.exit_codes import EXIT_USAGE
from hosts.loader.user_code import CodeSpec, UserCode
from hosts.runs.runner import Ended, Request, Watch
from tests.choice import slow_but
from tests.validator import records_in

MISTAKEN = """\
static inline void kvm_vcpu_trigger_posted_interrupt(struct kvm_vcpu *vcpu, int pi_vec)
{
\tbool here = vcpu == kvm_get_running_vcpu();

\t/* nobody to tell */
\tif (here)
\t\treturn;
\tif (vcpu->mode == IN_GUEST_MODE)
\t\t__apic_send_IPI_mask(get_cpu_mask(vcpu->cpu), pi_vec);
\telse
\t\tkvm_vcpu_wake_up(vcpu);
}
"""
FIX = """\
Tell the vCPU of this processor, too, unless it is about to look.

--- a/arch/x86/kvm/vmx/posted.c
+++ b/arch/x86/kvm/vmx/posted.c
@@ -3,7 +3,7 @@
 \tbool here = vcpu == kvm_get_running_vcpu();

 \t/* nobody to tell */
-\tif (here)
+\tif (here && vcpu->mode == IN_GUEST_MODE)
 \t\treturn;
 \tif (vcpu->mode == IN_GUEST_MODE)
 \t\t__apic_send_IPI_mask(get_cpu_mask(vcpu->cpu), pi_vec);
"""
COMMENT = FIX.replace("-\tif (here)\n+\tif (here && vcpu->mode == IN_GUEST_MODE)\n", " \tif (here)\n").replace(
    " \t/* nobody to tell */\n", "-\t/* nobody to tell */\n+\t/* it looks by itself */\n"
)
BARRIER = FIX.replace(
    "-\tif (here)\n+\tif (here && vcpu->mode == IN_GUEST_MODE)\n", "+\tsmp_mb();\n \tif (here)\n"
).replace("+3,7", "+3,8")


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """Write a file of a kernel and a patch; return the options."""
    (tmp_path / "posted.c").write_text(MISTAKEN)
    (tmp_path / "fix.patch").write_text(FIX)
    return ["--kernel", str(tmp_path / "posted.c"), "--diff", str(tmp_path / "fix.patch")]


def rewritten(asked: list[str], patch: str, file: str = MISTAKEN) -> None:
    """Write another patch, or another file, in their places."""
    Path(asked[1]).write_text(file)
    Path(asked[3]).write_text(patch)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what was printed, without its line breaks."""
    return " ".join(capsys.readouterr().out.split())


def test_each_row_is_explored_before_and_after_and_the_last_line_says_what_changes(
    capsys: pytest.CaptureFixture[str], asked: list[str], tmp_path: Path
) -> None:
    """The exit status is that of the rows after the patch; records name both machines."""
    records = tmp_path / "rows.jsonl"
    assert main(["explore", *asked, "--scenario", "device-irq", "--json", str(records)]) == 0
    text = said(capsys)
    assert text.endswith(
        "2 of 2 rows: 1 PASS, 1 VIOLATION; none against the table fix.patch: before: C2 in device-irq; after: clean."
    )
    assert "posted.c+fix.patch: 1 function of emu/ is replaced: kvm_vcpu_trigger_posted_interrupt (posted.c:1" in text
    assert "fix.patch changes kvm_vcpu_trigger_posted_interrupt (posted.c:1)" in text
    _, before, after = records_in(records)
    told = ("policy", "verdict", "as_expected")
    assert [before[each] for each in told] == ["posted.c", "VIOLATION", None]
    assert [after[each] for each in told] == ["posted.c+fix.patch", "PASS", True]


@pytest.mark.slow
def test_a_patch_that_breaks_something_is_not_as_expected(capsys: pytest.CaptureFixture[str], asked: list[str]) -> None:
    """What a maintainer's CI has to stop at."""
    good = MISTAKEN.replace("\tif (here)", "\tif (here && vcpu->mode == IN_GUEST_MODE)")
    broken = "".join(
        {"-": "+", "+": "-"}.get(line[0], line[0]) + line[1:] if line[:3] not in ("---", "+++") else line
        for line in FIX.partition("\n\n")[2].splitlines(keepends=True)
    )
    rewritten(asked, broken, good)
    assert main(["explore", *asked, "--scenario", "device-irq"]) == 1
    assert said(capsys).endswith("fix.patch: before: clean; after: C2 in device-irq.")


@pytest.mark.slow
def test_a_patch_that_changes_nothing_that_shows_is_told_with_what_was_compared(
    capsys: pytest.CaptureFixture[str], asked: list[str]
) -> None:
    """One more barrier, where there was one."""
    rewritten(asked, BARRIER)
    assert main(["explore", *asked, "--scenario", "timer-fastpath"]) == 0
    assert said(capsys).endswith("fix.patch changes nothing that shows here: before and after clean (1 row compared).")


@pytest.mark.parametrize("command", slow_but(["stress"], ["stress", "explore"]))
def test_a_patch_of_no_function_that_is_taken_is_refused(
    capsys: pytest.CaptureFixture[str], asked: list[str], command: str
) -> None:
    """With what is taken, and what the patch is about."""
    rewritten(asked, COMMENT)
    assert main([command, *asked, "--scenario", "kick"]) == EXIT_USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert "changes no function that is taken (of posted.c: kvm_vcpu_trigger_posted_interrupt)" in line
    assert line.endswith("it changes posted.c")


def test_a_hunk_that_does_not_apply_is_one_line(capsys: pytest.CaptureFixture[str], asked: list[str]) -> None:
    """With its place in the patch."""
    rewritten(asked, FIX, MISTAKEN.replace("if (here)", "if (this)"))
    assert main(["trace", "kick", *asked]) == EXIT_USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"pirace: {asked[3]}:5: hunk 1 of arch/x86/kvm/vmx/posted.c does not apply: ")
    assert line.endswith("is 'if (this)', and the patch has 'if (here)'")


class MadeUp:
    """A host on which a machine sleeps on an interrupt: that without the patch, or with it if this mends nothing."""

    def __init__(self, *, mended: bool = True) -> None:
        self.raced: list[str] = []
        self.mended = mended

    @contextlib.contextmanager
    def __call__(self, code: UserCode | None, *, quiet: bool) -> Iterator[MadeUp]:
        """Be the host."""
        assert code is not None
        self.fixed, self.quiet = (code.diff is not None) is self.mended, quiet
        yield self

    def run(self, request: Request, watch: Watch) -> Ended:
        """Run nothing."""
        self.raced.append(request.planned.policy.name)
        words = np.zeros(Machine.nbytes // WORD_BYTES, np.int64)
        cpu = Machine(0).pcpus[0]
        words[cpu.windows.at // WORD_BYTES :][: len(WINDOWS)] = 1
        words[cpu.counters[COUNTERS.index("self_posts")] // WORD_BYTES] = 10
        words[cpu.counters[COUNTERS.index("ipis_sent")] // WORD_BYTES] = 0 if self.fixed else 10
        if not self.fixed and request.planned.scenario.name == "device-irq":
            words[cpu.records[CHECKS.index("C2") * RECORD_WORDS] // WORD_BYTES] = 1
        watch.progress(words, 0.0)
        return Ended(words, request.seconds)


def raced(asked: list[str], host: MadeUp, *scenarios: str) -> int:
    """Run a stress run on that host."""
    spec = CodeSpec(kernel=asked[1], diff=asked[3])
    nobody = lambda _code, quiet: contextlib.nullcontext()  # noqa: ARG005, E731 - who explores
    return stress_command(scenario=scenarios, code=spec, controls="none", host=host, scouting=nobody, seconds=2.0)


def test_each_row_is_raced_before_and_after_side_by_side(capsys: pytest.CaptureFixture[str], asked: list[str]) -> None:
    """The whole table first without the patch, then with it; one column each, and what a self-post costs."""
    host = MadeUp()
    assert raced(asked, host, "device-irq", "tscdeadline-immed") == 0
    assert list(dict.fromkeys(host.raced)) == ["posted.c", "posted.c+fix.patch"]
    out = capsys.readouterr().out
    assert [line.split(" in about")[0] for line in out.splitlines() if " in about 1 s" in line] == [
        "posted.c: 2 rows",
        "posted.c+fix.patch: 2 rows",
    ]
    row = next(line for line in out.splitlines() if line.split()[:1] == ["device-irq"])
    assert row.split()[1:] == ["VIOLATION", "C2", "PASS"]
    assert " ".join(out.split()).endswith(
        "fix.patch: before: C2 in device-irq; after: clean, no IPI for a self-post instead of 1.00."
    )


def test_the_exit_status_is_that_of_the_rows_after_the_patch(
    capsys: pytest.CaptureFixture[str], asked: list[str]
) -> None:
    """What is wrong before is what a patch is for; what is wrong after it is what a maintainer's CI has to stop at."""
    assert raced(asked, MadeUp(mended=False), "device-irq", "tscdeadline-immed") == 1
    assert said(capsys).endswith("before: clean; after: C2 in device-irq, 1.00 IPIs for a self-post instead of none.")


def test_nothing_is_raced_with_a_patch_that_cannot_be_read(asked: list[str]) -> None:
    """It is found out before anything is compiled."""
    host = MadeUp()
    Path(asked[3]).unlink()
    with pytest.raises(Failure, match=r"fix\.patch:1: cannot be read: No such file"):
        raced(asked, host, "kick")
    assert not host.raced
