"""The drivers: one program per stack, all with the same command line and the same answers.

    COMMAND MODE ROLE key=value ...

MODE is ``bulk``, ``pingpong``, ``setup``, ``first``, ``idle``, ``connectx`` or ``cut``; ROLE is ``server`` or
``client``. The keys are the fields of ``driver.Options``. A server prints ``READY`` when it listens. Each role prints
one JSON object on a line when it has measured, and then goes on with its work until it is ended, so that the other
side's measurement is not disturbed; ``limit`` seconds after its start it ends by itself. ``{"error": ...}`` is the
answer of one that failed.

Every report has ``seconds``, and ``cpu_user`` and ``cpu_system`` (of the whole process, all threads) over the span
measured. And, mode by mode:

bulk        One association, one stream, ordered. The client sends messages of ``size`` bytes without end. Both sides
            measure ``secs`` seconds, beginning ``warm`` seconds after the first message: ``messages``, ``bytes`` (of
            user data, sent or received), ``packets`` (out for the client, in for the server).
pingpong    ``count`` messages to and fro after 200 that do not count. The client: ``rtt_median``, ``rtt_p99``, in us.
setup       ``count`` times one after the other: connect, then abort, or with ``graceful=1`` shut down and wait for the
            end. One before does not count. The client: ``count``.
first       Associate, and have one message of ``size`` bytes sent back. The client: ``milliseconds`` since the program
            began to import what it needs, and ``imported``, those after which it had done so.
idle        ``count`` associations; then, after ``settle`` seconds, ``secs`` seconds of doing nothing. ``rss`` is the
            growth of the resident set from the 100th association to the last, bytes per association; the CPU time is
            that of the wait. ``handler=1``: on each association somebody waits for a message.
connectx    The client associates with all of ``raddr`` and reports the ``milliseconds`` it took.
cut         ``bulk`` between hosts with several addresses. The server measures ``secs`` seconds from the first message:
            ``began`` (CLOCK_MONOTONIC), ``tenths`` (bytes received in each tenth of a second), and ``gaps``, the pauses
            of more than 20 ms between messages as ``[when, how long]``, one still open at the end included.
"""

import time

BEGAN = time.perf_counter()
"""When a driver in Python began: this is the first line that it executes, before it imports anything of its stack."""
