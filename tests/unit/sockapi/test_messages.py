"""User messages on their way out and in."""

from __future__ import annotations

import pytest

from sctpx.sockapi.receive import Message, to_message, to_messages
from sctpx.sockapi.send import Outgoing, Undelivered, parse_outgoing, to_undelivered


def test_a_message_is_the_tuple_of_the_core_with_names() -> None:
    message = to_message((b"data", 1, 60, 7, 4711, 0))
    assert isinstance(message, Message)
    assert message == (b"data", 1, 60, 7, 4711, 0)
    assert (message.data, message.stream, message.ppid, message.ssn, message.tsn) == (b"data", 1, 60, 7, 4711)


@pytest.mark.parametrize(
    ("flags", "unordered", "more"), [(0, False, False), (1, True, False), (2, False, True), (3, True, True)]
)
def test_the_flags_of_a_message_have_names(flags: int, unordered: bool, more: bool) -> None:
    message = to_message((b"x", 0, 0, 0, 0, flags))
    assert (message.unordered, message.more) == (unordered, more)


def test_many_messages_are_made_at_once() -> None:
    taken = [(b"%d" % number, number, 0, 0, 0, 0) for number in range(3)]
    messages = to_messages(taken)
    assert [type(message) for message in messages] == [Message] * 3
    assert messages == taken


@pytest.mark.parametrize(
    ("message", "parsed"),
    [
        (b"x", (b"x", 0, 0, False)),
        (bytearray(b"x"), (b"x", 0, 0, False)),
        ((b"x",), (b"x", 0, 0, False)),
        ((b"x", 1), (b"x", 1, 0, False)),
        ((memoryview(b"x"), 1, 60), (b"x", 1, 60, False)),
        ((b"x", 1, 60, True), (b"x", 1, 60, True)),
        (Message(b"x", 1, 60, 7, 4711, 1), (b"x", 1, 60, True)),
        (Message(b"x", 1, 60, 7, 4711, 2), (b"x", 1, 60, False)),
    ],
)
def test_a_message_to_send_is_data_a_tuple_or_a_received_message(
    message: Outgoing, parsed: tuple[bytes, int, int, bool]
) -> None:
    assert parse_outgoing(message) == parsed
    assert type(parse_outgoing(message)[0]) is bytes


@pytest.mark.parametrize("message", ["text", 1, None, (), ("text",), (b"x", 0, 0, False, 0), [b"x"]])
def test_anything_else_is_a_type_error(message: Outgoing) -> None:
    with pytest.raises(TypeError):
        parse_outgoing(message)


def test_what_is_left_has_names() -> None:
    left = to_undelivered([(b"x", 1, 60, True, True, 7, False), (b"y", 2, 61, False, False, None, True)])
    assert left == [Undelivered(b"x", 1, 60, True), Undelivered(b"y", 2, 61, False)]
    assert [message.sent for message in left] == [True, False]
