"""The harness of an exploration (its environment): what the other pCPUs do, and what the guest may do.

A scope is written as ``post:0x34 post:0xf6 | post:0x35 | device | kick | guest=cpuid,hlt,timer | timers=1``: a column
for each pCPU, its acts in order. The guest draws from its menu as often as it likes: the number of its exits and halts
is unbounded, that of the timers and IPIs to other vCPUs that it starts is bounded. A vector may be typed without 0x.
With ``cpus=2 | vcpus=2`` two pCPUs in front of these run two vCPUs as tasks (emu.sched). With ``turns=1,0`` the guest
of vCPU 0 acts once, and that of vCPU 1 only takes interrupts until the run is over.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from emu.machine import MAX_PCPUS
from emu.vectors import DEVICE_VECTOR, LOCAL_TIMER_VECTOR, POST_SLOTS, SLOT_POST, slot_of, vector_of
from emu.workload.program import (
    GUEST_ARM_LATER,
    GUEST_ARM_NOW,
    GUEST_CLI,
    GUEST_CPUID,
    GUEST_HLT,
    GUEST_ICR,
    GUEST_ICR_SELF,
    GUEST_LOWER_TPR,
    GUEST_NOTHING,
    GUEST_RAISE_TPR,
    GUEST_SELF_IPI,
    GUEST_STI,
    GUEST_STI_HLT,
)
from emu.workload.scenarios import Scenario
from hosts.kernel_names import vector_text
from hosts.loader.own.weave import act_driver

DEFAULT: Final = "post:0x34 post:0x34 | post:0x35 | device | kick"
"""Two remote posts from one pCPU and one from another, one device interrupt on the target's own pCPU, one kick."""
DEFAULT_NAME: Final = "default"
"""What stands for the scenario where that is explored."""

ACTS: Final = {
    "timer-fastpath": "",
    "tscdeadline-immed": "",
    "timer-slowpath": "",
    "remote-post": "post:0x34 post:0x34 | post:0x35 | handlers=slow",
    "self-vs-remote": "post:0x34 | post:0x35",
    "device-irq": "device device",
    "halt-wake": "post:0x34 post:0x34 | post:0x35",
    "kick": "post:0x34 kick | kick",
    "all-to-all": "",
}
"""What is explored of a scenario if nobody says how much."""

_ITEMS: Final = {
    "cpuid": GUEST_CPUID,
    "hlt": GUEST_HLT,
    "now": GUEST_ARM_NOW,
    "timer": GUEST_ARM_LATER,
    "self": GUEST_SELF_IPI,
    "icr": GUEST_ICR,
    "icr-self": GUEST_ICR_SELF,
    "cli": GUEST_CLI,
    "sti": GUEST_STI,
    "sti-hlt": GUEST_STI_HLT,
    "raise": GUEST_RAISE_TPR,
    "lower": GUEST_LOWER_TPR,
}
_ACT: Final = re.compile(
    r"(post):(?:0x)?([0-9a-f]{2})(?:@([0-9]))?|(device|kick|signal|hrtimer|iommu)(?:@([0-9]))?|(tick):([0-9])|(assign)"
)
_OWN: Final = re.compile(r"([a-z_][a-z0-9_]*)(?:@([0-9]))?")
"""An act of the user's code, by its name."""
_POSTED: Final = tuple(vector_of(slot) for slot in range(SLOT_POST, SLOT_POST + POST_SLOTS))


MOST: Final = 99
"""Acts of a pCPU, and timers of a guest: far beyond what a search comes to the end of."""


class ScopeError(Exception):
    """A scope that cannot be understood; the message is for the user."""


