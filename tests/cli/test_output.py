"""Numbers, reports and paths as people read them, and what becomes of exceptions."""

from __future__ import annotations

import errno
import io
import json
import socket
from dataclasses import replace

import pytest
from rich.table import Table

from sctpx import AddressReport, AssociationConfig, PathInfo
from sctpx.cli.failure import Failure, one_line
from sctpx.cli.output import byte_text, make_console, rate_text, time_text
from sctpx.cli.perf.measure import Result, median_us, percentile_us
from sctpx.cli.report import path_table, report_json, report_table

pytestmark = pytest.mark.texts

REPORT = (
    AddressReport(address="192.0.2.1", udp_port=9899, inits=2, first_sent=0.0, answer="silence"),
    AddressReport(
        address="192.0.2.2", inits=1, first_sent=0.1, answered=0.101, answer="ICMP", error=errno.ECONNREFUSED
    ),
    AddressReport(
        address="192.0.2.3",
        udp_port=9899,
        inits=1,
        first_sent=0.101,
        answered=0.15,
        answer="ABORT",
        error=errno.ECONNREFUSED,
        causes=((12, b"no"),),
    ),
    AddressReport(address="192.0.2.3", udp_port=9900),
    AddressReport(address="192.0.2.4", inits=1, first_sent=0.15, answered=0.1505, answer="INIT ACK", kept=True),
    AddressReport(address="192.0.2.5", kept=True),
    AddressReport(address="192.0.2.6", listed=False, kept=True),
    AddressReport(address="host.example", answer="name not resolved", error=-2),
)

PATH = PathInfo(
    remote="192.0.2.4",
    local="192.0.2.100",
    udp_port=9899,
    state="active",
    primary=True,
    confirmed=True,
    srtt=0.0123,
    rttvar=0.001,
    rto=1.0,
    cwnd=65536,
    ssthresh=1 << 31,
    flight_size=0,
    mtu=1472,
    error_count=0,
    max_retrans=5,
    potentially_failed_max_retrans=0,
    primary_switchover_max_retrans=None,
    packets_sent=10,
    bytes_sent=12_345_678,
    heartbeats_sent=1,
    chunks_retransmitted=1234,
)


def drawn(table: Table) -> list[str]:
    """The rows of a table without its heading, as a file gets them, with single spaces."""
    file = io.StringIO()
    make_console(file).print(table)
    lines = [" ".join(line.split()) for line in file.getvalue().splitlines()]
    return [line for line in lines if line][2:]


def test_numbers_have_units_and_few_digits() -> None:
    assert [byte_text(count) for count in (0, 999, 1500, 1_500_000, 12_345_678_901)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "1.5 MB",
        "12,345.7 MB",
    ]
    assert [time_text(seconds) for seconds in (0, 0.00035, 0.0102, 0.102, 0.9999, 1.016)] == [
        "0.00 ms",
        "0.35 ms",
        "10 ms",
        "102 ms",
        "1.00 s",
        "1.02 s",
    ]
    assert rate_text(85_240_000) == "85.2 MB/s"


def test_a_report_says_what_each_address_answered_and_became() -> None:
    assert drawn(report_table(REPORT)) == [
        "192.0.2.1 2 0.00 ms silence dropped",
        "192.0.2.2 1 100 ms ICMP: refused 1.00 ms dropped",
        "192.0.2.3 UDP 9899 1 101 ms ABORT 49 ms dropped",
        "192.0.2.3 UDP 9900 not asked dropped",
        "192.0.2.4 1 150 ms INIT ACK 0.50 ms path",
        "192.0.2.5 not asked path",
        "192.0.2.6 named by the peer path, unverified",
        "host.example name not resolved dropped",
    ]


def test_a_report_can_be_json() -> None:
    entries = json.loads(json.dumps(report_json(REPORT)))
    assert [entry["address"] for entry in entries] == [entry.address for entry in REPORT]
    assert entries[2]["causes"] == [[12, b"no".hex()]]


def test_paths_are_shown_with_what_tells_how_they_do() -> None:
    lost = replace(PATH, remote="192.0.2.5", state="inactive", primary=False, srtt=None)
    new = replace(lost, remote="192.0.2.6", state="active", confirmed=False)
    assert drawn(path_table([PATH, lost, new])) == [
        "192.0.2.4 primary active 12.3 MB 12 ms 1.00 s 65.5 kB 1,234",
        "192.0.2.5 inactive 12.3 MB 1.00 s 65.5 kB 1,234",
        "192.0.2.6 not verified 12.3 MB 1.00 s 65.5 kB 1,234",
    ]
    assert drawn(path_table([PATH], cut=PATH.remote)) == ["192.0.2.4 cut active 12.3 MB 12 ms 1.00 s 65.5 kB 1,234"]
    assert drawn(path_table([PATH], [5e6], narrow=True)) == ["192.0.2.4 primary active 12.3 MB 5.0 MB/s 12 ms 1,234"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "Connection refused"),
        (FileNotFoundError(errno.ENOENT, "No such file", "data"), "No such file: data"),
        (EOFError("the association has ended"), "the association has ended"),
        (EOFError(), "EOFError"),
        (ValueError("mtu is 1"), "mtu is 1"),
        (socket.gaierror(-2, "Name or service not known", "a.example"), "Name or service not known: a.example"),
        (OSError(errno.EADDRINUSE, "taken: choose with udp_port= (0)"), "taken: choose with --udp-port (0)"),
        (OSError(errno.EADDRINUSE, 'taken: do without by link="raw"'), "taken: do without by --link raw"),
        (OSError(errno.EPERM, "use link=\"udp\" or backend='kernel'"), "use --link udp or --link kernel"),
        (BrokenPipeError(errno.EPIPE, "the association is over"), "the association is over"),
    ],
)
def test_an_exception_becomes_one_line(error: Exception, line: str) -> None:
    with pytest.raises(Failure) as failure, one_line():
        raise error
    assert (failure.value.message, failure.value.exit_code) == (line, 1)


def test_whoever_stopped_reading_is_told_nothing() -> None:
    with pytest.raises(BrokenPipeError), one_line():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_a_result_has_all_keys_with_null_where_they_do_not_apply() -> None:
    values = Result.of("client", "setup", AssociationConfig()).as_json()
    assert values["rtt_us_median"] is values["bytes"] is values["mb_per_s"] is None
    assert (values["role"], values["mode"], values["nodelay"], values["mtu"]) == ("client", "setup", True, 1500)


def test_times_are_summed_up_by_median_and_percentile() -> None:
    times = list(range(1000, 101_000, 1000))
    assert (median_us(times), percentile_us(times, 99), percentile_us([5000], 99)) == (50.5, 100.0, 5.0)
