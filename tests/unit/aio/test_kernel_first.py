"""Where the kernel has SCTP: its attempt first, UDP at once when it fails and beside it when it is silent.

The kernel and the userspace stack are played by the test, in virtual time.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Sequence
from typing import Any

import pytest

import sctpx
from sctpx.aio import calls, kernel_first, ways
from sctpx.aio.association import Association
from sctpx.aio.kernel_first import connect
from sctpx.errors import ConnectError
from sctpx.link import HostFacts, choice
from sctpx.sockapi.failures import connect_failure
from sctpx.sockapi.status import BY_KERNEL, UNRESOLVED, AddressReport

PEER = "192.0.2.1"


class Up(Association):
    """An association that came up, with nothing behind it."""

    def __init__(self, name: str, report: Sequence[AddressReport] = ()) -> None:
        self.name = name
        self.aborted = False
        self._told = tuple(report)

    def __repr__(self) -> str:
        return self.name

    @property
    def report(self) -> tuple[AddressReport, ...]:
        return self._told

    def add_to_report(self, entries: Any) -> None:
        self._told += tuple(entries)

    def abort(self, reason: Any = b"") -> None:
        self.aborted = True


class Played:
    """A way that comes to this end after so many seconds."""

    def __init__(
        self, end: Association | Exception, after: float, *, entry: AddressReport, stubborn: bool = False
    ) -> None:
        self.end = end
        self.after = after
        self.entry = entry
        self.stubborn = stubborn
        self.begun: float | None = None
        self.timeout: float | None = None
        self.cancelled = False

    async def connect(self, timeout: float | None) -> Association:
        self.begun = asyncio.get_running_loop().time()
        self.timeout = timeout
        if timeout is not None and timeout < self.after:
            await asyncio.sleep(timeout)
            raise failure(errno.ETIMEDOUT)
        try:
            await asyncio.sleep(self.after)
        except asyncio.CancelledError:
            self.cancelled = True
            if not self.stubborn:
                raise
        if isinstance(self.end, Association):
            return self.end
        raise self.end

    def report(self, error: OSError | None) -> Sequence[AddressReport]:
        told = getattr(error, "report", ())
        return told or [self.entry]


def kernel(end: Association | Exception, after: float = 0.0, **options: Any) -> Played:
    code = end.errno or 0 if isinstance(end, OSError) else 0
    return Played(end, after, entry=AddressReport(address=PEER, answer=BY_KERNEL, error=code), **options)


def udp(end: Association | Exception, after: float = 0.0, **options: Any) -> Played:
    return Played(end, after, entry=AddressReport(address=PEER, udp_port=9899, answer="silence"), **options)


def failure(code: int, *report: AddressReport) -> ConnectError:
    return connect_failure(code, report)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only as the loop waits for it."""

    passed = 0.0

    def time(self) -> float:
        return self.passed

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self.passed = max(self.passed, self._scheduled[0].when())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


