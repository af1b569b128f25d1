"""Probes of the IOMMU's posts, which no function of KVM sees."""

from __future__ import annotations

from emu.machine import Vcpu
from emu.observe.accounting import (
    DEVICE_POST_NOTIFIES,
    DEVICE_POST_SUPPRESSED,
    DEVICE_POST_TO_LIST,
    DEVICE_POSTS,
    ON_ALREADY_SET,
)
from emu.observe.ghost import count, window
from emu.observe.probes.post import probe_accepted, probe_pir_was_set, probe_post_begin, probe_post_end
from emu.posted_intr import POSTED_INTR_ON, POSTED_INTR_SN, pi_nv
from emu.vectors import POSTED_INTR_WAKEUP_VECTOR
from emu.waist import BIT


def probe_device_post_begin(vcpu: Vcpu, vector: int) -> None:
    """A device is about to post."""
    probe_post_begin(vcpu, vector)
    count(DEVICE_POSTS)


def probe_device_post_end(vcpu: Vcpu, vector: int, found: int) -> None:
    """It has posted; ``found`` is what :func:`emu.iommu_post.vtd_post` gives."""
    control = found >> 1
    on_was_set = 1 if control & BIT(POSTED_INTR_ON) != 0 else 0
    if found & 1 == 0:
        probe_accepted(vcpu, vector, 0)
    else:
        probe_pir_was_set()
    if control & BIT(POSTED_INTR_SN) != 0:
        window(DEVICE_POST_SUPPRESSED)
    elif on_was_set != 0:
        window(ON_ALREADY_SET)
    else:
        window(DEVICE_POST_TO_LIST if pi_nv(control) == POSTED_INTR_WAKEUP_VECTOR else DEVICE_POST_NOTIFIES)
    probe_post_end(vcpu, vector, 1)
