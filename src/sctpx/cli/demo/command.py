"""``sctpx demo``: chooses the link, tells the story, decides the exit status."""

from __future__ import annotations

import sys
import time

import click

from ..failure import Failure, one_line
from ..interrupt import exit_by_signal
from ..output import json_text, make_console
from ..parameters import size as size_type
from . import loopback
from .story import MINIMUM_SIZE, Outcome, Teller

_ONE_ADDRESS = "this system has one loopback address only: what follows is a simulated network, in virtual time"


@click.command(
    short_help="See it survive two dead addresses and the loss of a path.",
    epilog="""\b
Examples:
  sctpx demo                  the whole story, on loopback sockets
  sctpx demo --size 1G        send so much instead of what there is time for
  sctpx demo --simulated      on a simulated network, in virtual time
  sctpx demo --json           one JSON object; "ok" tells whether all held
""",
)
@click.option("--size", type=size_type, metavar="SIZE", help="Bytes to send. [default: 300M, less on a slow machine]")
@click.option("--simulated", "simulate", is_flag=True, help="No sockets: a simulated network, in virtual time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def demo(size: int | None, simulate: bool, as_json: bool) -> None:
    """See what it does: an association over several addresses survives the loss of one.

    A client connects to four addresses of a server, of which the first is silent and the second refuses; sends a few
    hundred megabytes, and loses the primary path half-way; ends the association gracefully; and compares what was
    received with what was sent. Client and server are two processes on the loopback interface. No root, no kernel
    module. The exit status is 0 only if all of that held.
    """
    if size is not None and size < MINIMUM_SIZE:
        text = f"at least {MINIMUM_SIZE} bytes are needed for some to be on the way when the path is cut"
        raise click.BadParameter(text, param_hint="--size")
    if as_json:
        outcome = _tell(Teller(), size, simulate)
        click.echo(json_text(outcome.as_json()))
    else:
        from .screen import Screen  # noqa: PLC0415 - --json does without rich

        with Screen(make_console(sys.stdout)) as screen:
            outcome = _tell(screen, size, simulate)
            screen.finished(outcome)
    if not all(outcome.checks().values()):
        sys.exit(1)


def _tell(teller: Teller, size: int | None, simulate: bool) -> Outcome:
    started = time.monotonic()
    with exit_by_signal(), one_line():
        if not simulate and not loopback.is_possible():
            simulate = True
            teller.note(_ONE_ADDRESS)
        try:
            if simulate:
                from . import simulated  # noqa: PLC0415 - the test kit, seldom needed

                outcome = simulated.run(teller, size)
            else:
                outcome = loopback.run(teller, size)
        except AssertionError as error:
            raise Failure(str(error)) from error
    outcome.seconds = time.monotonic() - started
    return outcome
