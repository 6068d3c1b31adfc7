"""Real peers for the tests in this directory, and the page that tells how they got on.

The usrsctp driver needs a C compiler and Debian's libusrsctp-dev. The SCTP of a Linux kernel is booted as a process
(``kernel_peer/guest.py`` says what that takes), once for all tests. Where a peer cannot be had, its tests are skipped,
or fail if SCTPX_REQUIRE_INTEROP=1 says that they must run.

``--write-matrix FILE`` writes the page at the end (``matrix.py``), if all tests of this directory have run.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn, Protocol

import pytest

import sctpx
from sctpx.blocking.hub import hub
from tests.api.sockets.support import no_sockets_are_left
from tests.interop.kernel_peer.guest import Guest
from tests.interop.kernel_peer.packages import CommandError
from tests.interop.kernel_peer.peer import KernelPeer
from tests.interop.matrix import Matrix, figure_text
from tests.interop.usrsctp import PATIENCE, BuildError, Usrsctp, build

MATRIX = pytest.StashKey[Matrix]()
Figure = Callable[[str, float, str], None]
"""Notes a figure of a test: its name, value and unit."""


class StartUsrsctp(Protocol):
    """Starts a usrsctp host that ends with the test; the arguments are those of ``Usrsctp``."""

    def __call__(
        self, addresses: list[str], peers: list[str], *, udp_port: int = 0, lifetime: int = 120, **options: Any
    ) -> Usrsctp: ...


# --- the page ---


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the page goes."""
    parser.addoption("--write-matrix", metavar="FILE", help="write there what was tried with which peer")


def pytest_configure(config: pytest.Config) -> None:
    """Nothing was found out yet."""
    config.stash[MATRIX] = Matrix()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this directory is an interop test."""
    here = f"{Path(__file__).parent}{os.sep}"
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.interop)


def pytest_deselected(items: list[pytest.Item]) -> None:
    """A run in which tests are left out is not complete."""
    items[0].config.stash[MATRIX].complete = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note how a test ended: by its body, or by what went wrong before it."""
    report = yield
    if report.when == "call" or (report.when == "setup" and not report.passed):
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""
        item.config.stash[MATRIX].record(item, report.outcome, reason.removeprefix("Skipped: "))
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the page, unless something was left out."""
    place = session.config.getoption("--write-matrix", None)
    matrix = session.config.stash[MATRIX]
    whole = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    if place and matrix.complete and whole and not session.shouldfail and not session.shouldstop:
        Path(place).write_text(matrix.page())


@pytest.fixture(scope="session")
def matrix(pytestconfig: pytest.Config) -> Matrix:
    """What was found out."""
    return pytestconfig.stash[MATRIX]


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Note a figure of this test."""

    def note(name: str, value: float, unit: str) -> None:
        request.node.user_properties.append(("figure", (name, figure_text(value, unit))))

    return note


# --- tests that are coroutines ---


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}

    async def run() -> None:
        async with asyncio.timeout(PATIENCE):
            await pyfuncitem.obj(**arguments)

    asyncio.run(run())
    return True


# --- peers ---


def cannot_be_had(reason: str) -> NoReturn:
    """Skip, or fail where the tests must run."""
    if os.environ.get("SCTPX_REQUIRE_INTEROP") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def said_by(*command: str) -> str:
    """The first line of what a command says; "" if there is none."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.partition("\n")[0].strip()


@pytest.fixture(scope="session")
def usrsctp_program(matrix: Matrix) -> Path:
    """The driver, built."""
    try:
        program = build()
    except BuildError as error:
        cannot_be_had(f"the usrsctp peer cannot be built: {error}")
    package = said_by("dpkg-query", "--show", "--showformat", "${Version}", "libusrsctp-dev")
    matrix.versions["usrsctp"] = f"Debian {package}" if package else "of this system"
    return program


@pytest.fixture
def start_usrsctp(usrsctp_program: Path) -> Iterator[StartUsrsctp]:
    """Start usrsctp hosts; all of them end with the test."""
    with ExitStack() as hosts:

        def start(
            addresses: list[str], peers: list[str], *, udp_port: int = 0, lifetime: int = 120, **options: Any
        ) -> Usrsctp:
            host = Usrsctp(usrsctp_program, addresses, peers, udp_port=udp_port, lifetime=lifetime, **options)
            return hosts.enter_context(host)

        yield start


@pytest.fixture(scope="session")
def guest_wanted() -> None:
    """Skip where no guest is booted."""
    if os.environ.get("SCTPX_REQUIRE_INTEROP") != "1":
        pytest.skip("make interop boots a kernel for this")


@pytest.fixture(scope="session")
def guest(guest_wanted: None, matrix: Matrix) -> Iterator[Guest]:
    """A guest that runs, for all tests."""
    try:
        booted = Guest()
    except CommandError as error:
        pytest.fail(f"there can be no guest with the SCTP of a kernel: {error}")
    with booted:
        yield booted


@pytest.fixture(scope="session")
def kernel_peers(guest: Guest, matrix: Matrix) -> Iterator[list[KernelPeer]]:
    """The driver in the guest, as the only element. A test that has spoiled it takes it out."""
    peers: list[KernelPeer] = []
    yield peers
    for peer in peers:
        peer.end()


@pytest.fixture
def kernel(guest: Guest, kernel_peers: list[KernelPeer], matrix: Matrix) -> Iterator[KernelPeer]:
    """A peer on the kernel's SCTP. This thread is beside it, and its links are whole."""
    if not kernel_peers:
        kernel_peers.append(KernelPeer(guest))
    [peer] = kernel_peers
    version = f"Linux {peer.release}"
    matrix.versions["Linux kernel"] = version
    matrix.versions["sctpx on the Linux kernel's SCTP"] = f"{version}, sctpx {sctpx.__version__}"
    carriers = list(hub.carriers)
    with guest.entered():
        yield peer
        guest.mend_all()
        if peer.busy:
            kernel_peers.remove(peer)
            peer.end()
        else:
            peer.call("forget")
        no_sockets_are_left(carriers)
