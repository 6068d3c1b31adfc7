"""``sctpx.create_connection`` and ``sctpx.create_server``: transports and protocols."""

from __future__ import annotations

import asyncio
import errno
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar, copy_context
from typing import Any, NamedTuple

import pytest

import sctpx
from sctpx import events
from sctpx.aio.event_stream import EVENTS_KEPT
from tests.api.running import LOOPS, each_loop
from tests.api.support import HOST, PORT, QUICK, associated, cuttable, linux_only, raises_errno, until


class Recorder(sctpx.SctpProtocol):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.transport: sctpx.SctpTransport = None  # type: ignore[assignment]
        self.told: list[Any] = []
        self.ended = asyncio.get_running_loop().create_future()
        self.tasks: set[asyncio.Task[Any] | None] = set()
        self.on_message: Callable[[sctpx.Message], object] = lambda message: None

    def connection_made(self, transport: sctpx.SctpTransport) -> None:
        self.transport = transport
        self.told.append("made")

    def message_received(self, message: sctpx.Message) -> None:
        self.told.append(message.data)
        self.tasks.add(asyncio.current_task())
        self.on_message(message)

    def event_received(self, event: events.Event) -> None:
        self.told.append(event)

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append("lost")
        self.ended.set_result(exc)

    @property
    def messages(self) -> list[bytes]:
        """The data of the messages."""
        return [one for one in self.told if isinstance(one, bytes)]


class Pair(NamedTuple):
    """Both sides: ``a`` connected, ``b`` listened."""

    a: Recorder
    b: Recorder


@asynccontextmanager
async def protocols(server: dict[str, Any] | None = None, **client: Any) -> AsyncIterator[Pair]:
    """An association between two protocols. What is left of it in the end is aborted."""
    made: list[Recorder] = []

    def factory() -> Recorder:
        made.append(Recorder())
        return made[-1]

    listening = await sctpx.create_server(factory, **{"local": HOST, "port": PORT, "udp_port": 0, **(server or {})})
    try:
        hosts = client.pop("hosts", HOST)
        _, a = await sctpx.create_connection(Recorder, hosts, PORT, peer_udp_port=listening.udp_port, **client)
        await until(lambda: made and made[0].transport)
        yield Pair(a, made[0])
        a.transport.abort()
        made[0].transport.abort()
        await asyncio.gather(a.ended, made[0].ended, return_exceptions=True)
    finally:
        listening.close()
        listening.abort_associations()


