"""The end of a program: nothing that was sent is lost in silence, and no peer is left in the belief that it goes on."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

import pytest

import sctpx
from sctpx import constants as c
from tests.api.programs import LIMIT, Run
from tests.api.sockets.conftest import bounded as bounded
from tests.api.sockets.support import accepted, listening
from tests.api.support import lost

pytestmark = pytest.mark.usefixtures("bounded")

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="a signal kills at once there")
with_fork = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no fork")


def received(server: sctpx.Socket) -> int | None:
    """How many bytes come on the next association up to its graceful end; ``None`` if it is aborted."""
    server.settimeout(LIMIT)
    with accepted(server) as sock:
        sock.settimeout(LIMIT)
        total = 0
        with suppress(sctpx.AssociationAborted):
            while data := sock.recv(1 << 20):
                total += len(data)
            return total
    return None


def take_little(server: sctpx.Socket) -> None:
    """Associations of this socket take 100,000 bytes before somebody reads."""
    server.setsockopt(c.SOL_SOCKET, c.SO_RCVBUF, 100_000)


# --- interpreter exit ---

LEAVING = """
atexit.register(print, "leaving", flush=True)  # This is called before what sctpx has registered.
sock = connected()
for _ in range(10):
    sock.send(bytes(50_000))
sock.close()
"""


def test_the_exit_waits_for_a_peer_that_reads_late(run: Run) -> None:
    with listening() as server:
        take_little(server)
        program = run(LEAVING, server)
        assert program.line() == "leaving"
        assert received(server) == 500_000
        assert program.ended() == (0, "", "")


def test_a_peer_that_does_not_read_is_cut_off_after_the_limit_and_standard_error_says_so(run: Run) -> None:
    with listening() as server:
        take_little(server)
        program = run(LEAVING, server, SCTPX_EXIT_TIMEOUT="0.1")
        status, _, errors = program.ended()
        assert received(server) is None
    (line,) = errors.splitlines()
    assert status == 0
    assert "127.0.0.1 SCTP port 5000" in line
    assert lost(line) >= 400_000
    assert "0.1 s (SCTPX_EXIT_TIMEOUT)" in line


@posix_only
def test_ctrl_c_ends_the_waiting(run: Run) -> None:
    with listening() as server:
        take_little(server)
        program = run(LEAVING, server, SCTPX_EXIT_TIMEOUT="60")
        assert program.line() == "leaving"
        patience = 0.05
        while not program.wait(patience):
            program.signal(signal.SIGINT)
            patience = 5  # Ctrl-C may have come before the program began to wait; another one too soon ends it rudely.
        (line,) = program.ended().errors.splitlines()
        assert "bytes not acknowledged: waiting for the peer was interrupted" in line
        assert lost(line) >= 400_000
        assert received(server) is None


NEVER_CLOSED = """
loop = asyncio.new_event_loop()
kept = loop.run_until_complete(association())
"""
IN_A_THREAD = """
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
async def main(): return await association()
kept = asyncio.run_coroutine_threadsafe(main(), loop).result()
"""
HELD_UP = IN_A_THREAD + "loop.call_soon_threadsafe(time.sleep, 100)\n"
FAILING = NEVER_CLOSED + "1 / 0\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(NEVER_CLOSED, id="a loop that is never closed"),
        pytest.param(IN_A_THREAD, id="a loop that still runs in a thread"),
        pytest.param(HELD_UP, id="a loop that does not answer", marks=pytest.mark.slow),
        pytest.param(FAILING, id="an exception"),
    ],
)
def test_an_association_of_asyncio_that_is_left_at_exit_is_aborted_and_named(run: Run, text: str) -> None:
    with listening() as server:
        program = run(text, server, "-W", "default::ResourceWarning")
        assert received(server) is None
        status, _, errors = program.ended()
    assert status == (text is FAILING)
    assert "ResourceWarning: unclosed association <sctpx.Association" in errors
    assert "ESTABLISHED with 127.0.0.1 port 5000" in errors


def test_a_shutdown_of_asyncio_under_way_at_exit_is_seen_to_its_end(run: Run) -> None:
    text = """
async def main():
    global kept
    kept = await association()
    for _ in range(10):
        await kept.send(bytes(50_000))
    asyncio.create_task(kept.shutdown())
    await asyncio.sleep(0)

