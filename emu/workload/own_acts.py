"""Acts of a user's code. Loaded with a patch that brings some along, and with nothing else.

Whoever takes such an act is *inside* until it is over: no snapshot counts while it is under way.
"""

from __future__ import annotations

from typing import Final

from emu.machine import Vcpu, config
from emu.waist import choose, local_read
from emu.workload.actors import ACTS, take

FIRST_OWN_ACT: Final = ACTS
"""The number of the first of the user's acts, behind all others."""


def own_act(vcpu: Vcpu) -> None:
    """Take one action from the scenario's menu, where it may be one of the user's."""
    item = local_read(config().actor_menu[choose(local_read(config().actor_items))])
    if item >= FIRST_OWN_ACT:
        take_own(vcpu, item)
    else:
        take(vcpu, item)


def take_own(vcpu: Vcpu, item: int) -> None:
    """Stand where the loader puts the choice among the user's acts."""