def exceptions() -> list[dict[str, Any]]:
    """What the loop's exception handler is told from now on."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    return told


# --- messages ---


async def test_messages_go_to_and_fro_and_the_end_is_the_last_that_is_told() -> None:
    async with protocols() as (a, b):
        b.on_message = lambda message: b.transport.send(message.data.upper(), stream=message.stream, ppid=message.ppid)
        received: list[sctpx.Message] = []
        a.on_message = received.append
        a.transport.send(b"one", stream=3, ppid=60)
        await until(lambda: received)
        assert (received[0].data, received[0].stream, received[0].ppid) == (b"ONE", 3, 60)
        a.transport.close()
        assert await a.ended is None
        assert await b.ended is None
        assert a.told == ["made", b"ONE", "lost"]
        assert b.told == ["made", b"one", events.PeerShutdown(), "lost"]


@pytest.mark.blind_loop
async def test_messages_come_where_the_loop_cannot_watch_sockets() -> None:
    async with protocols() as (a, b):
        a.transport.send(b"one")
        a.transport.send(b"two")
        await until(lambda: len(b.messages) == 2)
        assert b.messages == [b"one", b"two"]


async def test_a_message_is_handed_over_with_no_task_in_between() -> None:
    async with protocols() as (a, b):
        a.transport.send(b"x")
        await until(lambda: b.messages)
        assert b.tasks == {None}


async def test_what_is_sent_while_several_messages_are_handed_over_leaves_together() -> None:
    async with protocols() as (a, b):
        b.on_message = lambda message: b.transport.send(message.data)
        b.transport.pause_reading()
        for _ in range(20):
            a.transport.send(b"x")
        await until(lambda: b.transport.association.readable == 20)
        before = b.transport.association.stats.packets_sent
        b.transport.resume_reading()
        await until(lambda: len(a.messages) == 20)
        assert b.transport.association.stats.packets_sent - before == 1


async def test_a_message_larger_than_the_receive_buffer_comes_in_parts() -> None:
    config = sctpx.AssociationConfig(receive_buffer=10_000)
    async with protocols(server={"config": config}) as (a, b):
        parts: list[sctpx.Message] = []
        b.on_message = parts.append
        a.transport.send(bytes(50_000))
        await until(lambda: parts and not parts[-1].more)
        assert len(parts) > 1
        assert sum(len(part.data) for part in parts) == 50_000


async def test_messages_and_events_are_told_in_the_order_in_which_they_came() -> None:
    config = sctpx.AssociationConfig(allow_stream_reset=True)
    async with protocols(server={"config": config}) as (a, b):
        b.transport.pause_reading()
        for data in (b"1", b"2", b"3"):
            a.transport.send(data)
        a.transport.association.reset_streams([0])
        for data in (b"4", b"5"):
            a.transport.send(data)
        await until(lambda: b.transport.association.readable == 5)
        assert b.told == ["made"]
        b.transport.resume_reading()
        await until(lambda: len(b.messages) == 5)
        reset = events.StreamsReset(outgoing=False, incoming=True, streams=(0,))
        assert b.told == ["made", b"1", b"2", b"3", reset, b"4", b"5"]


async def test_events_with_no_message_before_them_are_told_while_reading_is_paused() -> None:
    config = sctpx.AssociationConfig(allow_stream_reset=True)
    async with protocols(server={"config": config}) as (a, b):
        b.transport.pause_reading()
        a.transport.association.reset_streams([0])
        await until(lambda: len(b.told) > 1)
        assert [type(one) for one in b.told[1:]] == [events.StreamsReset]


async def test_of_events_behind_messages_that_nobody_reads_so_many_wait_and_no_more() -> None:
    async with protocols() as (a, b):
        b.transport.pause_reading()
        a.transport.send(b"x")
        await until(lambda: b.transport.association.readable)
        for number in range(EVENTS_KEPT + 5):
            b.transport.on_event(events.AdaptationIndicated(number), 1)
        await until(lambda: len(b.told) > 5)
        assert b.told == ["made", *[events.AdaptationIndicated(number) for number in range(5)]]
        b.transport.resume_reading()
        await until(lambda: len(b.told) == EVENTS_KEPT + 7)
        assert b.told[6] == b"x"


async def test_an_event_before_parts_that_a_restart_has_dropped_does_not_come_behind_what_follows() -> None:
    """RFC 9260 section 5.2.4 A: what is left of an unfinished message goes, so there are fewer messages than before."""
    async with protocols() as (a, b):
        b.transport.pause_reading()
        a.transport.send(b"x")
        await until(lambda: b.transport.association.readable)
        b.transport.on_event(events.AdaptationIndicated(1), 5)
        b.transport.on_event(events.Restarted(()), 1)
        a.transport.send(b"after")
        await until(lambda: b.transport.association.readable == 2)
        b.transport.resume_reading()
        await until(lambda: b.messages == [b"x", b"after"])
        assert b.told[1:] == [b"x", events.AdaptationIndicated(1), events.Restarted(()), b"after"]


# --- flow control: what is received ---


async def test_while_reading_is_paused_the_window_closes() -> None:
    config = sctpx.AssociationConfig(receive_buffer=20_000)
    async with protocols(server={"config": config}) as (a, b):
        assert b.transport.is_reading()
        b.transport.pause_reading()
        b.transport.pause_reading()
        assert not b.transport.is_reading()
        for number in range(30):
            a.transport.send(b"%04d" % number * 250)
        await until(lambda: b.transport.association.readable >= 15 and not a.transport.association.paths[0].flight_size)
        assert b.transport.association.readable <= 20
        assert a.transport.get_write_buffer_size() >= 10_000
        assert b.messages == []
        b.transport.resume_reading()
        assert b.messages == []
        await until(lambda: len(b.messages) == 30)
        assert b.messages == [b"%04d" % number * 250 for number in range(30)]


async def test_reading_can_be_paused_between_messages_that_came_together() -> None:
    async with protocols() as (a, b):
        b.on_message = lambda _: b.transport.pause_reading()
        for data in (b"1", b"2", b"3"):
            a.transport.send(data)
        for count in (1, 2, 3):
            await until(lambda count=count: len(b.messages) == count)  # type: ignore[misc]
            await asyncio.sleep(0)
            assert len(b.messages) == count
            b.transport.resume_reading()
        assert b.messages == [b"1", b"2", b"3"]


@pytest.mark.parametrize("graceful", [True, False])
async def test_the_end_waits_for_the_messages_before_it(graceful: bool) -> None:
    async with protocols() as (a, b):
        b.transport.pause_reading()
        a.transport.send(b"last words")
        await until(lambda: b.transport.association.readable)
        if graceful:
            a.transport.close()
        else:
            a.transport.abort()
        await until(lambda: b.transport.association.ended)
        await asyncio.sleep(0)
        assert b.told == ["made"]
        b.transport.resume_reading()
        await b.ended
        assert b.messages == [b"last words"]
        assert b.told[-1] == "lost"


# --- flow control: what is sent ---


async def test_writing_is_paused_above_the_upper_limit_and_resumed_at_the_lower_one() -> None:
    config = sctpx.AssociationConfig(receive_buffer=20_000)
    async with protocols(server={"config": config}) as (a, b):
        assert a.transport.get_write_buffer_limits() == (1 << 18, 1 << 20)
        a.transport.set_write_buffer_limits(high=100_000)
        assert a.transport.get_write_buffer_limits() == (25_000, 100_000)
        b.transport.pause_reading()
        while "pause" not in a.told:
            a.transport.send(bytes(1000))
            assert a.transport.get_write_buffer_size() < 102_000
        assert a.transport.get_write_buffer_size() > 100_000
        b.transport.resume_reading()
        await until(lambda: "resume" in a.told)
        assert a.transport.get_write_buffer_size() <= 25_000
        assert a.told == ["made", "pause", "resume"]


async def test_with_a_limit_of_nothing_resume_writing_tells_that_all_was_acknowledged() -> None:
    async with protocols() as (a, _):
        a.transport.set_write_buffer_limits(0)
        a.transport.send(b"x", immediate=True)
        assert a.told == ["made", "pause"]
        await until(lambda: "resume" in a.told)
        assert a.transport.get_write_buffer_size() == 0


async def test_limits_are_checked_and_have_defaults() -> None:
    async with protocols() as (a, _):
        a.transport.set_write_buffer_limits(low=1000)
        assert a.transport.get_write_buffer_limits() == (1000, 4000)
        a.transport.set_write_buffer_limits()
        assert a.transport.get_write_buffer_limits() == (1 << 18, 1 << 20)
        with pytest.raises(ValueError, match="high"):
            a.transport.set_write_buffer_limits(high=1, low=2)
        with pytest.raises(ValueError, match="low"):
            a.transport.set_write_buffer_limits(high=1, low=-1)
        a.transport.send(b"x")
        a.transport.set_write_buffer_limits(0)
        assert a.told == ["made", "pause"]


async def test_coroutines_can_send_beside_the_protocol() -> None:
    async with protocols() as (a, b):
        await a.transport.association.send(b"1")
        a.transport.send(b"2")
        await a.transport.association.send_many([b"3", b"4"])
        await until(lambda: len(b.messages) == 4)
        assert b.messages == [b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"data": b""}, errno.EINVAL),
        ({"data": b"x", "stream": 99}, errno.EINVAL),
        ({"data": bytes(1 << 25)}, errno.EMSGSIZE),
    ],
)
async def test_a_mistake_of_the_caller_raises_and_changes_nothing(options: dict[str, Any], code: int) -> None:
    async with protocols() as (a, b):
        with raises_errno(code):
            a.transport.send(**options)
        with pytest.raises(ValueError, match="one of lifetime"):
            a.transport.send(b"x", lifetime=1.0, retransmits=1)
        with pytest.raises(TypeError):
            a.transport.send("text")  # type: ignore[arg-type]
        a.transport.send(bytearray(b"good"), unordered=True, lifetime=10.0)
        await until(lambda: b.messages == [b"good"])


# --- callbacks that fail ---


async def test_a_callback_that_fails_is_told_of_and_the_next_message_comes() -> None:
    told = exceptions()
    async with protocols() as (a, b):

        def fail(message: sctpx.Message) -> None:
            if message.data == b"bad":
                raise LookupError("no such thing")

        b.on_message = fail
        for data in (b"1", b"bad", b"2"):
            a.transport.send(data)
        await until(lambda: len(b.messages) == 3)
        assert [type(context["exception"]) for context in told] == [LookupError]
        assert "message_received" in told[0]["message"]
        assert told[0]["transport"] is b.transport
        assert told[0]["protocol"] is b
        assert b.transport.association.state == "ESTABLISHED"


@pytest.mark.parametrize(
    "name", ["connection_made", "event_received", "pause_writing", "resume_writing", "connection_lost"]
)
async def test_no_callback_that_fails_disturbs_the_association(name: str) -> None:
    told = exceptions()

    class Failing(Recorder):
        pass

    def fail(self: Recorder, *arguments: Any) -> None:
        getattr(Recorder, name)(self, *arguments)
        raise LookupError

    setattr(Failing, name, fail)
    async with await sctpx.create_server(Recorder, HOST, PORT, udp_port=0) as server:
        transport, protocol = await sctpx.create_connection(Failing, HOST, PORT, peer_udp_port=server.udp_port)
        transport.set_write_buffer_limits(0)
        transport.send(b"x", immediate=True)
        await until(lambda: "resume" in protocol.told)
        await until(lambda: server.associations)
        server.associations[0].begin_shutdown()
        await protocol.ended
        assert protocol.told == ["made", "pause", "resume", events.PeerShutdown(), "lost"]
    assert [type(context["exception"]) for context in told] == [LookupError]
    assert name in told[0]["message"]


async def test_that_a_callback_cannot_send_any_more_is_no_failure() -> None:
    """The peer was faster: it shuts down before its last message is answered."""
    told = exceptions()
    async with protocols() as (a, b):
        b.on_message = lambda message: b.transport.send(message.data)
        b.transport.pause_reading()
        a.transport.send(b"x")
        await until(lambda: b.transport.association.readable)
        a.transport.close()
        await until(lambda: b.transport.association.ended)
        b.transport.resume_reading()
        assert await b.ended is None
    assert told == []


async def test_a_factory_that_fails_leaves_no_association_behind() -> None:
    told = exceptions()

    def fail() -> Recorder:
        raise LookupError("no protocol")

    async with await sctpx.create_server(fail, HOST, PORT, udp_port=0) as server:
        client = await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port)
        with pytest.raises(sctpx.AssociationAborted):
            await client.recv()
        assert [type(context["exception"]) for context in told] == [LookupError]
    async with await sctpx.start_server(None, HOST, PORT, udp_port=0) as listening:
        with pytest.raises(LookupError):
            await sctpx.create_connection(fail, HOST, PORT, peer_udp_port=listening.udp_port)
        await until(lambda: not listening.associations)


@each_loop
def test_ctrl_c_in_a_callback_stops_the_loop_and_what_else_had_come_is_told_when_it_goes_on(event_loop: str) -> None:
    def interrupt(message: sctpx.Message) -> None:
        if message.data == b"1":
            raise KeyboardInterrupt

    async def exchange(heard: list[Recorder], finish: asyncio.Event) -> None:
        async with protocols() as (a, b):
            b.on_message = interrupt
            b.transport.pause_reading()
            for data in (b"1", b"2", b"3"):
                a.transport.send(data)
            await until(lambda: b.transport.association.readable == 3)
            heard.append(b)
            b.transport.resume_reading()
            await finish.wait()

    heard: list[Recorder] = []
    finish = asyncio.Event()
    with asyncio.Runner(loop_factory=LOOPS[event_loop]) as runner:
        loop = runner.get_loop()
        task = loop.create_task(exchange(heard, finish))
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(task)
        loop.run_until_complete(until(lambda: len(heard[0].messages) == 3))
        assert heard[0].messages == [b"1", b"2", b"3"]
        finish.set()
        loop.run_until_complete(task)


# --- the end ---


async def test_close_delivers_what_was_sent_and_hands_nothing_over_any_more() -> None:
    async with protocols() as (a, b):
        assert not a.transport.is_closing()
        b.transport.pause_reading()
        a.transport.pause_reading()
        for number in range(100):
            a.transport.send(b"%03d" % number * 1000)
        b.transport.send(b"too late")
        await until(lambda: a.transport.association.readable)
        a.transport.close()
        a.transport.close()
        assert a.transport.is_closing()
        assert not a.transport.is_reading()
        a.transport.resume_reading()
        assert not a.transport.is_reading()
        with pytest.raises(BrokenPipeError):
            a.transport.send(b"x")
        b.transport.resume_reading()
        assert await a.ended is None
        assert await b.ended is None
        assert len(b.messages) == 100
        assert a.messages == []


async def test_a_peer_with_more_to_send_than_the_window_takes_comes_to_the_end_of_a_close() -> None:
    config = sctpx.AssociationConfig(receive_buffer=10_000)
    async with protocols(config=config) as (a, b):
        a.transport.pause_reading()
        for _ in range(50):
            b.transport.send(bytes(1000))
        await until(lambda: a.transport.association.readable >= 9)
        a.transport.close()
        assert await a.ended is None
        assert await b.ended is None


@linux_only
async def test_a_close_that_takes_too_long_aborts(caplog: pytest.LogCaptureFixture) -> None:
    link = cuttable("127.0.0.8")
    async with protocols(server={"local": "127.0.0.2"}, hosts="127.0.0.2", link=link, close_timeout=0.05) as (a, _):
        link.cut("127.0.0.2")
        a.transport.send(b"never arrives")
        a.transport.close()
        assert await a.ended is None
        assert "close_timeout" in caplog.text
        link.heal()


async def test_abort_ends_at_once_and_tells_the_peer_why() -> None:
    async with protocols() as (a, b):
        a.transport.pause_reading()
        b.transport.send(b"unread")
        await until(lambda: a.transport.association.readable)
        a.transport.abort("because")
        a.transport.abort("again")
        assert await a.ended is None
        assert a.messages == []
        error = await b.ended
        assert isinstance(error, sctpx.AssociationAborted)
        assert error.causes == ((12, b"because"),)


@linux_only
async def test_that_the_peer_is_gone_is_told() -> None:
    link = cuttable("127.0.0.8")
    async with protocols(server={"local": "127.0.0.2"}, hosts="127.0.0.2", link=link, config=QUICK) as (a, _):
        link.cut("127.0.0.2")
        assert isinstance(await a.ended, sctpx.AssociationLost)
        assert [type(one) for one in a.told[1:-1]] == [events.PathStateChanged] * 2
        link.heal()


async def test_leaving_the_server_shuts_the_associations_of_protocols_down() -> None:
    made: list[Recorder] = []

    def factory() -> Recorder:
        made.append(Recorder())
        return made[-1]

    async with await sctpx.create_server(factory, HOST, PORT, udp_port=0) as server:
        _, a = await sctpx.create_connection(Recorder, HOST, PORT, peer_udp_port=server.udp_port)
        a.transport.send(b"in time")
        await until(lambda: made)
    assert await a.ended is None
    assert await made[0].ended is None
    assert made[0].messages == [b"in time"]


async def test_an_association_that_is_over_before_there_is_a_protocol_is_told_whole() -> None:
    async with associated() as (a, b):
        await a.send(b"in passing")
        await a.shutdown()
        await until(lambda: b.ended)
        recorder = Recorder()
        sctpx.SctpTransport(b, recorder, copy_context())
        assert await recorder.ended is None
        assert recorder.told == ["made", b"in passing", "lost"]


# --- what else there is ---


async def test_a_transport_says_what_it_is() -> None:
    async with protocols() as (a, b):
        association = a.transport.association
        assert repr(a.transport) == f"<sctpx.SctpTransport of {association!r}>"
        assert a.transport.get_extra_info("association") is association
        assert a.transport.get_extra_info("peername") == (HOST, PORT)
        assert a.transport.get_extra_info("sockname") == (HOST, association.port)
        assert b.transport.get_extra_info("peername") == (HOST, association.port)
        assert a.transport.get_extra_info("socket") is None
        assert a.transport.get_extra_info("socket", "none") == "none"


async def test_another_protocol_can_take_over() -> None:
    async with protocols() as (a, b):
        first, second = b, Recorder()
        assert b.transport.get_protocol() is first
        b.on_message = lambda _: b.transport.set_protocol(second)
        a.transport.send(b"1")
        a.transport.send(b"2")
        await until(lambda: second.messages)
        assert (first.messages, second.messages) == ([b"1"], [b"2"])
        second.ended.add_done_callback(first.ended.set_result)
        assert b.transport.get_protocol() is second


_who: ContextVar[str] = ContextVar("who", default="nobody")


async def test_protocols_run_in_copies_of_the_context_they_were_asked_for_in() -> None:
    seen: list[tuple[str, str]] = []

    class Named(Recorder):
        def connection_made(self, transport: sctpx.SctpTransport) -> None:
            super().connection_made(transport)
            seen.append(("made", _who.get()))
            _who.set(_who.get() + "'s own")

        def message_received(self, message: sctpx.Message) -> None:
            seen.append(("message", _who.get()))

    _who.set("server")
    async with await sctpx.create_server(Named, HOST, PORT, udp_port=0) as server:
        _who.set("elsewhere")
        transport, _ = await sctpx.create_connection(Recorder, HOST, PORT, peer_udp_port=server.udp_port)
        transport.send(b"x")
        await until(lambda: len(seen) == 2)
        assert seen == [("made", "server"), ("message", "server's own")]
        assert _who.get() == "elsewhere"


async def test_nobody_else_receives_what_a_protocol_is_to_be_handed() -> None:
    async with protocols() as (a, b):
        for receive in (b.transport.association.recv, b.transport.association.recv_many):
            with pytest.raises(RuntimeError, match="go to its protocol"):
                await receive()
        a.transport.send(b"x")
        await until(lambda: b.messages == [b"x"])


async def test_events_go_to_on_event_as_well() -> None:
    heard: list[events.Event] = []
    async with protocols(on_event=lambda _, event: heard.append(event)) as (a, _):
        a.transport.send(b"x", immediate=True)
        await until(lambda: len(heard) > 1)
        assert heard == [events.CommunicationUp(incoming=False), events.SenderDry()]
        assert a.told == ["made"]


@pytest.mark.parametrize(
    ("call", "like"), [(sctpx.create_connection, sctpx.connect), (sctpx.create_server, sctpx.start_server)]
)
def test_the_arguments_are_those_of_the_calls_without_a_protocol(call: Any, like: Any) -> None:
    parameters = list(inspect.signature(call).parameters.values())
    others = [one for one in inspect.signature(like).parameters.values() if one.name != "handler"]
    assert parameters[0].name == "protocol_factory"
    assert parameters[1:] == others
