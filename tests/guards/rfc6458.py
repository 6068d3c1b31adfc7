"""``docs/rfc6458-coverage.md``, written from the code: what of RFC 6458 is there, where, and what tests it.

    python -m tests.guards.rfc6458 --write

Options, notifications and structs come from the tables that the calls themselves act by, functions from the source
files that define them, tests from the files that name what they test. What is written by hand here are the sections of
the RFC that are calls, and why something is not there.
"""

from __future__ import annotations

import ast
import errno
import inspect
import re
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Final

from sctpx.sockapi import ancillary, constants, structs
from sctpx.sockapi.notifications import notifications
from sctpx.sockapi.options import OPTIONS, Option
from sctpx.sockapi.settings import AssociationSettings
from sctpx.sockapi.socket_state import SocketState
from sctpx.sockapi.structs import NOTIFICATIONS, NotificationsStopped
from tests.guards.house import PACKAGE, ROOT

DOCUMENT: Final = ROOT / "docs" / "rfc6458-coverage.md"

CALLS: Final = (
    # (section, the call in C, what it is in Python)
    ("3.1.1, 4.1.1", "socket()", "Socket"),
    ("3.1.2, 4.1.2", "bind()", "bind"),
    ("3.1.3, 4.1.3", "listen()", "listen"),
    ("3.1.4, 4.1.8", "sendmsg()", "sendmsg"),
    ("3.1.4, 4.1.8", "recvmsg()", "recvmsg"),
    ("3.1.5, 4.1.6", "close()", "close"),
    ("3.1.6, 4.1.5", "connect()", "connect"),
    ("4.1.4", "accept()", "accept"),
    ("4.1.7", "shutdown()", "shutdown"),
    ("4.1.9", "getpeername()", "getpeername"),
    ("7.1", "send()", "send"),
    ("7.1", "recv()", "recv"),
    ("7.1", "sendto()", "sendto"),
    ("7.1", "recvfrom()", "recvfrom"),
    ("7.2", "getsockopt()", "getsockopt"),
    ("7.2", "setsockopt()", "setsockopt"),
    ("7.4", "getsockname()", "getsockname"),
    ("8", "sctp_opt_info()", "sctp_opt_info"),
    ("9.1", "sctp_bindx()", "sctp_bindx"),
    ("9.2", "sctp_peeloff()", "sctp_peeloff"),
    ("9.3", "sctp_getpaddrs()", "sctp_getpaddrs"),
    ("9.4", "sctp_freepaddrs()", "sctp_freepaddrs"),
    ("9.5", "sctp_getladdrs()", "sctp_getladdrs"),
    ("9.6", "sctp_freeladdrs()", "sctp_freeladdrs"),
    ("9.7", "sctp_sendmsg()", "sctp_sendmsg"),
    ("9.8", "sctp_recvmsg()", "sctp_recvmsg"),
    ("9.9", "sctp_connectx()", "sctp_connectx"),
    ("9.10", "sctp_send()", "sctp_send"),
    ("9.11", "sctp_sendx()", "sctp_sendx"),
    ("9.12", "sctp_sendv()", "sctp_sendv"),
    ("9.13", "sctp_recvv()", "sctp_recvv"),
)
CALLED: Final = (
    "blocking/socket.py",
    "blocking/functions.py",
    "sockapi/socket_calls.py",
    "sockapi/message_calls.py",
)
"""The source files that define the calls."""
ON_SOCKETS: Final = re.compile(r"\bsctpx\.socket\b|\bnew_socket\b|\bblocking\b|\bSOCK_(STREAM|SEQPACKET)\b")
"""What a test has in it that makes calls on sockets."""

KIN: Final = {"close": "end", "getsockname": "getname", "getpeername": "getname", "opt_info": "sockopt"}
"""Calls that are tested with others, and the name of that file."""

