"""The sockets of the pysctp drop-in do what pysctp's do, and what these should."""

from __future__ import annotations

import copy
import errno
import os
import re
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from sctpx.compat import pysctp as sctp
from sctpx.compat.pysctp import _sctp
from tests.api.sockets.support import HERE, HOST, PORT
from tests.api.support import linux_only, raises_errno, with_ipv6

pytestmark = pytest.mark.real_time

PAGE = Path(__file__).parents[3] / "docs" / "pysctp.md"
NGAP = socket.htonl(60)


@contextmanager
def tcp_pair(family: int = socket.AF_INET, host: str = HOST) -> Iterator[tuple[Any, Any]]:
    """TCP-style sockets with an association, without notifications: the one that connected, the one that accepted."""
    with sctp.sctpsocket_tcp(family, udp_port=0) as server:
        server.bindx([(host, PORT)])
        server.listen(5)
        with sctp.sctpsocket_tcp(family, peer_udp_port=server.udp_port) as client:
            client.connectx([(host, PORT)])
            connection, address = server.accept()
            assert address == client.getladdrs()[0]
            with connection:
                yield client, connection


@contextmanager
def udp_pair() -> Iterator[tuple[Any, Any, int]]:
    """UDP-style sockets, associated; the id that the first one has for it."""
    with sctp.sctpsocket_udp(socket.AF_INET, udp_port=0) as server:
        server.bind(HERE)
        server.listen(5)
        with sctp.sctpsocket_udp(socket.AF_INET, peer_udp_port=server.udp_port) as client:
            association: dict[str, int] = {}
            client.connectx([HERE], association)
            yield client, server, association["assoc_id"]


# --- the page ---


@linux_only
def test_the_script_of_the_page_prints_what_the_page_says() -> None:
    found = re.search(r"```python\n# loopback\.py\n(.*?)```\n.*?```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    host = f"127.{os.getpid() >> 16 & 0x7F | 0x80}.{os.getpid() >> 8 & 0xFF}.{os.getpid() & 0xFF | 1}"
    command = [sys.executable, "-W", "error", "-c", found[1], host]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=20, check=True)
    assert done.stdout == found[2]


def test_the_page_names_nothing_that_is_not_there() -> None:
    table = PAGE.read_text().partition("## What is there")[2].partition("\n## ")[0]
    names = [name for name in re.findall(r"`(\w+)(?:\(\))?`", table) if not name.endswith("_")]
    with sctp.sctpsocket_tcp(socket.AF_INET) as sock:
        there = {*dir(sctp), *dir(_sctp), *dir(sock), *dir(sock.sock())}
        assert [name for name in names if name not in there] == []


PROGRAM = """
if _sctp.getconstant("IPPROTO_SCTP") != 132:
    raise Exception("no SCTP")
server = sctp.sctpsocket_tcp(socket.AF_INET, udp_port=0)
server.bind(("127.0.0.1", 10001))
server.listen(5)
client = sctpsocket_tcp(socket.AF_INET, peer_udp_port=server.udp_port)
client.events.clear()
client.events.data_io = 1
client.connect(("127.0.0.1", 10001))
client.sctp_send(b"hello")
connection, address = server.accept()
fromaddr, flags, message, notif = connection.sctp_recv(2048)
print(message.decode(), flags & FLAG_EOR == _sctp.getconstant("MSG_EOR"), sctp.__name__)
for sock in (client, connection, server):
    sock.close()
"""


def test_a_program_that_uses_the_module_in_c_runs_after_one_changed_import() -> None:
    """Like pysctp's own programs; its first lines are those of the page, as they are after the change."""
    found = re.search(r"```diff\n-import _sctp\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    imports = "".join(line[1:] for line in found[1].splitlines(keepends=True))
    assert imports.count("sctpx") == 1
    command = [sys.executable, "-W", "error", "-c", imports + PROGRAM]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=20, check=True)
    assert done.stdout == "hello True sctpx.compat.pysctp\n"


# --- associations and addresses ---


def test_the_id_is_told_also_when_connectx_does_not_wait() -> None:
    with sctp.sctpsocket_tcp(socket.AF_INET, udp_port=0) as server:
        server.bind(HERE)
        server.listen(5)
        with sctp.sctpsocket_tcp(socket.AF_INET, peer_udp_port=server.udp_port) as client:
            client.setblocking(False)
            association: dict[str, int] = {}
            with raises_errno(errno.EINPROGRESS):
                client.connectx([HERE], association)
            assert select.select([], [client], [], 20)[1] == [client]
            assert client.sock().getassocid(HERE) == association["assoc_id"]


