"""The files that a command reads: each is taken whole, or refused in one line, whatever it is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from emu.workload.scenarios import SCENARIOS
from hosts.cli.main import main
from hosts.cli.stress import stress_command
from hosts.errors import Failure
from hosts.explorer.counterexample.labels import check_labels
from hosts.explorer.counterexample.witness import (
    Row,
    Step,
    Witness,
    WitnessError,
    by_offset,
    changed_sources,
    source_hashes,
)
from hosts.explorer.counterexample.witness_file import load, save, text
from hosts.explorer.initial_state import initial_words
from hosts.explorer.threads.harness import driver_sources, scope_of
from hosts.loader.policy_name import patched_name
from hosts.loader.program import load_program
from hosts.loader.user_code import CodeSpec, UserCode, code_of
from tests.unit.cli.test_main import FakeScout, MadeUp
from tests.validator import records_in

RULE = "def rule(vcpu, vec):\n    pass\n"


def folder(path: Path) -> None:
    """Make a folder."""
    path.mkdir()


def pipe(path: Path) -> None:
    """Make a pipe to which nobody writes."""
    os.mkfifo(path)


def endless(path: Path) -> None:
    """Make a link to a device that never ends."""
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    """Make a file that is larger than any that is meant."""
    with path.open("wb") as file:
        file.truncate(1 << 40)


def empty(path: Path) -> None:
    """Make an empty file."""
    path.touch()


def no_text(path: Path) -> None:
    """Make a file that is no UTF-8."""
    path.write_bytes(b"X86 SB\n{}\n\xff\xfe\x00 = \x80")


def deep(path: Path) -> None:
    """Make a file that is nested deeply, for JSON and for Python."""
    path.write_text("[" * 100_000)


COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "replay": lambda path: ["replay", str(path)],
    "litmus": lambda path: ["litmus", str(path)],
    "stress": lambda path: ["stress", "--policy", f"{path}:rule"],
    "explore": lambda path: ["explore", "--scope", "device", "--policy", f"{path}:rule"],
    "audit": lambda path: ["audit", "--policy", f"{path}:rule"],
    "trace": lambda path: ["trace", "timer-fastpath", "--policy", f"{path}:rule"],
    "soak": lambda path: ["soak", "--campaign", f"{path}-campaign", "--policy", f"{path}:rule"],
}


@pytest.mark.parametrize("make", [folder, pipe, endless, huge, empty, no_text, deep])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_such_file_is_one_line(
    command: str, make: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 64, at once."""
    path = tmp_path / "odd"
    make(path)
    assert main(COMMANDS[command](path)) == 64
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert str(path) in line
    assert "internal error" not in line


