"""What sockets have to do with files: ``makefile``, ``sendfile``, inheritance, and the servers of ``socketserver``."""

from __future__ import annotations

import errno
import gc
import io
import os
import socketserver
import threading
from pathlib import Path
from typing import Any

import pytest

import sctpx
from sctpx.blocking.hub import hub
from tests.api.sockets.support import PORT, Thread, connected, new_socket
from tests.api.support import raises_errno

# --- makefile ---


def test_lines_are_read_whatever_the_messages_they_came_in() -> None:
    with connected() as (a, b), a.makefile("r", encoding="utf-8", newline="\n") as file:
        for message in (b"on", b"e\ntwo\nthr", "ée\n".encode()):
            b.send(message)
        b.close()
        assert file.mode == "r"
        assert list(file) == ["one\n", "two\n", "thrée\n"]
        assert file.read() == ""


def test_what_is_flushed_together_is_one_message() -> None:
    with connected() as (a, b), a.makefile("wb") as file:
        file.write(b"one, ")
        file.write(b"two")
        file.flush()
        assert b.recv(100) == b"one, two"
        with a.makefile("w", encoding="utf-8") as text:
            text.write("text")
        assert b.recv(100) == b"text"


def test_an_unbuffered_file_sends_each_write_and_reads_up_to_the_end_of_a_message() -> None:
    with connected() as (a, b), a.makefile("rwb", 0) as file:
        assert file.write(b"request") == 7
        assert b.recv(100) == b"request"
        b.send(b"ans")
        b.send(b"wer")
        assert (file.read(2), file.read(100), file.read(100)) == (b"an", b"s", b"wer")
        b.close()
        assert file.read(100) == b""


def test_a_file_for_both_directions_reads_and_writes() -> None:
    with connected() as (a, b), a.makefile("rwb") as file:
        file.write(b"request\n")
        file.flush()
        assert b.recv(100) == b"request\n"
        b.send(b"answer\nrest")
        assert file.readline() == b"answer\n"


def test_the_modes_are_those_of_sockets() -> None:
    expected = {
        "r": (io.TextIOWrapper, "r", True, False),
        "w": (io.TextIOWrapper, "w", False, True),
        "rw": (io.TextIOWrapper, "rw", True, True),
        "": (io.TextIOWrapper, "", True, False),
        "b": (io.BufferedReader, "rb", True, False),
        "rb": (io.BufferedReader, "rb", True, False),
        "wb": (io.BufferedWriter, "wb", False, True),
        "rwb": (io.BufferedRWPair, None, True, True),
    }
    with connected() as (a, _):
        for mode, (kind, told, readable, writable) in expected.items():
            with a.makefile(mode) as file:
                assert type(file) is kind
                assert getattr(file, "mode", None) == told
                assert (file.readable(), file.writable(), file.seekable()) == (readable, writable, False)


def test_a_file_does_only_what_it_was_made_for() -> None:
    with connected() as (a, _):
        with a.makefile("rb", 0) as file, pytest.raises(io.UnsupportedOperation):
            file.write(b"x")
        with a.makefile("wb", 0) as file, pytest.raises(io.UnsupportedOperation):
            file.read(1)
        with pytest.raises(ValueError, match="closed"):
            file.write(b"x")
        assert file.name == -1


def test_a_socket_closes_with_the_last_of_its_files() -> None:
    with connected() as (a, b):
        first, second = a.makefile("rb"), a.makefile("wb")
        a.close()
        second.write(b"still there")
        second.close()
        assert b.recv(100) == b"still there"
        b.send(b"an answer\n")
        assert first.readline() == b"an answer\n"
        assert not first.closed
        first.close()
        assert b.recv(100) == b""
        with raises_errno(errno.EBADF):
            a.send(b"x")


def test_a_file_that_is_closed_twice_counts_once() -> None:
    with connected() as (a, b):
        first, second = a.makefile("rb"), a.makefile("rb")
        first.close()
        first.close()
        a.close()
        b.send(b"x")
        assert second.read(1) == b"x"
        second.close()


def test_a_file_that_nobody_holds_any_more_closes_its_socket() -> None:
    with connected() as (a, b):
        file = a.makefile("rb")
        a.close()
        del a, file
        gc.collect()
        assert b.recv(100) == b""


@pytest.mark.real_time
def test_a_file_that_a_garbage_collection_closes_in_the_middle_of_a_call_closes_its_socket_soon() -> None:
    """Whoever holds the lock of all sockets is in the middle of a call: a finalizer can only leave its work behind."""
    with connected() as (a, b):
        file = a.makefile("rb", 0)
        a.close()
        with hub.guard, hub.lock:
            file.close()
        assert b.recv(100) == b""
        with raises_errno(errno.EBADF):
            a.send(b"x")