def play(body: Callable[[], Any]) -> tuple[Any, float]:
    """What it comes to, and the seconds that it took."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        outcome = runner.run(body())
        return outcome, runner.get_loop().time()


def test_a_kernel_that_comes_up_is_all_there_is() -> None:
    up = Up("kernel")
    by_kernel, by_udp = kernel(up, 0.9), udp(Up("udp"))
    assert play(lambda: connect(by_kernel, by_udp)) == (up, 0.9)
    assert by_udp.begun is None
    assert up.report == ()


@pytest.mark.parametrize("code", [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT])
def test_where_the_kernel_is_refused_udp_is_asked_at_once(code: int) -> None:
    asked = AddressReport(address=PEER, udp_port=9899, answer="INIT ACK", kept=True)
    up = Up("udp", [asked])
    by_kernel, by_udp = kernel(failure(code), 0.3), udp(up, 0.2)
    assert play(lambda: connect(by_kernel, by_udp)) == (up, 0.5)
    assert by_udp.begun == 0.3
    assert up.report == (asked, AddressReport(address=PEER, answer=BY_KERNEL, error=code))


@pytest.mark.parametrize("code", [errno.EPROTONOSUPPORT, errno.EPERM, errno.EOPNOTSUPP])
def test_a_kernel_that_does_not_do_it_leaves_it_to_udp(code: int) -> None:
    up = Up("udp")
    assert play(lambda: connect(kernel(OSError(code, "not here")), udp(up)))[0] is up


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EADDRINUSE, errno.EADDRNOTAVAIL])
def test_a_mistake_of_the_caller_is_raised_and_not_tried_again(code: int) -> None:
    by_udp = udp(Up("udp"))
    with pytest.raises(OSError, match="wrong") as raised:
        play(lambda: connect(kernel(OSError(code, "wrong")), by_udp))
    assert raised.value.errno == code
    assert by_udp.begun is None


def test_beside_a_silent_kernel_udp_begins_after_a_second_and_may_win() -> None:
    up = Up("udp")
    by_kernel, by_udp = kernel(Up("kernel"), 9.0), udp(up, 0.1)
    outcome, took = play(lambda: connect(by_kernel, by_udp))
    assert outcome is up
    assert took == pytest.approx(kernel_first.PATIENCE + 0.1)
    assert by_kernel.cancelled
    assert up.report == (AddressReport(address=PEER, answer=BY_KERNEL),)


def test_a_kernel_that_answers_while_udp_is_asked_wins_and_the_report_tells_of_both() -> None:
    up = Up("kernel")
    by_kernel, by_udp = kernel(up, 1.5), udp(Up("udp"), 3.0)
    outcome, took = play(lambda: connect(by_kernel, by_udp))
    assert (outcome, took) == (up, 1.5)
    assert by_udp.cancelled
    assert up.report == (by_kernel.entry, by_udp.entry)


@pytest.mark.parametrize("winner", ["kernel", "udp"])
def test_a_loser_that_came_up_as_well_is_aborted(winner: str) -> None:
    """It was given up when it was up already, though nobody had heard of it."""
    one, other = Up("kernel"), Up("udp")
    by_kernel = kernel(one, 1.5 if winner == "kernel" else 9.0, stubborn=True)
    by_udp = udp(other, 9.0 if winner == "kernel" else 0.2, stubborn=True)
    outcome, _ = play(lambda: connect(by_kernel, by_udp))
    assert outcome is (one if winner == "kernel" else other)
    assert (one.aborted, other.aborted) == (winner != "kernel", winner == "kernel")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (errno.ECONNREFUSED, errno.ECONNREFUSED, errno.ECONNREFUSED),
        (errno.ECONNREFUSED, errno.ETIMEDOUT, errno.ETIMEDOUT),
        (errno.ETIMEDOUT, errno.ECONNREFUSED, errno.ETIMEDOUT),
        (errno.EHOSTUNREACH, errno.EHOSTUNREACH, errno.EHOSTUNREACH),
        (errno.EHOSTUNREACH, errno.ECONNREFUSED, errno.ECONNREFUSED),
        (errno.EPROTONOSUPPORT, errno.EHOSTUNREACH, errno.EHOSTUNREACH),
    ],
)
def test_when_both_fail_the_error_tells_of_both(first: int, second: int, expected: int) -> None:
    name = AddressReport(address="nobody.example", answer=UNRESOLVED)
    entry = AddressReport(address=PEER, udp_port=9899, answer="ICMP", error=second)
    ended = OSError(first, "no SCTP") if first == errno.EPROTONOSUPPORT else failure(first)
    with pytest.raises(ConnectError) as raised:
        play(lambda: connect(kernel(ended), udp(failure(second, entry, name))))
    assert raised.value.errno == expected
    assert raised.value.report == (AddressReport(address=PEER, answer=BY_KERNEL, error=first), entry)
    assert f"{PEER} native: asked by the kernel" in str(raised.value)


def test_who_is_cancelled_gives_both_up() -> None:
    by_kernel, by_udp = kernel(Up("kernel"), 9.0), udp(Up("udp"), 9.0)

    async def body() -> None:
        task = asyncio.ensure_future(connect(by_kernel, by_udp))
        await asyncio.sleep(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    play(body)
    assert by_kernel.cancelled
    assert by_udp.cancelled


@pytest.mark.parametrize(("timeout", "asked_after"), [(0.5, 0.25), (2.0, 1.0), (5.0, 1.0)])
def test_the_time_that_is_given_is_that_of_both_attempts_together(timeout: float, asked_after: float) -> None:
    by_kernel, by_udp = kernel(Up("kernel"), 99.0), udp(Up("udp"), 99.0)

    async def body() -> None:
        with pytest.raises(TimeoutError):
            await connect(by_kernel, by_udp, timeout)

    assert play(body)[1] == pytest.approx(timeout)
    assert by_udp.begun == asked_after
    assert (by_kernel.timeout, by_udp.timeout) == (timeout, timeout - asked_after)


def test_no_time_is_left_for_udp_where_the_kernel_has_taken_it() -> None:
    by_kernel, by_udp = Slow(failure(errno.ETIMEDOUT), 0.5, entry=AddressReport(address=PEER)), udp(Up("udp"))

    async def body() -> None:
        with pytest.raises(TimeoutError):
            await connect(by_kernel, by_udp, 0.5)

    play(body)
    assert by_udp.begun is None


class Slow(Played):
    """One that does not let the event loop run until its time is up, as a name server may."""

    async def connect(self, timeout: float | None) -> Association:
        asyncio.get_running_loop().passed += self.after  # type: ignore[attr-defined]
        raise self.end  # type: ignore[misc]


@pytest.mark.parametrize("winner", ["kernel", "udp"])
def test_who_is_cancelled_while_the_loser_is_given_up_leaves_nothing_behind(winner: str) -> None:
    one, other = Up("kernel"), Up("udp")

    class Lingering(Played):
        async def connect(self, timeout: float | None) -> Association:
            try:
                return await super().connect(timeout)
            except asyncio.CancelledError:
                await asyncio.sleep(1)
                return self.end  # type: ignore[return-value]

    by_kernel = (kernel if winner == "kernel" else _lingering(Lingering))(one, 1.5 if winner == "kernel" else 9.0)
    by_udp = (udp if winner == "udp" else _lingering(Lingering))(other, 0.5 if winner == "udp" else 9.0)

    async def body() -> None:
        task = asyncio.ensure_future(connect(by_kernel, by_udp))
        await asyncio.sleep(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    play(body)
    assert one.aborted if winner == "kernel" else other.aborted


def _lingering(kind: type[Played]) -> Callable[[Association, float], Played]:
    return lambda end, after: kind(end, after, entry=AddressReport(address=PEER))


# --- which calls go there ---


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A host whose kernel has SCTP, and who is asked for an association or a port there."""
    monkeypatch.delenv("SCTPX_LINK")
    monkeypatch.setattr(choice, "host_facts", lambda: HostFacts(kernel_sctp=True, raw_sockets=False))
    seen: list[str] = []

    class Kernel:
        def __init__(self, client: Any) -> None:
            pass

        async def connect(self, timeout: float | None) -> Association:
            seen.append("kernel")
            raise failure(errno.ECONNREFUSED)

        def report(self, error: OSError | None) -> Sequence[AddressReport]:
            return []

    class OwnStack(Kernel):
        def __init__(self, client: Any, ways: Sequence[str]) -> None:
            self._ways = ways

        async def connect(self, timeout: float | None) -> Association:
            seen.append("+".join(self._ways))
            raise failure(errno.ECONNREFUSED)

    async def kernel_endpoint(*arguments: Any, **options: Any) -> Any:
        seen.append("kernel")
        raise failure(errno.ECONNREFUSED)

    monkeypatch.setattr(ways, "Kernel", Kernel)
    monkeypatch.setattr(ways, "OwnStack", OwnStack)
    monkeypatch.setattr(calls, "open_kernel_endpoint", kernel_endpoint)
    return seen


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["kernel", "udp"]),
        ({"attempt_delay": None}, ["kernel", "udp"]),
        ({"timeout": 5.0}, ["kernel", "udp"]),
        ({"config": sctpx.AssociationConfig(rto_initial=1.5, connect_timeout=2.0)}, ["kernel", "udp"]),
        ({"peer_udp_port": 0}, ["kernel"]),
        ({"backend": "kernel"}, ["kernel"]),
        ({"backend": "userspace"}, ["udp"]),
        ({"link": "udp"}, ["udp"]),
        ({"link": "raw"}, ["raw"]),
        ({"udp_port": 7000}, ["udp"]),
        ({"peer_udp_port": 7000}, ["udp"]),
        ({"attempt_delay": 0.05}, ["udp"]),
        ({"announce": "none"}, ["udp"]),
        ({"config": sctpx.AssociationConfig(on_restart="end")}, ["udp"]),
    ],
)
def test_connect(asked: list[str], options: dict[str, Any], expected: list[str]) -> None:
    with pytest.raises(ConnectionRefusedError):
        play(lambda: _begin(PEER, **options))
    assert asked == expected


@pytest.mark.parametrize(
    "hosts", [sctpx.Address(PEER, udp_port=7000), [PEER, sctpx.Address("192.0.2.2", source="192.0.2.9")]]
)
def test_connect_to_an_address_with_options_that_mean_udp(asked: list[str], hosts: Any) -> None:
    with pytest.raises(ConnectionRefusedError):
        play(lambda: _begin(hosts))
    assert asked == ["udp"]


async def _begin(hosts: Any, **options: Any) -> Association:
    return await sctpx.connect(hosts, 5000, **options)


@pytest.mark.parametrize("call", [lambda: sctpx.start_server(None, "127.0.0.1", 5000), sctpx.open_endpoint])
def test_servers_and_endpoints_take_the_kernel(asked: list[str], call: Callable[[], Any]) -> None:
    with pytest.raises(ConnectionRefusedError):
        play(call)
    assert asked == ["kernel"]


def test_a_server_with_limits_is_of_the_userspace_stack(asked: list[str]) -> None:
    async def body() -> None:
        async with await sctpx.start_server(None, "127.0.0.1", 0, udp_port=0, limits=sctpx.Limits()) as server:
            assert server.endpoint.backend == "userspace"

    play(body)
    assert asked == []