@with_ipv6
def test_ipv6_addresses_work_and_are_pairs() -> None:
    with tcp_pair(socket.AF_INET6, "::1") as (client, connection):
        assert client.getpaddrs() == (("::1", PORT),)
        assert connection.getladdrs() == (("::1", PORT),)
        client.sctp_send(b"hello")
        assert connection.sctp_recv(100)[0] == client.getladdrs()[0]
        assert client.get_status().primary.sockaddr == ("::1", PORT)


def test_addresses_are_tuples_of_pairs() -> None:
    with sctp.sctpsocket_udp(socket.AF_INET) as sock:
        assert sock.getladdrs() == (("0.0.0.0", 0),)
    with udp_pair() as (client, server, assoc_id):
        assert client.getpaddrs(assoc_id) == server.getladdrs() == (HERE,)


@pytest.mark.parametrize("call", ["bindx", "connectx"])
def test_no_addresses_are_a_value_error(call: str) -> None:
    with sctp.sctpsocket_tcp(socket.AF_INET) as sock, pytest.raises(ValueError, match="no addresses"):
        getattr(sock, call)([])


@linux_only
def test_addresses_can_be_added_and_removed() -> None:
    with sctp.sctpsocket_tcp(socket.AF_INET, udp_port=0) as sock:
        sock.bindx([HERE, ("127.0.0.2", PORT)])
        sock.bindx([HERE], sctp.BINDX_REMOVE)
        assert sock.getladdrs() == (("127.0.0.2", PORT),)


def test_an_association_can_be_peeled_off() -> None:
    with udp_pair() as (client, server, assoc_id), client.peeloff(assoc_id) as own:
        assert type(own) is sctp.sctpsocket_tcp
        own.sctp_send(b"from my own")
        address, _, msg, _ = server.sctp_recv(100)
        assert msg == b"from my own"
        server.sctp_send(b"answer", to=address)
        assert own.sctp_recv(100)[2] == b"answer"


def test_what_is_not_for_a_style_is_an_os_error() -> None:
    with sctp.sctpsocket_tcp(socket.AF_INET) as tcp, sctp.sctpsocket_udp(socket.AF_INET) as udp:
        for call in (tcp.peeloff, tcp.get_autoclose, udp.accept):
            with pytest.raises(IOError, match="style"):
                call()
        with pytest.raises(IOError, match="autoclose"):
            tcp.set_autoclose(1)
        udp.autoclose = 120
        assert udp.autoclose == 120


def test_the_primary_address_can_be_chosen() -> None:
    with udp_pair() as (client, server, assoc_id):
        client.set_primary(assoc_id, HERE)
        with raises_errno(errno.EINVAL):
            client.set_primary(assoc_id, ("127.0.0.9", PORT))
        with pytest.raises(ValueError, match="assoc_id"):
            client.set_primary(0, HERE)
        with raises_errno(errno.EOPNOTSUPP):
            client.set_peer_primary(assoc_id, HERE)
        with raises_errno(errno.EINVAL):
            server.set_peer_primary(0, HERE)
    with tcp_pair() as (client, _), pytest.raises(ValueError, match="assoc_id"):
        client.set_primary(5, HERE)


# --- messages ---


def test_a_message_arrives_with_what_is_known_of_it() -> None:
    with tcp_pair() as (client, connection):
        assert client.sctp_send(b"hello", ppid=NGAP, flags=sctp.MSG_UNORDERED, stream=3) == 5
        address, flags, msg, info = connection.sctp_recv(100)
        assert (address, flags, msg) == (client.getladdrs()[0], sctp.FLAG_EOR, b"hello")
        assert type(info) is sctp.sndrcvinfo
        assert (info.stream, info.flags, info.ppid) == (3, sctp.MSG_UNORDERED, NGAP)
        assert info.assoc_id == connection.sock().getassocid(address)


def test_the_ppid_stands_on_the_wire_as_in_c() -> None:
    with tcp_pair() as (client, connection):
        client.sctp_send(b"hello", ppid=NGAP)
        info = sctpx.sctp_recvmsg(connection.sock(), 100)[2]
        assert info is not None
        assert info.sinfo_ppid == 60