SENT: Final[dict[str, tuple[str, structs.Struct | str]]] = {
    # (section, the struct that goes with it)
    "SCTP_INIT": ("5.3.1", structs.InitMsg()),
    "SCTP_SNDRCV": ("5.3.2", structs.SndRcvInfo()),
    "SCTP_SNDINFO": ("5.3.4", structs.SndInfo()),
    "SCTP_PRINFO": ("5.3.7", structs.PrInfo()),
    "SCTP_AUTHINFO": ("5.3.8", structs.AuthInfo()),
    "SCTP_DSTADDRV4": ("5.3.9", "192.0.2.1"),
    "SCTP_DSTADDRV6": ("5.3.10", "2001:db8::1"),
}
RECEIVED: Final = {
    "SCTP_EXTRCV": "5.3.3",
    "SCTP_RCVINFO": "5.3.5",
    "SCTP_NXTINFO": "5.3.6",
}

NOTES: Final = {
    "SCTP_PRINFO": "with the policies of RFC 7496",
    "SCTP_PEER_ADDR_PARAMS": "the MTU can be fixed for paths that there are, not for those to come",
    "SCTP_PEER_ADDR_THLDS": "as Linux has it: without `spt_pathcpthld`, which SCTP_PEER_ADDR_THLDS_V2 has",
    "SCTP_GET_ASSOC_STATS": "`sas_{i,o}{uod,od}chunks` count messages, not chunks",
    "SCTP_NOTIFICATIONS_STOPPED_EVENT": "when those unread fill SO_RCVBUF; subscribe again to go on",
    "SCTP_DEFAULT_SEND_PARAM": "its time to live is a default that SCTP_DEFAULT_PRINFO tells, too",
    "SCTP_DELAYED_SACK": "at the most every second packet, as RFC 9260 has it",
    "sctp_freepaddrs()": "for C's sake: there is nothing to free",
    "sctp_freeladdrs()": "for C's sake: there is nothing to free",
}

HEAD: Final = """\
# What of RFC 6458 is there

Written by `python -m tests.guards.rfc6458 --write` from the tables and sources that do the work; a test holds it.

*done*: it works, and the test named beside it says so. *not yet*: the extension it needs is not spoken; such options
answer `EOPNOTSUPP`, and so do control messages and subscriptions. Unknown names answer `ENOPROTOOPT`. `read()`
and `write()` of section 7.3 are not there: a socket's descriptor tells readiness and carries no data.

"""


# --- where things are ---