atexit.register(print, "leaving", flush=True)
asyncio.new_event_loop().run_until_complete(main())
"""
    with listening() as server:
        take_little(server)
        program = run(text, server)
        assert program.line() == "leaving"
        assert received(server) == 500_000
        assert program.ended().status == 0


# --- children of multiprocessing ---

WORK = """
import concurrent.futures, multiprocessing

def send(how):
    if how == "asyncio":
        asyncio.run(send_by_asyncio())
    elif how == "thread":
        threading.Thread(target=send_later).start()
    else:
        send_by_socket()

def send_by_socket():
    sock = connected()
    for _ in range(9):
        sock.send(bytes(100_000))
    sock.close()

def send_later():
    threading.main_thread().join(0.05)  # Until the work of the child has returned.
    send_by_socket()

async def send_by_asyncio():
    left = await association()
    for _ in range(9):
        await left.send(bytes(100_000))
    ending = asyncio.create_task(left.shutdown())
    await asyncio.sleep(0)
    ending.cancel()

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[2])
    how = sys.argv[3]
"""
PROCESS = """
    child = context.Process(target=send, args=(how,))
    child.start()
    child.join()
    sys.exit(child.exitcode)
"""
POOL = """
    pool = context.Pool(1)
    pool.apply(send, (how,))
    pool.close()
    pool.join()
"""
POOL_AS_CONTEXT = """
    with context.Pool(1) as pool:
        pool.apply(send, (how,))
"""
EXECUTOR = """
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        executor.submit(send, how).result()
"""
TERMINATED = """
import multiprocessing

def stay(up):
    sock = connected()
    sock.send(b"last words")
    up.set()
    sock.recv(1)

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    up = context.Event()
    child = context.Process(target=stay, args=(up,))
    child.start()
    up.wait()
    child.terminate()
    child.join()
    sys.exit(child.exitcode != -signal.SIGTERM)
"""


@with_fork
@pytest.mark.parametrize(
    ("program", "method", "how"),
    [
        pytest.param(PROCESS, "fork", "socket", id="Process-fork"),
        pytest.param(PROCESS, "forkserver", "socket", id="Process-forkserver", marks=pytest.mark.slow),
        pytest.param(PROCESS, "spawn", "socket", id="Process-spawn"),
        pytest.param(PROCESS, "fork", "asyncio", id="Process-asyncio"),
        pytest.param(PROCESS, "fork", "thread", id="Process-thread", marks=pytest.mark.slow),
        pytest.param(POOL, "fork", "socket", id="Pool"),
        pytest.param(POOL_AS_CONTEXT, "fork", "socket", id="Pool-context", marks=pytest.mark.slow),
        pytest.param(EXECUTOR, "fork", "socket", id="ProcessPoolExecutor"),
    ],
)
def test_all_that_a_child_has_sent_arrives(run: Run, program: str, method: str, how: str) -> None:
    with listening() as server:
        take_little(server)
        running = run(WORK.replace("sys.argv[2]", repr(method)).replace("sys.argv[3]", repr(how)) + program, server)
        assert received(server) == 900_000
        assert running.ended() == (0, "", "")


@with_fork
def test_a_child_that_is_terminated_shuts_its_associations_down_and_dies_of_the_signal_all_the_same(run: Run) -> None:
    with listening() as server:
        program = run(TERMINATED, server)
        assert received(server) == len(b"last words")
        assert program.ended() == (0, "", "")


@with_fork
def test_a_program_that_is_no_child_of_multiprocessing_keeps_its_sigterm(run: Run) -> None:
    text = """
import multiprocessing.util
sock = connected()
print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
"""
    with listening() as server:
        program = run(text, server)
        assert received(server) == 0
        assert program.ended() == (0, "True\n", "")


@with_fork
def test_a_forked_child_sends_nothing_in_the_name_of_its_parent(run: Run) -> None:
    text = """
loop = asyncio.new_event_loop()
theirs = loop.run_until_complete(association())
sock = connected()
if os.fork() == 0:
    sys.exit()  # All that is called at exit is called.
os.wait()
loop.run_until_complete(theirs.send(b"still here"))
loop.run_until_complete(theirs.close())
loop.close()
sock.send(b"still here")
sock.close()
"""
    with listening() as server:
        program = run(text, server)
        assert [received(server), received(server)] == [10, 10]
        assert program.ended() == (0, "", "")