@pytest.mark.parametrize("make", [folder, pipe, endless, empty, no_text])
def test_a_campaign_that_is_none_is_one_line(
    make: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever bears its name; for each command that reads one. Damage is the environment's."""
    make(tmp_path / "campaign.sqlite")
    for command in (["soak", "status"], ["soak", "show", "1"], ["repro", "1"], ["soak", "--resume", "--for", "1s"]):
        assert main([*command, "--campaign", str(tmp_path)]) == 3
        (line,) = capsys.readouterr().err.splitlines()
        assert str(tmp_path) in line


# --- witnesses ---------------------------------------------------------------------------------------------------


@pytest.fixture
def witness() -> Witness:
    """Return one that contradicts nothing; its one step leads nowhere."""
    race = next(each for each in SCENARIOS if each.name == "remote-post")
    scope = scope_of(race)
    row = Row("LOAD", "", 0, 0, 0, "f", "emu/halt.py", 1, "x")
    return Witness(
        scenario="remote-post",
        policy="always-2021",
        mutation="no-entry-barrier",
        scope=str(scope),
        model="tso",
        buffer=4,
        overtake=False,
        check="C1",
        vector=0x34,
        threads=scope.names,
        drivers=driver_sources(scope),
        initial=by_offset(initial_words(scope, 2, 4)),
        shared={},
        interrupted=(0,),
        interrupted_last=(),
        eager=True,
        steps=(Step("run", 0, -1, (), (row,)),),
        states=(),
        sources=source_hashes({}),
    )


def test_labels_that_do_not_fit_are_refused(witness: Witness) -> None:
    """Another policy, mutation, scenario or scope than that whose machine the steps begin with."""
    check_labels(witness)
    for label, said in [
        ({"policy": "kick-2016"}, "not those of the policy that it names: kick-2016"),
        ({"policy": "x.py:f"}, "not those of the policy that it names: x.py:f"),
        ({"mutation": ""}, "not those of the mutation that it names: none"),
        ({"policy": "nobody"}, "a policy that there is not: nobody"),
        ({"mutation": "nothing"}, "a mutation that there is not: nothing"),
        ({"scenario": "nowhere"}, "a scenario that there is not: nowhere"),
        ({"scope": "device"}, "its threads are not those of the scope that it names"),
        ({"scope": "nonsense"}, "its scope is none"),
        ({"initial": {**witness.initial, 8: 5}}, "another machine than that of the scenario"),
    ]:
        with pytest.raises(WitnessError, match=said):
            check_labels(replace(witness, **label))


def first(data: dict[str, Any]) -> dict[str, Any]:
    """Return the operation of the first step."""
    row: dict[str, Any] = data["steps"][0]["rows"][0]
    return row


WRONG: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda data: data["steps"][0].update(thread=9), "step 1: 'run' of thread 9"),
    (lambda data: data["steps"][0].update(agent="walk"), "Invalid enum value 'walk' - at `$.steps[0].agent`"),
    (lambda data: first(data).update(kind="LEAP"), "step 1: 'LEAP' is no operation"),
    (
        lambda data: data["steps"][0]["rows"][0].update(a=1 << 63),
        "Expected `int` <= 9223372036854775807 - at `$.steps[0].rows[0].a`",
    ),
    (
        lambda data: data["steps"][0]["rows"][0].update(a=1e400),
        "Expected `int`, got `float` - at `$.steps[0].rows[0].a`",
    ),
    (lambda data: first(data).pop("line"), "missing required field `line` - at `$.steps[0].rows[0]`"),
    (lambda data: data.update(steps=5), "Expected `array`, got `int` - at `$.steps`"),
    (lambda data: data.update(buffer=True), "Expected `int`, got `bool` - at `$.buffer`"),
    (lambda data: data.update(buffer=10**6), "Expected `int` <= 64 - at `$.buffer`"),
    (lambda data: data["steps"][0].update(vector=-2), "Expected `int` >= -1 - at `$.steps[0].vector`"),
    (lambda data: data.update(model="pso"), "Invalid enum value 'pso' - at `$.model`"),
    (lambda data: data.update(model="sc"), "model 'sc' with a buffer of 4"),
    (lambda data: data.update(check="C99"), "check 'C99' is none"),
    (lambda data: data.update(vector=256), "Expected `int` <= 255 - at `$.vector`"),
    (lambda data: data.update(cycle=2), "a cycle of 2 steps for C1"),
    (lambda data: data.update(states=[{}]), "1 states for 1 steps"),
    (
        lambda data: data["steps"][0]["rows"][0].update(a=-(1 << 70)),
        "`int` >= -9223372036854775808 - at `$.steps[0].rows",
    ),
    (lambda data: first(data).update(a=1.0), "Expected `int`, got `float` - at `$.steps[0].rows[0].a`"),
    (
        lambda data: data["steps"][0].update(answers=[0, None]),
        "Expected `int`, got `null` - at `$.steps[0].answers",
    ),
    (lambda data: data["steps"][0].update({"x" * 99_999: 1}), "unknown field `xxxxx"),
    (lambda data: data.update(initial={"-8": 1}), "Expected `int` >= 0 - at `key` in `$.initial`"),
    (lambda data: data.update(shared={8: 1}), "Expected `str`, got `int` - at `$.shared[...]`"),
    (lambda data: data.update(initial={"x": 1}), "Expected `int`, got `str` - at `key` in `$.initial`"),
    (lambda data: data.update(more=1), "unknown field `more`"),
    (lambda data: data.pop("scope"), "missing required field `scope`"),
    (lambda data: data.update(witness="2.0"), "a witness of format 2.0; this version reads 1.3"),
]


@pytest.mark.parametrize(("change", "said"), WRONG)
def test_a_witness_is_checked_as_a_whole(
    witness: Witness, tmp_path: Path, change: Callable[[dict[str, Any]], Any], said: str
) -> None:
    """The line names what is wrong, and where."""
    path = tmp_path / "w.json"
    data = json.loads(text(witness))
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(WitnessError) as told:
        load(path)
    assert said in str(told.value)
    assert len(str(told.value)) < len(str(path)) + 200


