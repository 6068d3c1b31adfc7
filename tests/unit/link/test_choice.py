"""The rule of ``auto`` as a table: facts about the host, what the caller named, and the ways that are chosen."""

from __future__ import annotations

import socket
import sys
from itertools import product
from typing import Any, get_args

import pytest

from sctpx.link import kernel_sctp
from sctpx.link.choice import HostFacts, Named, Preset, Way, choose, host_facts, preset_of_environment

KERNEL = HostFacts(kernel_sctp=True, raw_sockets=False)
KERNEL_AND_ROOT = HostFacts(kernel_sctp=True, raw_sockets=True)
ROOT = HostFacts(kernel_sctp=False, raw_sockets=True)
NOTHING = HostFacts(kernel_sctp=False, raw_sockets=False)
ALL = (KERNEL, KERNEL_AND_ROOT, ROOT, NOTHING)


@pytest.mark.parametrize(
    ("facts", "ways"),
    [
        (KERNEL, ("kernel", "udp")),
        (KERNEL_AND_ROOT, ("kernel", "udp")),
        (ROOT, ("raw", "udp")),
        (NOTHING, ("udp",)),
    ],
)
def test_nothing_is_named(facts: HostFacts, ways: tuple[Way, ...]) -> None:
    choice = choose(facts)
    assert choice.ways == ways
    assert choice.kernel == (ways[0] == "kernel")
    assert choice.userspace == tuple(way for way in ways if way != "kernel")


@pytest.mark.parametrize("facts", ALL)
@pytest.mark.parametrize("preset", get_args(Preset))
@pytest.mark.parametrize(
    ("named", "way"),
    [
        (Named(backend="kernel"), "kernel"),
        (Named(backend="kernel", link="raw", udp_port=True, userspace_only=("limits=",)), "kernel"),
        (Named(link="raw"), "raw"),
        (Named(link="udp"), "udp"),
        (Named(link="raw", backend="userspace"), "raw"),
        (Named(link="raw", udp_port=True), "raw"),
        (Named(udp_port=True), "udp"),
        (Named(udp_port=True, backend="userspace"), "udp"),
    ],
)
def test_what_is_named_is_used_whatever_the_host_has(facts: HostFacts, preset: Preset, named: Named, way: Way) -> None:
    assert choose(facts, named, preset).ways == (way,)


@pytest.mark.parametrize("facts", ALL)
@pytest.mark.parametrize("preset", ["kernel", "raw", "udp"])
def test_the_environment_stands_for_what_is_not_named(facts: HostFacts, preset: Preset) -> None:
    assert choose(facts, None, preset).ways == (preset,)
    assert choose(facts, Named(userspace_only=("limits=",)), preset).ways == (preset,)


@pytest.mark.parametrize("facts", ALL)
def test_the_environment_does_not_overrule_the_stack_that_is_named(facts: HostFacts) -> None:
    named = Named(backend="userspace")
    assert choose(facts, named, "raw").ways == ("raw",)
    assert choose(facts, named, "udp").ways == ("udp",)
    assert choose(facts, named, "kernel") == choose(facts, named)


@pytest.mark.parametrize(
    ("facts", "ways"),
    [(KERNEL, ("udp",)), (KERNEL_AND_ROOT, ("udp",)), (ROOT, ("raw", "udp")), (NOTHING, ("udp",))],
)
@pytest.mark.parametrize("named", [Named(backend="userspace"), Named(userspace_only=("limits=",))])
def test_what_only_the_own_stack_can_do_keeps_the_kernel_out(
    facts: HostFacts, ways: tuple[Way, ...], named: Named
) -> None:
    assert choose(facts, named).ways == ways


def test_each_answer_has_its_reasons() -> None:
    names = [None, Named(backend="kernel"), Named(link="raw"), Named(udp_port=True), Named(userspace_only=("limits=",))]
    for facts, named, preset in product(ALL, names, get_args(Preset)):
        reasons = choose(facts, named, preset).reasons
        assert reasons
        assert not any(reason.endswith(".") for reason in reasons)
    assert "limits=" in " ".join(choose(KERNEL, Named(userspace_only=("limits=",))).reasons)


def test_the_preset_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCTPX_LINK", raising=False)
    assert preset_of_environment() == "auto"
    monkeypatch.setenv("SCTPX_LINK", "")
    assert preset_of_environment() == "auto"
    for preset in get_args(Preset):
        monkeypatch.setenv("SCTPX_LINK", preset)
        assert preset_of_environment() == preset
    monkeypatch.setenv("SCTPX_LINK", "pigeon")
    with pytest.raises(ValueError, match="SCTPX_LINK is 'pigeon': not one of auto, kernel, raw, udp"):
        preset_of_environment()


@pytest.mark.parametrize("loaded", [True, False])
@pytest.mark.parametrize("allowed", [True, False])
def test_the_facts_are_asked_of_the_host(monkeypatch: pytest.MonkeyPatch, loaded: bool, allowed: bool) -> None:
    opened: list[tuple[Any, ...]] = []

    class Raw:
        def __init__(self, *arguments: Any) -> None:
            opened.append(arguments)
            if not allowed:
                raise PermissionError(1, "Operation not permitted")

        def close(self) -> None:
            opened.append(())

    monkeypatch.setattr(kernel_sctp, "is_loaded", lambda: loaded)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(socket, "socket", Raw)
    assert host_facts() == HostFacts(kernel_sctp=loaded, raw_sockets=allowed)
    # A socket that receives nothing, and is closed at once.
    assert opened == [(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW), *([()] if allowed else [])]


def test_only_linux_has_raw_sockets_for_sctp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(kernel_sctp, "is_loaded", lambda: False)
    assert choose(host_facts()).ways == ("udp",)
