"""What ``sctpx doctor`` says of hosts of many kinds, which are made up here: meaning, advice, the screen, JSON."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from sctpx import AddressReport
from sctpx.cli.doctor.advice import Advice, advice
from sctpx.cli.doctor.facts import (
    Attempt,
    ChoiceFacts,
    HostReport,
    InterfaceFacts,
    KernelFacts,
    NetworkFacts,
    PeerAddressFacts,
    PeerFacts,
    PrivilegeFacts,
    Probe,
    SystemFacts,
)
from sctpx.cli.doctor.screen import show
from sctpx.cli.doctor.words import Line, sections, usable_ways, ways_taken
from sctpx.cli.output import json_text, make_console
from sctpx.link.choice import HostFacts, choose

pytestmark = pytest.mark.texts

REFUSED = "Operation not permitted"

# --- hosts ---


def a_host(
    *, kind: str = "Linux", kernel: KernelFacts | None = None, privileges: PrivilegeFacts | None = None, **others: Any
) -> HostReport:
    """A host on which all is well, but for what is said."""
    kernel = kernel or KernelFacts(state="available", where="/lib/modules/6.1/kernel/net/sctp/sctp.ko")
    privileges = privileges or a_user()
    system = SystemFacts(
        sctpx="1.2.3",
        compiled=True,
        python="3.12.1 (CPython)",
        executable="/usr/bin/python3.12",
        uvloop="0.22",
        compiler="",
        kind=kind,
        release="6.1",
        machine="x86_64",
        name="Some System",
    )
    network = NetworkFacts(
        gso=True,
        df=True,
        gro=True,
        port_holders=(),
        raw_users=(),
        buffer_wanted=4 << 20,
        receive_buffer=4 << 20,
        send_buffer=4 << 20,
        interfaces=(InterfaceFacts(name="eth0", state="up", mtu=9000, addresses=("192.0.2.1/24", "2001:db8::1/64")),),
    )
    choice = choose(HostFacts(kernel_sctp=kernel.state == "loaded", raw_sockets=not privileges.raw_ipv4))
    return HostReport(
        system=replace(system, **{name: value for name, value in others.items() if hasattr(system, name)}),
        kernel=kernel,
        privileges=privileges,
        network=replace(network, **{name: value for name, value in others.items() if hasattr(network, name)}),
        choice=ChoiceFacts(preset="auto", ways=choice.ways, reasons=choice.reasons),
    )


def a_user(**sets: bool) -> PrivilegeFacts:
    """Not root, without the capability; Docker and login shells leave it in the bounding set."""
    known = {"effective": False, "permitted": False, "inheritable": False, "bounding": True, "ambient": False}
    return PrivilegeFacts(user=1000, raw_ipv4=REFUSED, raw_ipv6=REFUSED, **(known | sets))


ROOT = PrivilegeFacts(user=0, effective=True, permitted=True, inheritable=False, bounding=True, ambient=False)
LOADED = KernelFacts(state="loaded", where="built in", sysctls={"udp_port": "0", "rto_min": "1000", "other": "1"})


def lines(report: HostReport, title: str) -> list[Line]:
    (found,) = [section for section in sections(report) if section.title.startswith(title)]
    return list(found.lines)


def ways(report: HostReport) -> dict[str, Line]:
    return {line.label: line for line in lines(report, "Ways")}


def titled(report: HostReport, title: str) -> Advice:
    (found,) = [one for one in advice(report) if one.title == title]
    return found


def titles(report: HostReport) -> list[str]:
    return [one.title for one in advice(report)]


RAW, KERNEL = "Native SCTP by raw sockets", "Native SCTP by the kernel"


# --- which ways there are ---


def test_a_user_without_privilege_has_udp_and_can_have_more() -> None:
    report = a_host()
    assert usable_ways(report) == ("udp",)
    assert {label: line.mark for label, line in ways(report).items()} == {"kernel": "no", "raw": "no", "udp": "yes"}
    assert titles(report) == [RAW, KERNEL]


def test_with_raw_sockets_only_the_kernel_is_left_to_be_had_and_its_price_is_said() -> None:
    report = a_host(privileges=ROOT)
    assert usable_ways(report) == ("raw", "udp")
    assert titles(report) == [KERNEL]
    assert "Raw sockets cannot be used beside it" in titled(report, KERNEL).why


def test_beside_the_kernels_sctp_there_are_no_raw_sockets() -> None:
    report = a_host(kernel=LOADED, privileges=ROOT)
    assert usable_ways(report) == ("kernel", "udp")
    assert "would abort" in ways(report)["raw"].text
    assert [line.text for line in lines(report, "Settings")] == [
        "0  (the UDP port where the kernel receives SCTP over UDP; 0: none)",
        "1000 ms",
    ]


def test_a_kernel_that_refuses_its_sockets_is_of_no_use() -> None:
    report = a_host(kernel=replace(LOADED, socket_error=REFUSED))
    assert usable_ways(report) == ("udp",)
    assert REFUSED in ways(report)["kernel"].text
    assert titles(report) == ["The kernel's SCTP"]


def test_raw_sockets_for_one_family_only_are_told() -> None:
    report = a_host(privileges=replace(ROOT, raw_ipv6="Address family not supported by protocol"))
    assert ways(report)[""].text == "raw sockets for IPv6: Address family not supported by protocol"


def test_other_processes_with_raw_sockets_are_told() -> None:
    report = a_host(privileges=ROOT, raw_users=("process 4711 (amf)",))
    assert "also open in process 4711 (amf)" in ways(report)["raw"].text


@pytest.mark.parametrize("kind", ["Darwin", "Windows", "FreeBSD"])
def test_on_other_systems_there_is_udp_and_no_advice_for_linux(kind: str) -> None:
    nothing = PrivilegeFacts(raw_ipv4="for Linux", raw_ipv6="for Linux")
    report = a_host(kind=kind, kernel=KernelFacts(state="unused"), privileges=nothing, receive_buffer=1000, gso=False)
    assert usable_ways(report) == ("udp",)
    assert all("Linux only" in ways(report)[way].text for way in ("kernel", "raw"))
    assert [section.title for section in sections(report) if "privilege" in section.title] == []
    assert advice(report) == []


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        (KernelFacts(state="available", where="/lib/sctp.ko.xz"), "it is on disk, /lib/sctp.ko.xz"),
        (KernelFacts(state="absent"), "no module on disk"),
        (KernelFacts(state="absent", modules_locked=True), "takes no modules"),
        (KernelFacts(state="unknown"), "cannot be seen from here"),
        (replace(LOADED, where="/lib/sctp.ko"), "the module sctp is loaded"),
        (LOADED, "it is built in"),
    ],
)
def test_the_state_of_the_kernels_sctp_is_said(kernel: KernelFacts, words: str) -> None:
    assert words in ways(a_host(kernel=kernel))["kernel"].text


# --- how to get the privilege ---


def test_a_user_of_a_machine_gets_it_by_setcap_or_systemd() -> None:
    commands = titled(a_host(), RAW).commands
    assert commands[0].startswith("sudo setcap cap_net_raw+ep /usr/bin/python3.12")
    assert commands[1].startswith("AmbientCapabilities=CAP_NET_RAW")


def test_a_user_of_a_container_gets_it_by_whoever_starts_the_container() -> None:
    found = titled(a_host(containers=("Docker",)), RAW)
    assert found.commands[0] == "docker run --cap-add NET_RAW IMAGE"
    assert "Kubernetes" in found.commands[1]
    assert "another user needs it on the interpreter" in found.why


def test_a_capability_that_was_taken_for_good_is_not_to_be_had_by_setcap() -> None:
    found = titled(a_host(privileges=a_user(bounding=False)), RAW)
    assert "bounding set" in found.why
    assert not any("setcap" in command for command in found.commands)


def test_a_file_that_has_it_in_vain_is_told_apart() -> None:
    found = titled(a_host(privileges=a_user(on_interpreter=True, no_new_privileges=True)), RAW)
    assert "allowPrivilegeEscalation" in found.why
    assert found.commands == ()


# --- how to get the module ---


def test_a_module_on_disk_is_loaded_by_modprobe() -> None:
    found = titled(a_host(), KERNEL)
    assert found.commands[0] == "sudo modprobe sctp"


def test_what_keeps_it_from_being_loaded_is_named() -> None:
    kernel = KernelFacts(state="available", where="/lib/sctp.ko", blocked_by=("/etc/modprobe.d/sctp-blacklist.conf",))
    assert "/etc/modprobe.d/sctp-blacklist.conf" in titled(a_host(kernel=kernel), KERNEL).why


def test_a_locked_kernel_takes_another_boot() -> None:
    found = titled(a_host(kernel=KernelFacts(state="available", where="/lib/sctp.ko", modules_locked=True)), KERNEL)
    assert ("another boot" in found.why, found.commands) == (True, ())


def test_from_within_a_container_it_is_for_the_host_to_load() -> None:
    found = titled(a_host(kernel=KernelFacts(state="unknown")), KERNEL)
    assert "On the host, not in this container" in found.why


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("Red Hat Enterprise Linux 9.3 (Plow)", "sudo dnf install kernel-modules-extra"),
        ("Fedora Linux 41", "sudo dnf install kernel-modules-extra"),
        ("Ubuntu 24.04.1 LTS", "sudo apt-get install linux-modules-extra-6.1"),
    ],
)
def test_the_package_with_the_module_is_named(name: str, command: str) -> None:
    assert titled(a_host(kernel=KernelFacts(state="absent"), name=name), KERNEL).commands[0] == command


# --- the rest of the advice ---


def test_the_kernels_udp_port_is_to_be_had() -> None:
    found = titled(a_host(kernel=LOADED), "Peers behind UDP, for the kernel's SCTP")
    assert found.commands == ("sudo sysctl net.sctp.udp_port=9899",)


def test_a_udp_port_that_is_taken_is_told_with_its_holder() -> None:
    report = a_host(port_holders=("process 4711 (amf) at 0.0.0.0",))
    assert "process 4711 (amf)" in titled(report, "UDP port 9899").why
    assert "is taken by process 4711 (amf) at 0.0.0.0" in ways(report)["udp"].text


def test_a_udp_port_that_the_kernels_sctp_has_is_as_it_should_be() -> None:
    kernel = replace(LOADED, sysctls={"udp_port": "9899"})
    assert advice(a_host(kernel=kernel, port_holders=("the kernel's SCTP at 0.0.0.0, ::",))) == []


def test_buffers_that_are_small_can_be_larger() -> None:
    found = titled(a_host(receive_buffer=212992), "Larger socket buffers")
    assert found.commands == ("sudo sysctl -w net.core.rmem_max=4194304",)


@pytest.mark.parametrize("compiler", ["", "/usr/bin/cc"])
def test_an_interpreted_sctpx_can_be_compiled(compiler: str) -> None:
    found = titled(a_host(compiled=False, compiler=compiler), "Twice the speed")
    assert (f"{compiler} is here" in found.why) == bool(compiler)


def test_an_event_loop_can_be_had() -> None:
    assert titled(a_host(uvloop=""), "A faster event loop").commands == ("pip install 'sctpx[uvloop]'",)
    assert titles(a_host(uvloop="", kind="Windows", kernel=KernelFacts(state="unused"))) == []


# --- the screen, and JSON ---


def with_peers() -> HostReport:
    answer = AddressReport(address="192.0.2.9", inits=1, first_sent=0.0, answered=0.01, answer="INIT ACK", kept=True)
    peer = PeerFacts(
        asked="amf.example",
        addresses=(
            PeerAddressFacts(address="192.0.2.9", source="192.0.2.1", interface="eth0", mtu=1400),
            PeerAddressFacts(address="2001:db8::9", error="Network is unreachable"),
        ),
        attempts=(
            Attempt(after=0.0, address="192.0.2.9", way="raw"),
            Attempt(after=0.05, address="192.0.2.9", way="udp"),
        ),
        probes=(
            Probe(way="raw", associated=True, said="an association came up", report=(answer,)),
            Probe(way="udp", associated=False, said="Connection timed out"),
        ),
    )
    lost = PeerFacts(asked="nobody.example", error="Name or service not known: nobody.example")
    return replace(a_host(privileges=ROOT, port_holders=("process 1 (x) at 0.0.0.0",)), peers=(peer, lost))


def drawn(report: HostReport, console: Console) -> str:
    show(console, report, sections(report), advice(report))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_screen_has_all_that_is_known() -> None:
    text = drawn(with_peers(), make_console(io.StringIO()))
    for words in (
        "\nThis host\n",
        "1.2.3, compiled",
        "raw, then udp",
        "eth0       up     9000  192.0.2.1/24",
        "2001:db8::1/64",
        "\nPeer amf.example\n",
        "192.0.2.9    192.0.2.1  eth0       1400",
        "Network is unreachable",
        "at once  192.0.2.9  native SCTP (IP protocol 132) by raw sockets",
        "50 ms  192.0.2.9  SCTP over UDP, port 9899",
        "an association came up",
        "Connection timed out",
        "Name or service not known: nobody.example",
        "\nHow to get more\n",
        "       sudo modprobe sctp",
    ):
        assert words in text
    assert "\x1b" not in text


def test_a_terminal_has_colour() -> None:
    assert "\x1b[32m" in drawn(with_peers(), Console(file=io.StringIO(), force_terminal=True, width=80))


def test_a_narrow_terminal_is_not_overrun() -> None:
    text = drawn(with_peers(), Console(file=io.StringIO(), width=80, highlight=False, markup=False, emoji=False))
    assert max(map(len, text.splitlines())) <= 80


def test_a_host_that_lacks_nothing_gets_no_advice() -> None:
    report = a_host(kernel=replace(LOADED, sysctls={"udp_port": "9899"}))
    assert advice(report) == []
    assert "How to get more" not in drawn(report, make_console(io.StringIO()))


def test_what_a_rule_says_comes_to_the_screen_word_by_word() -> None:
    report = replace(a_host(), choice=ChoiceFacts(preset="udp", ways=("udp",), reasons=("SCTPX_LINK=udp", "so be it")))
    assert lines(report, "What auto takes") == [
        Line("it takes", "udp"),
        Line("because", "SCTPX_LINK=udp"),
        Line("", "so be it"),
    ]


@pytest.mark.parametrize(
    ("ways", "words"),
    [
        (("raw",), "raw does not work here: the call fails"),
        (("raw", "udp"), "raw does not work here: it is left out"),
    ],
)
def test_a_way_that_is_chosen_and_does_not_work_is_told(ways: tuple[str, ...], words: str) -> None:
    report = replace(a_host(), choice=ChoiceFacts(preset="raw", ways=ways, reasons=("so be it",)))
    assert lines(report, "What auto takes")[-1] == Line("but", words, "no")
    assert ways_taken(report) == ways[1:]


def test_json_has_the_facts_by_name() -> None:
    told = json.loads(json_text(with_peers().as_json()))
    assert set(told) == {"system", "kernel", "privileges", "network", "choice", "peers"}
    assert told["kernel"]["state"] == "available"
    assert told["peers"][0]["probes"][0]["report"][0]["answer"] == "INIT ACK"
    assert told["peers"][1]["error"].startswith("Name or service")


def test_every_command_and_reason_is_one_line() -> None:
    hosts = (a_host(), a_host(privileges=ROOT), a_host(kernel=LOADED), a_host(compiled=False, uvloop="", gso=False))
    texts = [text for host in hosts for one in advice(host) for text in (one.title, one.why, *one.commands)]
    assert [text for text in texts if "\n" in text or not text or text.endswith(".")] == []
