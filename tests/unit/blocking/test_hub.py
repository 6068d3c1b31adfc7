"""Leader and followers: who waits for the network, and who is woken by whom."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from sctpx.blocking.hub import hub
from sctpx.blocking.waiting import Line
from sctpx.core.timers import NEVER
from sctpx.link.busy_poll import ENOUGH
from sctpx.sockapi.ending import Ending
from tests.api.polling import limit_polling, note_selects

PATIENCE = 20


class Mailbox:
    """Something for the hub to drive: counts what arrives on a socket, and wakes who waits for it."""

    def __init__(self) -> None:
        self.closed = False
        self.in_dialogue = False
        self.far, self._near = socket.socketpair()
        self.received = b""
        self.readers: list[str] = []
        self.deadline = NEVER
        self.line = Line()

    def descriptors(self) -> list[int]:
        return [self._near.fileno()]

    def feed(self, descriptor: int) -> bool:
        assert descriptor == self._near.fileno()
        self.received += self._near.recv(100)
        self.readers.append(threading.current_thread().name)
        self.deadline = 0
        return False

    def run(self) -> None:
        self.deadline = NEVER
        self.line.wake()

    def next_deadline(self) -> int:
        return self.deadline

    def shut_down(self) -> None:
        raise AssertionError("nobody exits here")

    def cut_off(self, ending: Ending) -> None:
        raise AssertionError("nobody exits here")

    def break_off(self) -> None:
        """Nothing is ever interrupted."""

    def abandon(self) -> None:
        raise AssertionError("nobody forks here")

    def close(self) -> None:
        self.closed = True
        hub.remove(self)
        self.far.close()
        self._near.close()


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mailbox that the hub drives."""
    with hub.guard, hub.lock:
        box = Mailbox()
        hub.add(box)
    try:
        yield box
    finally:
        with hub.guard, hub.lock:
            box.close()


def in_thread(call: Callable[[], None], name: str) -> threading.Thread:
    thread = threading.Thread(target=call, name=name, daemon=True)
    thread.start()
    return thread


def join(*threads: threading.Thread) -> None:
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_call_that_waits_reads_the_network_itself() -> None:
    with mailbox() as box, hub.guard, hub.lock:
        box.far.send(b"x")
        while not box.received:
            hub.wait(box.line)
        assert box.readers[-1] == threading.current_thread().name


def test_the_thread_reads_while_nobody_waits() -> None:
    done = threading.Event()

    class Telling(Mailbox):
        def run(self) -> None:
            super().run()
            done.set()

    with hub.guard, hub.lock:
        box = Telling()
        hub.add(box)
    try:
        box.far.send(b"x")
        assert done.wait(PATIENCE)
        assert box.readers == ["sctpx"]
    finally:
        with hub.guard, hub.lock:
            box.close()


def test_a_program_without_sockets_has_no_thread_and_with_the_next_one_it_has() -> None:
    for _ in range(2):
        with mailbox() as box:
            [thread] = [thread for thread in threading.enumerate() if thread.name == "sctpx"]
            box.far.send(b"x")
        join(thread)


def test_a_driver_that_did_not_read_everything_is_asked_again_before_anybody_waits() -> None:
    class Slow(Mailbox):
        def feed(self, descriptor: int) -> bool:
            if self.received:  # Nothing is left in the socket: waiting for it would not end.
                self.received += b" and the rest"
                self.deadline = 0
                return False
            super().feed(descriptor)
            return True

    with hub.guard, hub.lock:
        box = Slow()
        hub.add(box)
        box.far.send(b"first")
        while not box.received:
            hub.wait(box.line)
        assert box.received == b"first"
        hub.wait(box.line)
        assert box.received == b"first and the rest"
        box.close()


def test_each_of_several_waiters_is_woken_and_the_lead_is_handed_on() -> None:
    with mailbox() as box:
        served: list[str] = []

        def take() -> None:
            with hub.guard, hub.lock:
                while not box.received:
                    hub.wait(box.line)
                box.received = box.received[1:]
                served.append(threading.current_thread().name)
                if box.received:
                    box.line.wake()

        threads = [in_thread(take, f"waiter {number}") for number in range(4)]
        for _ in threads:
            box.far.send(b"x")
        join(*threads)
        assert sorted(served) == [f"waiter {number}" for number in range(4)]