@dataclass(frozen=True)
class Scope:
    """The scope of an exploration."""

    acts: tuple[tuple[str, ...], ...]
    """For each pCPU that runs no vCPU its acts."""
    guest: tuple[int, ...]
    """The guest's menu."""
    timers: int = 1
    """Timers and IPIs to other vCPUs that a guest starts at most."""
    slow_handlers: bool = False
    """The guest's handlers may put their EOI off for as long as they like."""
    vcpus: int = 1
    slow_timer: bool = False
    paths: tuple[str, ...] = ()
    """Words of the configuration that are 1."""
    task_pcpus: int = 0
    """How many pCPUs run the vCPUs as tasks; 0: each vCPU has a pCPU of its own."""
    device_posts: bool = False
    """A device is assigned from the start whose interrupts the IOMMU posts."""
    turns: tuple[int, ...] = ()
    """For each vCPU how many turns its guest acts in; none: in as many as there are."""

    @property
    def serving(self) -> int:
        """How many pCPUs run vCPUs; they come first."""
        return self.task_pcpus or self.vcpus

    @property
    def pcpus(self) -> int:
        """How many pCPUs there are."""
        return self.serving + len(self.acts)

    @property
    def names(self) -> tuple[str, ...]:
        """What the threads are called."""
        kind = "pCPU" if self.task_pcpus else "vCPU"
        return tuple(f"{kind} {i}" for i in range(self.serving)) + tuple(" ".join(acts) for acts in self.acts)

    def __str__(self) -> str:
        """Return it as it is typed."""
        menu = ",".join(name for name, item in _ITEMS.items() if item in self.guest)
        return " | ".join(
            (
                *([f"cpus={self.task_pcpus}", f"vcpus={self.vcpus}"] if self.task_pcpus else []),
                *(" ".join(acts) for acts in self.acts),
                f"guest={menu}",
                f"timers={self.timers}",
                *([f"turns={','.join(map(str, self.turns))}"] if self.turns else []),
                *(["handlers=slow"] if self.slow_handlers else []),
            )
        )

    def without(self, left_out: frozenset[int]) -> Scope:
        """Return the scope without some of the pCPUs that run no vCPU."""
        acts = tuple(each for i, each in enumerate(self.acts) if i not in left_out)
        return replace(self, acts=acts)


def scope_of(scenario: Scenario | None, text: str | None = None, acts: Collection[str] = ()) -> Scope:
    """Return what is explored of a scenario, or with ``text`` what the user asked for; ScopeError.

    ``acts``: the names of those that the user's code brings.
    """
    wanted = text if text is not None else _text_of(scenario)
    columns = [column.split() for column in wanted.split("|")]
    settings = dict(act.split("=", 1) for column in columns for act in column if "=" in act)
    typed = tuple(tuple(_act(act, acts) for act in column if "=" not in act) for column in columns)
    guest, timers = settings.pop("guest", None), settings.pop("timers", "1")
    handlers = settings.pop("handlers", "prompt")
    task_pcpus, vcpus = _tasks(scenario, settings.pop("cpus", None), settings.pop("vcpus", None))
    turns = _turns(settings.pop("turns", ""), vcpus)
    if settings or not timers.isdecimal() or handlers not in ("prompt", "slow"):
        told = "guest=ITEM,..., timers=NUMBER, handlers=prompt|slow, cpus=NUMBER, vcpus=NUMBER, turns=NUMBER,..."
        raise ScopeError(f"{wanted}: what is set is {told}")
    if len(timers) > len(str(MOST)) or int(timers) > MOST or max(map(len, typed)) > MOST:
        raise ScopeError(f"too big: a guest has up to {MOST} timers, a pCPU up to {MOST} acts")
    menu = _menu(guest) if guest else _scenario_menu(scenario)
    posts = scenario is not None and scenario.device_posts
    slow = scenario is not None and scenario.slow_timer
    paths = scenario.paths if scenario is not None else ()
    acting = tuple(column for column in typed if column)
    found = Scope(acting, menu, int(timers), handlers == "slow", vcpus, slow, paths, task_pcpus, posts, turns)
    for act in (act for column in acting for act in column):
        _check_numbers(found, act)
    if found.pcpus > MAX_PCPUS:
        raise ScopeError(f"too big: a machine has up to {MAX_PCPUS} pCPUs, and this scope has {found.pcpus}")
    return found


def _tasks(scenario: Scenario | None, cpus: str | None, vcpus: str | None) -> tuple[int, int]:
    """Return how many pCPUs run vCPUs as tasks (0: none), and how many vCPUs there are; ScopeError."""
    usual = (scenario.task_pcpus, scenario.tasks) if scenario is not None else (0, 0)
    wanted = [str(number) if text is None else text for number, text in zip(usual, (cpus, vcpus), strict=True)]
    if not all(text.isdecimal() and len(text) == 1 for text in wanted) or ("0" in wanted and wanted != ["0", "0"]):
        raise ScopeError("cpus=1..9 and vcpus=1..9 go together: so many pCPUs run so many vCPUs as tasks")
    if wanted == ["0", "0"]:
        return 0, 2 if scenario is not None and scenario.every_pcpu_runs_a_vcpu else 1
    return int(wanted[0]), int(wanted[1])


def _turns(text: str, vcpus: int) -> tuple[int, ...]:
    """Return the turns of each vCPU's guest; ScopeError."""
    numbers = text.split(",") if text else []
    if not all(number.isdecimal() and len(number) == 1 for number in numbers) or len(numbers) not in (0, vcpus):
        raise ScopeError(f"turns={text}: a number from 0 to 9 for each of the {vcpus} vCPUs, with commas between")
    return tuple(int(number) for number in numbers)


