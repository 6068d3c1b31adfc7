"""Authentication with sockets (RFC 6458 sections 5.3.8, 6.1.8, 8.1.18 and 8.3.2 to 8.3.5; RFC 4895)."""

from __future__ import annotations

from errno import EINVAL

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from tests.api.sockets.support import IPPROTO_SCTP, connected, notification, subscribe

DATA = 0


def prepare(sock: sctpx.Socket) -> None:
    """DATA has to be authenticated, with one of two keys."""
    subscribe(sock, c.SCTP_AUTHENTICATION_EVENT)
    sock.setsockopt(IPPROTO_SCTP, c.SCTP_AUTH_CHUNK, s.AuthChunk(sauth_chunk=DATA))
    for number, key in ((1, b"one"), (2, b"two")):
        sock.setsockopt(IPPROTO_SCTP, c.SCTP_AUTH_KEY, s.AuthKey(sca_keynumber=number, sca_key=key))
    sock.setsockopt(IPPROTO_SCTP, c.SCTP_AUTH_ACTIVE_KEY, s.AuthKeyId(scact_keynumber=1))


def key_event(sock: sctpx.Socket) -> tuple[int, int]:
    """The key and the indication of the next notification."""
    event = notification(sock)
    assert isinstance(event, s.AuthkeyEvent)
    return event.auth_keynumber, event.auth_indication


def test_keys_of_the_listening_socket_are_those_of_the_accepted_one_and_events_tell_of_them() -> None:
    with connected(prepare, prepare) as (a, b):
        assert b.getsockopt(IPPROTO_SCTP, c.SCTP_AUTH_ACTIVE_KEY) is not None
        a.send(b"with one")
        assert key_event(b) == (1, c.SCTP_AUTH_NEW_KEY)
        assert b.recv(100) == b"with one"
        a.sendmsg([b"with two"], [(IPPROTO_SCTP, c.SCTP_AUTHINFO, s.AuthInfo(auth_keynumber=2))])
        assert key_event(b) == (2, c.SCTP_AUTH_NEW_KEY)
        assert b.recv(100) == b"with two"
        a.setsockopt(IPPROTO_SCTP, c.SCTP_AUTH_ACTIVE_KEY, s.AuthKeyId(scact_keynumber=2))
        a.setsockopt(IPPROTO_SCTP, c.SCTP_AUTH_DEACTIVATE_KEY, s.AuthKeyId(scact_keynumber=1))
        assert key_event(a) == (1, c.SCTP_AUTH_FREE_KEY)
        a.setsockopt(IPPROTO_SCTP, c.SCTP_AUTH_DELETE_KEY, s.AuthKeyId(scact_keynumber=1))


def test_a_message_with_a_key_that_there_is_not_is_an_error() -> None:
    with connected(prepare, prepare) as (a, b):
        with pytest.raises(OSError, match="shared key") as caught:
            sctpx.sctp_sendv(a, b"x", info=s.AuthInfo(auth_keynumber=9))
        assert caught.value.errno == EINVAL
        a.send(b"right")
        key_event(b)
        assert b.recv(100) == b"right"


def test_a_peer_that_does_not_authenticate_is_told() -> None:
    def listen_for_it(sock: sctpx.Socket) -> None:
        subscribe(sock, c.SCTP_AUTHENTICATION_EVENT)

    with connected(listen_for_it) as (a, _):
        assert key_event(a) == (0, c.SCTP_AUTH_NO_AUTH)