def test_who_follows_reads_the_network_itself_once_the_leader_has_left() -> None:
    with mailbox() as box:
        served = threading.Semaphore(0)

        def take() -> None:
            with hub.guard, hub.lock:
                while not box.received:
                    hub.wait(box.line)
                box.received = box.received[1:]
                served.release()

        waiting = threading.Semaphore(0)

        def enter() -> None:
            with hub.guard, hub.lock:
                waiting.release()
            take()

        threads = [in_thread(enter, f"waiter {number}") for number in range(2)]
        for _ in threads:
            assert waiting.acquire(timeout=PATIENCE)
        for _ in threads:
            box.far.send(b"x")
            assert served.acquire(timeout=PATIENCE)
        join(*threads)
        assert box.readers[-1].startswith("waiter")


def test_a_waiter_can_be_woken_by_another_thread_whether_it_leads_or_follows() -> None:
    with mailbox() as box:
        lines = [Line(), Line()]
        flags = [False, False]
        ready_to_wait = threading.Semaphore(0)

        def wait(number: int) -> None:
            with hub.guard, hub.lock:
                ready_to_wait.release()
                while not flags[number]:
                    hub.wait(lines[number])

        threads = [in_thread(lambda number=number: wait(number), f"w{number}") for number in range(2)]  # type: ignore[misc]
        for _ in threads:
            assert ready_to_wait.acquire(timeout=PATIENCE)
        for number, line in enumerate(lines):
            with hub.guard, hub.lock:
                flags[number] = True
                line.wake_all()
        join(*threads)
        assert box.received == b""


def test_a_deadline_ends_the_waiting_of_leaders_and_followers() -> None:
    with mailbox():

        def wait() -> None:
            with hub.guard, hub.lock:
                deadline = time.monotonic_ns() + 1_000_000
                while time.monotonic_ns() < deadline:
                    hub.wait(Line(), deadline)

        join(*[in_thread(wait, f"waiter {number}") for number in range(3)])


def test_an_earlier_deadline_reaches_whoever_waits_for_the_network() -> None:
    with mailbox() as box:
        waiting = threading.Event()
        done: list[bool] = []

        def wait() -> None:
            with hub.guard, hub.lock:
                waiting.set()
                hub.wait(box.line)
                done.append(True)

        thread = in_thread(wait, "waiter")
        assert waiting.wait(PATIENCE)
        with hub.guard, hub.lock:
            box.deadline = 1
            hub.expect(1)
        join(thread)
        assert done == [True]


def test_deferred_work_is_done_under_the_lock() -> None:
    with mailbox():
        done = threading.Event()
        hub.defer(done.set)
        assert done.wait(PATIENCE)


def test_a_call_within_a_call_is_refused() -> None:
    """As a finalizer would make it that interrupts a call in the middle."""
    with hub.guard, hub.lock, pytest.raises(RuntimeError, match="finalizer"), hub.guard:
        pass
    with hub.guard, hub.lock:
        pass


def test_whatever_a_signal_handler_raises_the_lock_is_held_once_and_given_back() -> None:
    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    def wake(line: Line) -> None:
        with hub.guard, hub.lock:
            line.wake_all()
            # The main thread handles it when it gets the lock, or on its way there.
            signal.raise_signal(signal.SIGUSR1)

    def take() -> None:
        with hub.guard, hub.lock:
            pass

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with mailbox():
            for _ in range(50):
                line = Line()
                thread: threading.Thread | None = None
                try:
                    with hub.guard, hub.lock:
                        thread = in_thread(lambda line=line: wake(line), "waker")  # type: ignore[misc]
                        while True:
                            hub.wait(line)
                except KeyboardInterrupt:
                    pass
                assert thread is not None
                join(thread, in_thread(take, "taker"))
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("in_dialogue", [True, False])
def test_a_dialogue_is_polled_for_before_its_waits_sleep(monkeypatch: pytest.MonkeyPatch, in_dialogue: bool) -> None:
    """With a limit of an hour every wait here is short."""
    assert hub.carriers == [], "the limit is read with the first driver"
    limit_polling(monkeypatch, microseconds=3_600_000_000)
    waits = note_selects(monkeypatch)
    here = threading.current_thread().name
    with mailbox() as box, hub.guard, hub.lock:
        box.in_dialogue = in_dialogue
        for number in range(1, ENOUGH + 2):
            assert (here, 0) not in waits
            box.far.send(b"x")
            while len(box.received) < number:
                hub.wait(box.line)
        assert ((here, 0) in waits) is in_dialogue