def _check_numbers(scope: Scope, act: str) -> None:
    """Refuse an act whose vCPU or pCPU there is not; ScopeError."""
    name, _, number = act.replace("tick:", "tick@").partition("@")
    there = scope.task_pcpus if name == "tick" else max(scope.vcpus, 2)
    if number and int(number) >= there:
        raise ScopeError(f"{act}: this scope has no {'pCPU of tasks' if name == 'tick' else 'vCPU'} {number}")
    if name in ("tick", "iommu", "assign") and not scope.task_pcpus:
        raise ScopeError(f"{act}: vCPUs are tasks there; say how many pCPUs run how many of them, cpus=2 | vcpus=2")


def _text_of(scenario: Scenario | None) -> str:
    """Return what is explored of a scenario if nobody says how much."""
    if scenario is None:
        return DEFAULT
    return scenario.scope if scenario.scope is not None else ACTS[scenario.name]


def _act(act: str, own: Collection[str]) -> str:
    """Return an act as it is written everywhere: a vector may be typed without its 0x; ScopeError."""
    mine = _OWN.fullmatch(act)
    if mine is not None and mine[1] in own:
        return act
    match = _ACT.fullmatch(act)
    if match is None:
        more = "".join(f", {name}" for name in own)
        told = f"an act is post:VECTOR, device{more}, signal, hrtimer or kick, at another vCPU with @1 behind it"
        raise ScopeError(f"{act}: {told}; where vCPUs are tasks also iommu, tick:PCPU or assign")
    if match[1] and int(match[2], 16) not in _POSTED:
        raise ScopeError(f"{act}: the vectors that pCPUs post are {', '.join(map(vector_text, _POSTED))}")
    return f"post:0x{match[2]}{act.partition('@')[1]}{match[3] or ''}" if match[1] else act


def _menu(text: str) -> tuple[int, ...]:
    unknown = [name for name in text.split(",") if name not in _ITEMS]
    if unknown:
        raise ScopeError(f"guest={text}: {unknown[0]} is none of {', '.join(_ITEMS)}")
    return tuple(dict.fromkeys(_ITEMS[name] for name in text.split(",")))


def _scenario_menu(scenario: Scenario | None) -> tuple[int, ...]:
    """Return the items of a scenario's menu, each once; a deadline ahead may pass at once, so it covers one behind."""
    if scenario is None:
        return (GUEST_CPUID, GUEST_HLT, GUEST_ARM_LATER)
    items = dict.fromkeys(item for item in scenario.guest_menu if item != GUEST_NOTHING)
    if GUEST_ARM_LATER in items:
        items.pop(GUEST_ARM_NOW, None)
    return tuple(items)


def drivers(scope: Scope) -> dict[str, ast.FunctionDef]:
    """Return what each thread calls, as functions ``thread_0`` ..."""
    return {name: _function(text) for name, text in driver_sources(scope).items()}


def driver_sources(scope: Scope) -> dict[str, str]:
    """Return what each thread calls, as source."""
    made = {
        f"thread_{i}": f"    {'cpu_startup_entry()' if scope.task_pcpus else _RUN.format(i)}"
        for i in range(scope.serving)
    }
    for i, acts in enumerate(scope.acts, scope.serving):
        lines = ["local_irq_enable()", *(_called(act) for act in acts), "say_silent()"]
        made[f"thread_{i}"] = "\n".join(f"    {line}" for line in lines)
    return {name: f"def {name}():\n{body}\n" for name, body in made.items()}


_RUN: Final = "kvm_arch_vcpu_ioctl_run(machine().vcpus[{}])"


def _called(act: str) -> str:
    match = _ACT.fullmatch(act)
    if match is None:
        mine = _OWN.fullmatch(act)
        assert mine is not None  # noqa: S101 - checked when the scope was read
        return f"{act_driver(mine[1])}(machine().vcpus[{mine[2] or 0}])"
    target = match[3] or match[5] or "0"
    if match[1]:
        return f"post(machine().vcpus[{target}], {slot_of(int(match[2], 16))})"
    called = {
        "device": f"apic_send_IPI({target}, {DEVICE_VECTOR})",
        "kick": f"request(machine().vcpus[{target}])",
        "signal": f"signal(machine().vcpus[{target}])",
        "hrtimer": f"hrtimer_interrupt(machine().vcpus[{target}])",
        "iommu": f"device_interrupt(machine().vcpus[{target}])",
        "tick": f"apic_send_IPI({match[7]}, {LOCAL_TIMER_VECTOR})",
        "assign": "assign_or_remove_device()",
    }
    return called[match[4] or match[6] or match[8]]


def _function(text: str) -> ast.FunctionDef:
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)  # noqa: S101 - made above
    return function
