"""The initial state: what the words of the machine hold when an exploration begins."""

from __future__ import annotations

from emu.machine import Config, Machine
from emu.memory import Word
from emu.workload.setup import power_on
from hosts.explorer.threads.continuations import FRESH
from hosts.explorer.threads.harness import Scope
from hosts.explorer.threads.machine_words import SILENT
from hosts.loader.own.declared import NOTHING_OWN, Own
from hosts.word64 import BASE


def initial_words(scope: Scope, policy: int, mutation: int, own: Own = NOTHING_OWN) -> dict[int, int]:
    """Return the words that are not 0 when the machine starts, and what is raced; ``own``: the user's among them."""
    words: dict[int, int] = {SILENT: 1 - scope.pcpus}

    def poke(word: Word, value: int) -> None:
        words[word] = value

    machine = Machine(BASE)
    power_on(machine, scope.pcpus, scope.vcpus, poke, scope.task_pcpus)
    config: Config = machine.config
    chosen = {
        config.policy: policy,
        config.mutation: mutation,
        config.slow_timer: int(scope.slow_timer),
        config.in_turns: 0,
        config.more_actions: 1,
        config.patience: 0,
        config.sampling: 1,
        config.slow_handlers: 8 if scope.slow_handlers else 0,
        config.guest_items: len(scope.guest),
    }
    chosen |= {getattr(config, path): 1 for path in scope.paths}
    if scope.task_pcpus:
        chosen |= {machine.vcpus[i].sched.context: FRESH for i in range(scope.vcpus)}
        chosen[machine.bypass] = int(scope.device_posts)
    chosen |= {machine.vcpus[i].guest.interrupts_left: scope.timers for i in range(scope.vcpus)}
    chosen |= {machine.vcpus[i].guest.turns_left: turns for i, turns in enumerate(scope.turns)}
    chosen |= {config.guest_menu[i]: item for i, item in enumerate(scope.guest)}
    words |= {
        int(word): value for word, value in (*chosen.items(), *own.first_words(machine, scope.pcpus, scope.vcpus))
    }
    return {word: value for word, value in words.items() if value != 0}
