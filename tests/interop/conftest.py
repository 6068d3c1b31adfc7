"""Real peers for the tests in this directory.

The usrsctp driver needs a C compiler and Debian's libusrsctp-dev. Without them its tests are skipped, or fail if
SCTPX_REQUIRE_INTEROP=1 says that they must run. What the kernel's SCTP takes is in ``test_kernel``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.interop.usrsctp import BuildError, Usrsctp, build


class StartUsrsctp(Protocol):
    """Starts a usrsctp host that ends with the test; the arguments are those of ``Usrsctp``."""

    def __call__(
        self, addresses: list[str], peers: list[str], *, udp_port: int = 0, lifetime: int = 120, **options: Any
    ) -> Usrsctp: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this directory is an interop test."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.interop)


@pytest.fixture(scope="session")
def usrsctp_program() -> Path:
    """The driver, built."""
    try:
        return build()
    except BuildError as error:
        reason = f"the usrsctp peer cannot be built: {error}"
    if os.environ.get("SCTPX_REQUIRE_INTEROP") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


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