def test_a_long_message_comes_in_pieces() -> None:
    with tcp_pair() as (client, connection):
        client.sctp_send(bytes(1500))
        pieces = [connection.sctp_recv(1000) for _ in range(2)]
        assert [len(msg) for _, _, msg, _ in pieces] == [1000, 500]
        assert [flags & sctp.FLAG_EOR for _, flags, _, _ in pieces] == [0, sctp.FLAG_EOR]


def test_text_is_sent_as_utf_8() -> None:
    with tcp_pair() as (client, connection):
        assert client.sctp_send("Grüße") == 7
        assert connection.sctp_recv(100)[2] == "Grüße".encode()


def test_defaults_of_messages_can_be_set() -> None:
    with tcp_pair() as (client, connection):
        client.streamid = 4
        client.sctp_send(b"x")
        assert connection.sctp_recv(100)[3].stream == 4
        client.ttl = 100
        client.sctp_send(b"x")
        client.sctp_send(b"x", timetolive=0)
        for name, value in (("ttl", 256), ("streamid", 65536), ("streamid", -1)):
            with pytest.raises(ValueError, match="between"):
                setattr(client, name, value)
        assert (client.ttl, client.streamid) == (100, 4)


def test_an_empty_message_ends_an_association_or_is_a_value_error() -> None:
    with tcp_pair() as (client, connection):
        with pytest.raises(ValueError, match="MSG_EOF"):
            client.sctp_send(b"")
        client.sctp_send(b"", flags=sctp.MSG_EOF)
        address, flags, msg, info = connection.sctp_recv(100)
        assert (address, flags, msg) == (None, 0, b"")
        assert vars(info) == vars(sctp.sndrcvinfo())


def test_a_message_can_go_to_an_address_or_to_an_id() -> None:
    with udp_pair() as (client, server, assoc_id):
        client.sctp_send(b"by address", to=HERE)
        client.sctp_send(b"by id", to=assoc_id)
        assert [server.sctp_recv(100)[2] for _ in range(2)] == [b"by address", b"by id"]
        with raises_errno(errno.EPIPE):
            client.sctp_send(b"x", to=assoc_id + 100)


def test_messages_can_be_recorded(tmp_path: Path) -> None:
    with tcp_pair() as (client, _):
        client.datalogging = True
        client.sctp_send(b"\xff1", record_file_prefix=str(tmp_path / "sent"))
        client.sctp_send(b"\xff2", record_file_prefix=str(tmp_path / "sent"))
    assert sorted(path.read_bytes() for path in tmp_path.glob("sent-*-c2s.*")) == [b"\xff1", b"\xff2"]


def test_a_timeout_holds_for_receiving() -> None:
    with tcp_pair() as (client, _):
        client.settimeout(0.01)
        with pytest.raises(TimeoutError):
            client.sctp_recv(100)


# --- events ---


def test_no_events_are_subscribed_in_the_beginning() -> None:
    with sctp.sctpsocket_udp(socket.AF_INET) as sock:
        names = ("data_io", "association", "address", "send_failure", "peer_error", "shutdown", "partial_delivery")
        assert [getattr(sock.events, name) for name in (*names, "adaptation_layer")] == [False] * 8


def test_a_change_of_the_events_goes_to_the_socket_at_once_or_when_flushed() -> None:
    with sctp.sctpsocket_udp(socket.AF_INET) as sock:

        def subscribed() -> s.EventSubscribe:
            found = sock.getsockopt(c.IPPROTO_SCTP, c.SCTP_EVENTS)
            assert isinstance(found, s.EventSubscribe)
            return found

        events: Any = sock.events
        events.association = True
        events.set_shutdown(1)
        assert subscribed() == s.EventSubscribe(sctp_association_event=1, sctp_shutdown_event=1)
        events.autoflush = False
        events.peererror = True
        assert events.get_peer_error() is True
        assert not subscribed().sctp_peer_error_event
        events.flush()
        assert subscribed().sctp_peer_error_event
        events.autoflush = True
        events.clear()
        assert subscribed() == s.EventSubscribe(sctp_data_io_event=1)
        assert events.sndrcvinfo is events.dataio is True