@cache
def definitions() -> dict[str, str]:
    """Functions, methods and classes of the files that define the calls, and their modules."""
    found: dict[str, str] = {}
    for path in CALLED:
        for node in ast.walk(ast.parse((PACKAGE / path).read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.setdefault(node.name, path)
    return found


@cache
def tests(*places: str) -> dict[str, str]:
    """The test files in these places, with what is in them."""
    found = [path for place in places for path in sorted((ROOT / "tests" / place).rglob("test_*.py"))]
    return {str(path.relative_to(ROOT)): path.read_text() for path in found}


@cache
def tested(name: str) -> str:
    """The file that tests what goes by this name: the one that has it most often; "" for none."""
    counts = {path: len(re.findall(rf"\b{name}\b", text)) for path, text in tests("unit/sockapi").items()}
    best = max(counts, key=lambda path: counts[path])
    return best if counts[best] else ""


@cache
def call_tested(name: str) -> str:
    """The file that tests a call on a socket: the one called after it, or its kin, or that has it most often."""
    stem = name.removeprefix("sctp_")
    kin = KIN.get(stem, stem)
    called = re.compile(rf"\b{name}\b" if stem != name else rf"\b{name}\(")
    files = {path: text for path, text in tests("api", "unit/blocking").items() if ON_SOCKETS.search(text)}

    def rank(path: str) -> tuple[bool, bool, int]:
        about = Path(path).stem.removeprefix("test_")
        return about != kin, not kin.startswith(about), -len(called.findall(files[path]))

    return min((path for path, text in files.items() if called.search(text)), key=rank, default="")


def module_of(function: Callable[..., object]) -> str:
    """The source file of a function, relative to the package; the same in a compiled install."""
    path = Path(*function.__module__.split(".")[1:])
    return str(path / "__init__.py" if (PACKAGE / path).is_dir() else path.with_suffix(".py"))


# --- the tables ---


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(heads), *[list(row) for row in rows]]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def call_rows() -> list[list[str]]:
    rows = []
    for section, call, name in CALLS:
        module = definitions().get(name, "")
        test = call_tested(call.removesuffix("()")) if module else ""
        status = "done" if module and test else "not yet"
        rows.append([section, f"`{call}`", status, module, test, NOTES.get(call, "")])
    return rows


def ancillary_rows() -> list[list[str]]:
    module = module_of(ancillary.parse)
    rows = []
    for name, (section, value) in SENT.items():
        status, note = "done", NOTES.get(name, "")
        try:
            ancillary.parse([(constants.IPPROTO_SCTP, constants.names()[name], value)], AssociationSettings())
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            status, note = "not yet", error.strerror or ""
        rows.append([section, f"`{name}`", status, module, tested(name), note])
    rows += [[section, f"`{name}`", "done", module, tested(name), ""] for name, section in RECEIVED.items()]
    return sorted(rows, key=lambda row: [int(number) for number in row[0].split(".")])


def notification_rows() -> list[list[str]]:
    types = {value: name for name, value in reversed(constants.names("SCTP_").items()) if value >= 0x8000}
    rows = []
    for number, kind in NOTIFICATIONS.items():
        name = types[number]
        found = re.search(r"\((?:section )?((?:RFC \d+ section )?[\d.]+)\)", inspect.getdoc(kind) or "")
        assert found is not None
        status = f"not yet: {kind.NEEDS}" if kind.NEEDS else "done"
        maker = SocketState if kind is NotificationsStopped else notifications
        module, test = ("", "") if kind.NEEDS else (module_of(maker), tested(kind.__name__))
        rows.append([found[1], f"`{name}`", f"`{kind.__name__}`", status, module, test, NOTES.get(name, "")])
    return rows


def option_row(option: Option) -> list[str]:
    function = option.get or option.set
    kind = "int" if option.kind is int else f"`{option.kind.__name__}`"
    return [
        option.section,
        f"`{option.name}`",
        kind,
        option.access,
        option.reach.value,
        "done" if option.usable else f"not yet: {option.needs}",
        module_of(function) if function is not None else "",
        tested(option.name) if function is not None else "",
        NOTES.get(option.name, ""),
    ]


def document() -> str:
    """The page."""
    option_heads = ["section", "option", "value", "access", "for", "status", "module", "test", "note"]
    notification_heads = ["section", "notification", "struct", "status", "module", "test", "note"]
    rows = [option_row(option) for option in OPTIONS]
    of_the_rfc = [row for row in rows if row[0].startswith("8.")]
    others = [row for row in rows if not row[0].startswith("8.")]
    heads = ["section", "call", "status", "module", "test", "note"]
    return (
        HEAD
        + "## Calls (sections 3, 4, 7, 8 and 9)\n\n"
        + table(heads, call_rows())
        + "\n## Control messages (section 5.3)\n\n"
        + table(["section", "control message", *heads[2:]], ancillary_rows())
        + "\n## Notifications (section 6.1)\n\n"
        + "Subscribed to with `SCTP_EVENT` and `SCTP_EVENTS` (section 6.2); none by default.\n\n"
        + table(notification_heads, notification_rows())
        + "\n## Options (section 8)\n\n"
        + "New associations begin with what is set for `SCTP_FUTURE_ASSOC`, accepted and peeled-off sockets with all\n"
        + "that is set for the socket they come from.\n\n"
        + table(option_heads, of_the_rfc)
        + "\n## Options of the extensions, and of Linux\n\n"
        + table(option_heads, others)
    )


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        DOCUMENT.write_text(document())
    else:
        sys.stdout.write(document())