def test_reading_goes_no_further_after_a_timeout() -> None:
    with connected() as (a, b), a.makefile("rb") as file:
        a.settimeout(0.01)
        with pytest.raises(TimeoutError):
            file.read(1)
        b.send(b"late")
        with pytest.raises(OSError, match="timed out"):
            file.read(1)


def test_a_socket_that_does_not_wait_gives_none_and_takes_none() -> None:
    with connected() as (a, _), a.makefile("rwb", 0) as file:
        a.setblocking(False)
        assert file.read(1) is None
        chunk = bytes(1 << 16)
        while (written := file.write(chunk)) is not None:
            assert written == len(chunk)


def test_a_one_to_many_socket_is_no_stream() -> None:
    with new_socket(sctpx.AF_INET, sctpx.SOCK_SEQPACKET) as sock:
        for call in (sock.makefile, lambda: sock.sendfile(io.BytesIO(b"x"))):
            with raises_errno(errno.EOPNOTSUPP):
                call()


# --- sendfile ---


def read_all(sock: sctpx.Socket) -> list[bytes]:
    messages: list[bytes] = []
    while message := sock.recv(1 << 20):
        messages.append(message)
    return messages


@pytest.mark.parametrize(
    ("offset", "count", "sizes"),
    [
        (0, None, [65536, 65536, 10]),
        (100, None, [65536, 65446]),
        (5, 70000, [65536, 4464]),
        (131080, 50, [2]),
        (200000, 1, []),
    ],
)
def test_a_file_is_sent_in_messages_and_its_position_follows(
    tmp_path: Path, offset: int, count: int | None, sizes: list[int]
) -> None:
    data = os.urandom(131082)
    path = tmp_path / "file"
    path.write_bytes(data)
    with connected() as (a, b), path.open("rb") as file:
        receiving = Thread(lambda: read_all(b))
        assert a.sendfile(file, offset, count) == sum(sizes)
        if sizes:
            assert file.tell() == offset + sum(sizes)
        a.close()
        received = receiving.result()
    assert [len(message) for message in received] == sizes
    assert b"".join(received) == data[offset : offset + sum(sizes)]


def test_a_file_is_sent_from_the_offset_on_wherever_the_program_has_read_up_to(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with connected() as (a, b), path.open("rb") as file:
        for source in (file, io.BytesIO(b"0123456789")):
            source.read(4)
            assert (a.sendfile(source), source.tell()) == (10, 10)
            assert b.recv(100) == b"0123456789"


def test_a_pipe_is_sent_up_to_its_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"0123456789")
    os.close(writing)
    with connected() as (a, b), os.fdopen(reading, "rb") as file:
        assert a.sendfile(file) == 10
        assert b.recv(100) == b"0123456789"


def test_what_is_no_file_to_send_is_refused() -> None:
    with connected() as (a, _):
        for arguments in ((io.BytesIO(b"x"), 0, 0), (io.BytesIO(b"x"), 0, -1)):
            with pytest.raises(ValueError, match="positive"):
                a.sendfile(*arguments)
        with open(__file__, encoding="utf-8") as text, pytest.raises(ValueError, match="binary"):
            a.sendfile(text)  # type: ignore[arg-type]
        a.setblocking(False)
        with pytest.raises(ValueError, match="non-blocking"):
            a.sendfile(io.BytesIO(b"x"))


# --- processes ---


def test_a_socket_is_not_inherited_and_cannot_be() -> None:
    with new_socket() as sock:
        assert sock.get_inheritable() is False
        sock.set_inheritable(False)
        with raises_errno(errno.EOPNOTSUPP):
            sock.set_inheritable(True)


# --- socketserver ---


class Server(socketserver.ThreadingTCPServer):
    """A server of the standard library over SCTP: its socket is another one, and that is all."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        super().__init__(address, handler, bind_and_activate=False)
        self.socket.close()
        self.socket: Any = sctpx.socket(udp_port=0)
        self.server_bind()
        self.server_activate()


class Shouter(socketserver.StreamRequestHandler):
    """Answers each line in capitals."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line.upper())


@pytest.mark.real_time
def test_a_server_of_the_standard_library_serves_over_sctp() -> None:
    with Server(("127.0.0.1", PORT), Shouter) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            for number in range(2):
                with sctpx.socket(peer_udp_port=server.socket.udp_port) as sock:
                    sock.connect(server.server_address)  # type: ignore[arg-type]
                    with sock.makefile("rw", encoding="utf-8") as file:
                        print("hello", number, file=file, flush=True)
                        assert file.readline() == f"HELLO {number}\n"
        finally:
            server.shutdown()
            thread.join(20)
