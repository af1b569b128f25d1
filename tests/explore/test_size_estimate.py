"""The range that a scope's states are said to lie in holds what was found."""

from __future__ import annotations

import math

import pytest

from emu.workload.scenarios import SCENARIOS, Scenario
from hosts.explorer.model.options import Options
from hosts.explorer.size_estimate import size_of
from hosts.explorer.threads.harness import Scope, scope_of

FOUND = {
    "guest=cpuid | timers=0": 4,
    "guest=cpuid,hlt | timers=0": 11,
    "guest=cpuid,hlt,timer | timers=2": 41,
    "post:34 | guest=cpuid | timers=0": 120,
    "post:34 | guest=hlt | timers=0": 665,
    "post:34": 2_916,
    "post:34 post:34": 22_471,
    "post:34 kick": 17_444,
    "post:34 | timers=2": 5_082,
    "post:34 | handlers=slow": 4_136,
    "post:34 | guest=cpuid,hlt,timer,self": 3_094,
    "post:34 post:34 post:34 | guest=cpuid,hlt | timers=0": 15_894,
    "post:34 | post:35 | guest=cpuid,hlt | timers=0": 18_667,
    "post:34 | post:35": 79_891,
    "post:34 | device": 28_232,
    "post:34 | kick": 50_441,
    "post:34 post:34 | device": 193_326,
    "device": 409,
    "device | device": 1_795,
    "kick": 1_709,
    "kick | kick": 9_523,
    "post:34 | post:35 | post:f6 | guest=cpuid,hlt | timers=0": 428_701,
    "post:34 | post:35 | post:f6 | post:34 | guest=cpuid,hlt | timers=0": 4_799_143,
    "post:34 post:34 | post:35 | device": 4_133_545,
    "post:34 post:34 | post:35 | device | kick": 73_727_409,
}
"""States of scopes under elide-self-2022, each measured once."""


DRAWN = {
    ("post:34 | guest=hlt,timer | timers=1", 0): 6_566,
    ("post:34 post:35 | guest=cpuid,timer,self | timers=1", 4): 19_895,
    ("device post:34 | guest=cpuid,hlt,timer | timers=1", 4): 36_805,
    ("post:35 post:f6 | post:34 | guest=cpuid,timer | timers=1", 4): 397_057,
    ("post:f6 kick | guest=cpuid,timer,self | timers=1 | handlers=slow", 4): 61_767,
    ("device post:f6 post:f6 | guest=cpuid,hlt,timer | timers=0", 4): 45_828,
    ("device post:35 kick | guest=hlt,timer,self | timers=0", 4): 46_104,
    ("post:35 post:35 | guest=cpuid,hlt,timer,self | timers=1", 0): 38_428,
    ("post:34 post:34 | device post:35 | guest=cpuid | timers=0", 4): 226_491,
    ("device | guest=cpuid,timer,self | timers=0 | handlers=slow", 4): 73,
    ("post:f6 post:f6 post:35 | guest=hlt | timers=1", 4): 20_920,
    ("post:34 | guest=cpuid | timers=2", 0): 132,
    ("post:f6 post:34 | post:f6 | kick | guest=self | timers=2", 4): 429_117,
    ("post:35 post:34 | post:35 | guest=self | timers=0", 4): 4_416,
    ("device | guest=cpuid,timer,self | timers=2", 1): 167,
    ("post:35 | guest=self | timers=0", 4): 90,
    ("device | device device | post:34 | guest=cpuid,hlt,self | timers=2", 0): 137_669,
    ("post:34 | guest=cpuid | timers=0 | handlers=slow", 4): 244,
    ("post:34 post:34 post:35 | guest=cpuid,hlt,timer | timers=1", 0): 278_357,
    ("post:34 | device | guest=timer,self | timers=0", 4): 1_081,
    ("post:35 | post:34 | post:f6 kick | guest=cpuid,self | timers=0", 8): 743_891,
    ("post:34 | post:34 | kick | guest=cpuid,timer,self | timers=1", 4): 450_667,
    ("post:34 | post:34 kick | post:f6 | guest=cpuid | timers=0 | handlers=slow", 4): 698_092,
    ("device device | device device | guest=hlt,timer | timers=0", 0): 3_412,
    ("post:34 | device device | guest=cpuid,timer | timers=1", 0): 30_139,
    ("kick | post:34 device | guest=cpuid,timer | timers=1", 4): 56_403,
    ("device | device | guest=hlt,timer | timers=1", 4): 1_971,
    ("kick post:35 | guest=hlt,timer,self | timers=2 | handlers=slow", 4): 231_407,
    ("post:f6 post:34 | guest=timer,self | timers=1", 4): 4_009,
    ("post:34 | post:35 post:34 post:34 | guest=cpuid | timers=2", 0): 28_819,
    ("device post:34 | post:34 post:f6 post:34 | guest=cpuid,hlt,self | timers=1", 4): 3_190_256,
    ("post:f6 | guest=hlt,self | timers=2", 0): 1_115,
    ("device | post:34 | post:34 post:34 device | guest=timer,self | timers=0", 4): 516_350,
    ("post:34 | device post:f6 | guest=cpuid,timer | timers=1", 4): 133_087,
    ("post:35 post:f6 | device device post:34 | guest=hlt,timer | timers=0", 0): 7_322_320,
    ("post:35 | guest=hlt | timers=1", 8): 807,
    ("post:34 | guest=hlt,timer,self | timers=1", 4): 3_752,
    ("post:35 kick | device post:f6 device | guest=hlt,self | timers=1", 4): 2_719_498,
    ("kick device | post:34 | guest=hlt | timers=1 | handlers=slow", 0): 87_130,
    ("post:34 post:34 post:35 | guest=cpuid,hlt,timer | timers=1", 4): 95_205,
    ("kick kick | guest=cpuid,hlt,timer | timers=1", 4): 5_624,
    ("device kick | guest=cpuid,hlt,timer,self | timers=2", 0): 97_249,
    ("kick post:35 post:34 | guest=cpuid,hlt,timer,self | timers=0", 4): 16_738,
    ("post:34 | post:35 post:35 device | guest=self | timers=1", 4): 116_723,
}
"""States of scopes drawn at random, by text and buffer, under one of the historic rules: those that a range without the
factor of timers that meet posts did not hold, or hardly, and those drawn after the factors had been found."""