def test_a_witness_that_is_saved_is_read(witness: Witness, tmp_path: Path) -> None:
    """And one of an earlier format, which has not all fields."""
    save(witness, tmp_path / "w.json")
    assert load(tmp_path / "w.json") == witness
    data = json.loads(text(witness))
    for name in ("story", "cycle", "without_buffers", "fate", "repaired_by", "fuse"):
        del data[name]
    (tmp_path / "old.json").write_text(json.dumps({**data, "witness": "1.0"}))
    assert load(tmp_path / "old.json") == witness


def test_a_path_that_is_no_text_is_read_as_it_was_saved(witness: Witness, tmp_path: Path) -> None:
    """A rule lies where it lies; as a name of anything else such a text is refused."""
    odd = os.fsdecode(b"\xff.py:rule")
    save(replace(witness, policy=odd), tmp_path / "w.json")
    assert load(tmp_path / "w.json").policy == odd
    save(replace(witness, model=odd), tmp_path / "w.json")
    with pytest.raises(WitnessError, match="not a witness file"):
        load(tmp_path / "w.json")


# --- the user's rule ---------------------------------------------------------------------------------------------


def test_records_and_witnesses_tell_the_rule_that_was_loaded(
    witness: Witness, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the file's sha256 as it was read; replay says when it is another one by now."""
    rule = tmp_path / "rule.py"
    rule.write_text(RULE)
    digest = hashlib.sha256(RULE.encode()).hexdigest()
    spec = f"{rule}:rule"
    assert load_program(code_of(spec)).rule_sha256 == digest
    path = tmp_path / "out.jsonl"
    options = {"scenario": ["kick"], "policy": [spec], "controls": "none", "quiet": True, "json_file": str(path)}
    stress_command(**options, host=MadeUp(), scouting=FakeScout())
    assert records_in(path)[0]["policy_sha256"] == digest
    mine = replace(witness, policy=spec, sources=source_hashes({str(rule): digest}))
    assert changed_sources(mine, {str(rule): digest}) == []
    save(mine, tmp_path / "w.json")
    rule.write_text(RULE + "# another\n")
    assert main(["replay", str(tmp_path / "w.json")]) == 64
    assert f"{rule} (another rule than the witness's: sha256 " in capsys.readouterr().err


def test_a_witness_names_the_patches_that_were_in_the_machine(witness: Witness, tmp_path: Path) -> None:
    """And is written as ever without; its policy is still held against the steps."""
    spec = CodeSpec(patches=("fix.py",))
    save(witness, tmp_path / "w.json")
    assert '"code"' not in (tmp_path / "w.json").read_text()
    patched = replace(witness, policy=patched_name(witness.policy, "fix.py"), code=spec)
    save(patched, tmp_path / "w.json")
    assert load(tmp_path / "w.json") == patched
    check_labels(patched)
    with pytest.raises(WitnessError, match="not those of the policy"):
        check_labels(replace(patched, policy="kick-2016+fix.py"))
    with pytest.raises(WitnessError, match="a policy that there is not"):
        check_labels(replace(patched, code=None))


def test_a_rule_that_changes_while_it_is_compiled_is_not_raced(tmp_path: Path) -> None:
    """Nobody could say which one the rows are of."""
    file = tmp_path / "rule.py"
    file.write_text(RULE)

    class Editing(MadeUp):
        def __call__(self, code: UserCode | None, *, quiet: bool) -> Any:
            file.write_text(RULE + "# another\n")
            return super().__call__(code, quiet=quiet)

    options = {"scenario": ["kick"], "policy": [f"{file}:rule"], "controls": "none", "quiet": True}
    with pytest.raises(Failure, match="has changed while it was compiled"):
        stress_command(**options, host=Editing(), scouting=FakeScout())


@pytest.mark.parametrize("deep", [" + ".join(["vec"] * 300), "-" * 300 + "vec"])
def test_a_rule_that_is_nested_too_deeply_is_refused_with_its_line(
    deep: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before somebody who walks through it runs out of stack."""
    rule = tmp_path / "rule.py"
    rule.write_text(f"def rule(vcpu, vec):\n    x = {deep}\n")
    assert main(["trace", "timer-fastpath", "--policy", f"{rule}:rule"]) == 64
    assert capsys.readouterr().err == f"pirace: {rule}:2: is nested too deeply\n"
