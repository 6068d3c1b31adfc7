"""How ``sctpx doctor`` finds things out: from files of systems that are made up here, and from this one."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import pytest

from sctpx.cli.doctor.kernel import kernel_facts
from sctpx.cli.doctor.network import network_facts, port_holders, raw_users
from sctpx.cli.doctor.peers import path_mtu, peer_facts
from sctpx.cli.doctor.privileges import privilege_facts
from sctpx.cli.doctor.system import container_signs, system_facts
from tests.namespaces import own_host
from tests.ports import closed_udp_port

RELEASE = "6.1.0-18-amd64"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="asks as Linux is asked")


def write(root: Path, **files: str) -> Path:
    """Files below a root; in the names ``__`` stands for a slash."""
    for name, text in files.items():
        put(root, name.replace("__", "/"), text)
    return root


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# --- the kernel's SCTP ---


def with_modules(root: Path, dependencies: str, builtin: str = "") -> Path:
    put(root, "proc/modules", "")
    put(root, f"lib/modules/{RELEASE}/modules.dep", dependencies)
    put(root, f"lib/modules/{RELEASE}/modules.builtin", builtin)
    return root


def loaded(root: Path) -> Path:
    put(root, "proc/thread-self/net/sctp/snmp", "")
    put(root, "proc/sys/net/sctp/udp_port", "9899\n")
    put(root, "proc/sys/net/sctp/sctp_mem", "1\t2\t3\n")
    return root


@pytest.mark.parametrize("suffix", ["", ".xz", ".zst"])
def test_a_module_on_disk_is_available(tmp_path: Path, suffix: str) -> None:
    module = f"kernel/net/sctp/sctp.ko{suffix}"
    root = with_modules(tmp_path, f"kernel/net/sctp/sctp_diag.ko: {module}\n{module}: kernel/lib/libcrc32c.ko\n")
    found = kernel_facts(root, "Linux", RELEASE)
    assert found.state == "available"
    assert found.where == str(root / "lib/modules" / RELEASE / module)
    assert (found.blocked_by, found.modules_locked, found.sysctls) == ((), False, {})


@pytest.mark.parametrize("line", ["blacklist sctp", "  install sctp /bin/false", "install sctp /usr/bin/true"])
def test_a_file_of_modprobe_that_is_in_the_way_is_named(tmp_path: Path, line: str) -> None:
    root = with_modules(tmp_path, "kernel/net/sctp/sctp.ko:\n")
    put(root, "etc/modprobe.d/sctp-blacklist.conf", f"# of the distribution\n{line}\n")
    put(root, "etc/modprobe.d/others.conf", "#blacklist sctp\nblacklist sctp_diag\ninstall sctp /sbin/modprobe sctp\n")
    assert kernel_facts(root, "Linux", RELEASE).blocked_by == (str(root / "etc/modprobe.d/sctp-blacklist.conf"),)


def test_a_kernel_that_is_locked_says_so(tmp_path: Path) -> None:
    root = with_modules(tmp_path, "kernel/net/sctp/sctp.ko:\n")
    put(root, "proc/sys/kernel/modules_disabled", "1\n")
    found = kernel_facts(root, "Linux", RELEASE)
    assert (found.state, found.modules_locked) == ("available", True)


def test_modules_without_sctp_are_absent(tmp_path: Path) -> None:
    found = kernel_facts(with_modules(tmp_path, "kernel/net/dccp/dccp.ko:\n"), "Linux", RELEASE)
    assert (found.state, found.modules_locked) == ("absent", False)


def test_a_kernel_that_takes_no_modules_has_none(tmp_path: Path) -> None:
    found = kernel_facts(tmp_path, "Linux", RELEASE)
    assert (found.state, found.modules_locked) == ("absent", True)


def test_a_container_does_not_see_the_modules_of_its_host(tmp_path: Path) -> None:
    found = kernel_facts(write(tmp_path, proc__modules=""), "Linux", RELEASE)
    assert (found.state, found.modules_locked) == ("unknown", False)


def test_a_module_that_is_loaded_has_settings(tmp_path: Path) -> None:
    found = kernel_facts(loaded(with_modules(tmp_path, "kernel/net/sctp/sctp.ko:\n")), "Linux", RELEASE)
    assert found.state == "loaded"
    assert found.where.endswith("sctp.ko")
    assert found.sysctls == {"udp_port": "9899", "sctp_mem": "1 2 3"}


def test_a_module_that_is_built_in_is_loaded(tmp_path: Path) -> None:
    found = kernel_facts(loaded(with_modules(tmp_path, "", "kernel/net/sctp/sctp.ko\n")), "Linux", RELEASE)
    assert (found.state, found.where) == ("loaded", "built in")


def test_on_other_systems_the_kernel_is_not_asked(tmp_path: Path) -> None:
    assert kernel_facts(loaded(tmp_path), "FreeBSD", "14.1").state == "unused"


# --- the privilege ---

STATUS = """Name:\tpython3
CapInh:\t{inheritable:016x}
CapPrm:\t{permitted:016x}
CapEff:\t{effective:016x}
CapBnd:\t{bounding:016x}
CapAmb:\t{ambient:016x}
NoNewPrivs:\t{locked}
"""
SETS = ("inheritable", "permitted", "effective", "bounding", "ambient")
NET_RAW = 1 << 13
OTHERS = (1 << 41) - 1 - NET_RAW


def of_process(root: Path, users: str = "0 0 4294967295", locked: int = 0, having: str = "") -> Path:
    sets = {name: OTHERS | NET_RAW * (name == having) for name in SETS}
    put(root, "proc/self/status", STATUS.format(locked=locked, **sets))
    put(root, "proc/self/uid_map", f"         {users}\n")
    return root


@pytest.mark.parametrize("name", SETS)
def test_the_capability_is_looked_for_in_each_set(tmp_path: Path, name: str) -> None:
    found = privilege_facts("/nowhere", "Linux", of_process(tmp_path, having=name))
    assert [each for each in SETS if getattr(found, each)] == [name]


@pytest.mark.parametrize(("locked", "users"), [(0, "0 0 4294967295"), (1, "0 100000 65536")])
def test_locks_and_mapped_users_are_told(tmp_path: Path, locked: int, users: str) -> None:
    found = privilege_facts("/nowhere", "Linux", of_process(tmp_path, users, locked))
    assert (found.no_new_privileges, found.user_namespace) == (bool(locked), bool(locked))


def test_a_system_that_tells_nothing_is_told_as_unknown(tmp_path: Path) -> None:
    found = privilege_facts("/nowhere", "Linux", tmp_path)
    assert (found.effective, found.bounding, found.no_new_privileges, found.user_namespace) == (None,) * 4


@pytest.mark.parametrize("kind", ["Darwin", "Windows", "FreeBSD"])
def test_on_other_systems_there_is_no_capability(tmp_path: Path, kind: str) -> None:
    found = privilege_facts("/nowhere", kind, of_process(tmp_path, having="effective"))
    assert (found.effective, found.on_interpreter) == (None, None)
    assert "Linux" in found.raw_ipv4


# --- containers, Python ---


def test_signs_of_containers_are_told(tmp_path: Path) -> None:
    write(tmp_path, run__systemd__container="lxc\n", proc__version="Linux version 5.15 (Microsoft@Microsoft.com)\n")
    put(tmp_path, ".dockerenv", "")
    assert container_signs(tmp_path, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}) == ("Kubernetes", "Docker", "lxc", "WSL")


def test_podman_is_told_once(tmp_path: Path) -> None:
    put(tmp_path, "run/.containerenv", "")
    assert container_signs(tmp_path, {"container": "podman"}) == ("Podman",)


def test_a_machine_of_its_own_has_no_signs(tmp_path: Path) -> None:
    assert container_signs(tmp_path, {}) == ()


def test_python_is_told_by_the_file_that_runs() -> None:
    found = system_facts()
    assert Path(found.executable) == Path(sys.executable).resolve()
    assert found.python.startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")


# --- the network ---


@on_linux
def test_the_holder_of_a_udp_port_is_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        assert port_holders(sock.getsockname()[1], "Linux", {}) == ("this process at 127.0.0.1",)


@on_linux
def test_the_holder_of_a_udp_port_is_named_once_for_all_its_addresses() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
    ):
        one.bind(("127.0.0.2", closed_udp_port("127.0.0.2")))
        two.bind(("127.0.0.3", one.getsockname()[1]))
        assert port_holders(one.getsockname()[1], "Linux", {}) == ("this process at 127.0.0.2, 127.0.0.3",)


def test_a_udp_port_that_is_free_has_no_holder() -> None:
    port = closed_udp_port("127.0.0.1")
    assert port_holders(port, "Linux", {}) == port_holders(port, "Darwin", {}) == ()


def test_elsewhere_a_udp_port_that_cannot_be_bound_is_taken() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("0.0.0.0", 0))
        (holder,) = port_holders(sock.getsockname()[1], "Darwin", {})
    assert holder.startswith("a program (")


def test_a_raw_socket_for_sctp_is_found_with_its_process() -> None:
    with own_host():
        assert raw_users() == ()
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, 132):
            assert raw_users() == ("this process",)


@pytest.mark.udp_9899
def test_elsewhere_the_mtu_of_interfaces_is_left_open() -> None:
    found = network_facts("Darwin", {})
    assert {interface.mtu for interface in found.interfaces} == {None}
    assert found.receive_buffer > 0


def test_linux_gives_the_mtu_and_what_a_socket_gets() -> None:
    with own_host(["fd00::77"]):
        (loopback,) = network_facts("Linux", {}).interfaces
    assert (loopback.name, loopback.mtu) == ("lo", 65536)
    assert "fd00::77/128" in loopback.addresses


# --- a peer ---

LOOPBACK = bytes((127, 0, 0, 1))


def test_the_mtu_to_this_host_is_that_of_its_loopback_interface() -> None:
    with own_host():
        assert path_mtu(LOOPBACK, LOOPBACK) in (65535, 65536)


def test_an_address_without_a_way_is_told_with_the_reason() -> None:
    with own_host():
        found = asyncio.run(peer_facts(["192.0.2.1", "127.0.0.1"], ("raw", "udp")))
    unreachable, reached = found.addresses
    assert (unreachable.source, reached.source) == ("", "127.0.0.1")
    assert "unreachable" in unreachable.error
    assert [(attempt.after, attempt.address, attempt.way) for attempt in found.attempts] == [
        (0.0, "127.0.0.1", "raw"),
        (0.05, "127.0.0.1", "udp"),
    ]


def test_the_kernel_goes_before_the_ways_of_sctpx() -> None:
    found = asyncio.run(peer_facts(["127.0.0.1", "127.0.0.2"], ("kernel", "udp")))
    assert [(attempt.after, attempt.address, attempt.way) for attempt in found.attempts] == [
        (0.0, "127.0.0.1, 127.0.0.2", "kernel"),
        (1.0, "127.0.0.1", "udp"),
        (1.1, "127.0.0.2", "udp"),
    ]
