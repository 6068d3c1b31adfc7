"""What went wrong, in one line, with exit status 1: nobody should read a traceback because a peer is not there."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

_WAY: Final = re.compile(r"""(link|backend)=["'](raw|udp|kernel)["']""")
"""How a caller of the API names a way for packets."""


class Failure(click.ClickException):
    """A command that could not do what it was asked to."""


@contextmanager
def one_line() -> Iterator[None]:
    """What the network, the system or the values given do to a command ends it with one clear line."""
    try:
        yield
    except BrokenPipeError as error:
        if error.strerror == os.strerror(errno.EPIPE):
            raise  # Whoever read our output has enough: click ends quietly.
        raise Failure(explain(error)) from error  # An association that takes nothing any more says so in other words.
    except (OSError, EOFError, ValueError) as error:
        raise Failure(explain(error)) from error


def explain(error: BaseException) -> str:
    """An exception as a line: what it says, without the errno's number, and an argument as the option it is here."""
    if isinstance(error, OSError) and error.strerror:
        text = _WAY.sub(r"--link \2", error.strerror.replace("udp_port=", "--udp-port"))
        return f"{text}: {error.filename}" if error.filename else text
    return str(error) or type(error).__name__