def test_adaptation_layer_events_can_be_subscribed_to() -> None:
    with sctp.sctpsocket_tcp(socket.AF_INET) as sock:
        sock.events.data_io = True
        sock.events.adaptation_layer = True
        sock.events.flush()
        assert (sock.events.data_io, sock.events.adaptation_layer) == (True, True)
        wanted = s.EventSubscribe(sctp_data_io_event=1, sctp_adaptation_layer_event=1)
        assert sock.getsockopt(c.IPPROTO_SCTP, c.SCTP_EVENTS) == wanted


def test_events_come_as_objects_between_the_messages() -> None:
    with sctp.sctpsocket_udp(socket.AF_INET, udp_port=0) as server:
        server.bind(HERE)
        server.events.association = True
        server.events.shutdown = True
        server.listen(5)
        with sctp.sctpsocket_udp(socket.AF_INET, peer_udp_port=server.udp_port) as client:
            client.sctp_send(b"hello", to=HERE)
            _, flags, msg, up = server.sctp_recv(100)
            assert flags & sctp.FLAG_NOTIFICATION
            assert msg is None
            assert isinstance(up, sctp.assoc_change)
            assert up.state == sctp.assoc_change.state_COMM_UP
            assert server.sctp_recv(100)[2] == b"hello"
            client.sctp_send(b"", to=HERE, flags=sctp.MSG_EOF)
            shutdown, over = server.sctp_recv(100)[3], server.sctp_recv(100)[3]
            assert isinstance(shutdown, sctp.shutdown_event)
            assert isinstance(over, sctp.assoc_change)
            assert over.state == sctp.assoc_change.state_SHUTDOWN_COMP
            assert shutdown.assoc_id == over.assoc_id == up.assoc_id


def test_an_event_is_whole_however_short_the_buffer() -> None:
    with sctp.sctpsocket_tcp(socket.AF_INET, udp_port=0) as server:
        server.bind(HERE)
        server.events.association = True
        server.listen(5)
        with sctp.sctpsocket_tcp(socket.AF_INET, peer_udp_port=server.udp_port) as client:
            client.connect(HERE)
            client.sctp_send(b"x")
            connection, _ = server.accept()
            with connection:
                assert connection.events.association
                assert connection.sctp_recv(1)[3].state == sctp.assoc_change.state_COMM_UP
                assert connection.sctp_recv(1)[2] == b"x"


def test_an_event_pysctp_does_not_know_is_told_by_its_type_or_raises() -> None:
    with tcp_pair() as (client, _):
        dry = s.Event(se_type=c.SCTP_SENDER_DRY_EVENT, se_on=1)
        client.setsockopt(c.IPPROTO_SCTP, c.SCTP_EVENT, dry)
        _, flags, _, notif = client.sctp_recv(100)
        assert flags & sctp.FLAG_NOTIFICATION
        assert (type(notif), notif.type) == (sctp.notification, c.SCTP_SENDER_DRY_EVENT)
        client.unexpected_event_raises_exception = True
        client.sctp_send(b"x")
        with pytest.raises(IOError, match="unknown type"):
            client.sctp_recv(100)


# --- options and parameters ---


def test_associations_are_set_up_as_initparams_says() -> None:
    with sctp.sctpsocket_tcp(socket.AF_INET, udp_port=0) as server:
        server.bind(HERE)
        server.listen(5)
        with sctp.sctpsocket_tcp(socket.AF_INET, peer_udp_port=server.udp_port) as client:
            parameters: Any = client.initparams
            parameters.num_ostreams = 3
            parameters.set_max_instreams(4)
            assert parameters.initmsg().max_instreams == parameters.get_max_instreams() == 4
            client.connect(HERE)
            found = client.get_status()
            assert (found.outstrms, found.instrms) == (3, 4)


def test_a_value_that_cannot_be_is_refused_and_nothing_changed() -> None:
    with sctp.sctpsocket_tcp(socket.AF_INET) as sock:
        before = sock.initparams.num_ostreams
        with raises_errno(errno.EINVAL):
            sock.initparams.num_ostreams = 1 << 16
        assert sock.initparams.num_ostreams == before
        sock.initparams.max_attempts = 3
        assert sock.getsockopt(c.IPPROTO_SCTP, c.SCTP_INITMSG).sinit_max_attempts == 3