ROWS = {
    "timer-fastpath": (9, 22),
    "tscdeadline-immed": (7, 19),
    "timer-slowpath": (11, 11),
    "remote-post": (95_806, 248_759),
    "self-vs-remote": (9_372, 40_893),
    "device-irq": (1_091, 1_791),
    "halt-wake": (108_327, 168_952),
    "kick": (25_489, 54_571),
    "all-to-all": (904_051, 1_350_358),
    "hlt-fastpath": (18_548, 26_696),
    "masked-guest": (19_631, 26_211),
    "timer-halt": (5_366, 12_848),
    "icr-self": (5_439, 25_295),
    "signal": (3_044, 3_473),
    "halt-poll": (19_624, 28_254),
    "housekeeping-timer": (36_377, 42_502),
}
"""States of each scenario's scope, under the rule with the fewest and under that with the most."""
TWO_GUESTS = {
    "guest=cpuid,hlt | timers=0": 789,
    "guest=cpuid,hlt,timer | timers=1": 9_828,
    "guest=icr,cpuid | timers=1": 12_353,
    "guest=hlt,icr | timers=1": 327_640,
    "guest=hlt,icr | timers=2": 6_306_173,
    "post:34 | guest=hlt | timers=0": 26_291,
}
"""States of scopes of two vCPUs, under elide-self-2022."""


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if not each.tasks], ids=lambda each: each.name)
def test_the_range_holds_what_was_found_of_every_scenario(scenario: Scenario) -> None:
    """Under every rule."""
    size = size_of(scope_of(scenario), Options())
    fewest, most = ROWS[scenario.name]
    assert size.least <= fewest <= most <= size.most


def test_nothing_is_said_of_tasks() -> None:
    """No scope of theirs has been measured for it: any number of states is in the range."""
    size = size_of(scope_of(None, "cpus=2 | vcpus=2 | post:0x34 | iommu@0"), Options())
    assert (size.least, size.most) == (1.0, math.inf)


@pytest.mark.parametrize("text", TWO_GUESTS)
def test_the_range_holds_what_was_found_of_two_guests(text: str) -> None:
    """Alone, with IPIs to each other, and with somebody who posts."""
    (both,) = [each for each in SCENARIOS if each.every_pcpu_runs_a_vcpu]
    size = size_of(scope_of(both, text), Options())
    assert size.least <= TWO_GUESTS[text] <= size.most


@pytest.mark.parametrize("text", FOUND)
def test_the_range_holds_what_was_found(text: str) -> None:
    """And is no wider than it has to be to hold the other rules."""
    size = size_of(scope_of(None, text), Options())
    assert size.least <= FOUND[text] <= size.most
    assert size.most <= 300 * size.least


@pytest.mark.parametrize(("text", "buffer"), DRAWN)
def test_the_range_holds_what_was_drawn(text: str, buffer: int) -> None:
    """With and without store buffers."""
    size = size_of(scope_of(None, text), Options(buffer=buffer))
    assert size.least <= DRAWN[text, buffer] <= size.most


def test_more_in_a_scope_is_more() -> None:
    """Whatever is added."""
    texts = ["post:34", "post:34 post:34", "post:34 post:34 | device", "post:34 post:34 | device | kick"]
    sizes = [size_of(scope_of(None, text), Options()).about for text in texts]
    assert sizes == sorted(sizes)


def test_what_was_not_measured_has_no_upper_end() -> None:
    """Without a reduction there may be any number; without store buffers there are fewer."""
    scope = scope_of(None)
    usual = size_of(scope, Options())
    assert size_of(scope, Options(reduce=False)).most == math.inf
    assert size_of(scope, Options(), usual=False).most == math.inf
    assert size_of(scope, Options(buffer=0)).least < usual.least


def test_an_item_of_the_menu_counts_once() -> None:
    """However often it is written."""
    assert scope_of(None, f"post:34 | guest={','.join(['hlt', 'cpuid'] * 200)}").guest == scope_of(
        None, "post:34 | guest=hlt,cpuid"
    ).guest  # fmt: skip


def test_equal_senders_are_fewer_at_the_least() -> None:
    """One state stands for all orders of them."""
    two = Scope((("post:34",), ("post:34",)), (1,))
    other = Scope((("post:34",), ("post:35",)), (1,))
    assert size_of(two, Options()).least == size_of(other, Options()).least / 2