def test_options_are_attributes_and_methods() -> None:
    with sctp.sctpsocket_tcp(socket.AF_INET) as sock:
        assert (sock.nodelay, sock.disable_fragments, sock.maxseg) == (False, False, 0)
        sock.nodelay = True
        sock.disable_fragments = 1
        sock.maxseg = 1000
        assert (sock.get_nodelay(), sock.get_disable_fragments(), sock.get_maxseg()) == (True, True, 1000)
        sock.set_sndbuf(16384)
        sock.set_rcvbuf(32768)
        assert (sock.get_sndbuf(), sock.get_rcvbuf()) == (16384, 32768)
        with raises_errno(errno.EINVAL):
            sock.mappedv4 = True
        assert sock.get_adaptation() == 0
        sock.adaptation = 5
        assert sock.adaptation == 5
    with sctp.sctpsocket_udp(socket.AF_INET6) as sock6:
        sock6.mappedv4 = True
        assert sock6.get_mappedv4()


def test_parameters_of_an_association_are_read_changed_and_set() -> None:
    with udp_pair() as (client, _, assoc_id):
        rto = client.get_rtoinfo(assoc_id)
        rto.max = 5000
        client.set_rtoinfo(rto)
        assert (client.get_rtoinfo(assoc_id).max, client.get_rtoinfo().max) == (5000, 60000)
        association = client.get_assocparams(assoc_id)
        assert association.number_peer_destinations == 1
        association.assocmaxrxt = 4
        client.set_assocparams(association)
        assert client.get_assocparams(assoc_id).assocmaxrxt == 4
        path = client.get_paddrparams(assoc_id, HERE)
        assert path.flags & path.flags_HB_ENABLED
        path.hbinterval = 7000
        client.set_paddrparams(path)
        assert client.get_paddrparams(assoc_id, HERE).hbinterval == 7000


def test_parameters_of_a_path_that_are_set_again_leave_its_dscp_as_it_is() -> None:
    """pysctp has no name for it."""
    with udp_pair() as (client, _, assoc_id):
        marks = s.PaddrParams(spp_assoc_id=assoc_id, spp_address=HERE, spp_flags=c.SPP_DSCP, spp_dscp=160)
        client.setsockopt(c.IPPROTO_SCTP, c.SCTP_PEER_ADDR_PARAMS, marks)
        client.set_paddrparams(client.get_paddrparams(assoc_id, HERE))
        assert client.getsockopt(c.IPPROTO_SCTP, c.SCTP_PEER_ADDR_PARAMS, marks).spp_dscp == 160


def test_an_association_and_its_paths_can_be_looked_at() -> None:
    with udp_pair() as (client, _, assoc_id):
        found = client.get_status(assoc_id)
        assert (found.assoc_id, found.state) == (assoc_id, sctp.status.state_ESTABLISHED)
        path = client.get_paddrinfo(assoc_id, HERE)
        assert vars(path) == vars(found.primary)
        assert (path.sockaddr, path.state) == (HERE, sctp.paddrinfo.state_ACTIVE)
        with raises_errno(errno.EINVAL):
            client.get_paddrinfo(assoc_id, ("127.0.0.9", PORT))
        for call in (client.get_status, lambda: client.get_paddrparams(0, HERE), lambda: client.get_paddrinfo(0, HERE)):
            with pytest.raises(ValueError, match="assoc_id"):
                call()


# --- the socket inside ---


def test_what_a_socket_does_not_have_is_that_of_the_one_inside() -> None:
    with sctp.sctpsocket_tcp(socket.AF_INET) as sock:
        assert isinstance(sock.sock(), sctpx.Socket)
        assert sock.fileno() == sock.sock().fileno()
        assert sctpx.sctp_getladdrs(sock) == []
        with pytest.raises(AttributeError, match="no_such_thing"):
            _ = sock.no_such_thing
        assert copy.copy(sock).sock() is sock.sock()
        assert "sctpsocket_tcp" in repr(sock)


def test_a_socket_can_be_given_one_to_go_on_with() -> None:
    inside = sctpx.socket(sctpx.AF_INET, sctpx.SOCK_SEQPACKET)
    with sctp.sctpsocket_udp(socket.AF_INET, inside) as sock:
        assert sock.sock() is inside
    with raises_errno(errno.EBADF):
        inside.listen()
