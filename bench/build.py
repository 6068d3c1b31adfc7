"""Compiles the drivers written in C, once; they are kept in build/bench under the hash of their source."""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
from pathlib import Path

PEERS = Path(__file__).with_name("peers")
BUILD = Path(__file__).parents[1] / "build" / "bench"


class Unavailable(Exception):
    """Something cannot be measured here; the text says why, in a line."""


def build(source: str, *libraries: str) -> Path:
    """The program made of a file in ``peers``. ``Unavailable`` without a compiler or a library.

    ``CC`` names another compiler.
    """
    path = PEERS / source
    program = BUILD / f"{path.stem}-{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    if program.exists():
        return program
    BUILD.mkdir(parents=True, exist_ok=True)
    fresh = program.with_suffix(f".{os.getpid()}")
    command = [*shlex.split(os.environ.get("CC", "cc")), "-std=c11", "-O2", "-Wall", "-Wextra", str(path)]
    command += ["-o", str(fresh), *(f"-l{library}" for library in libraries)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    except FileNotFoundError as error:
        raise Unavailable(f"no C compiler ({error.filename})") from None
    except subprocess.CalledProcessError as error:
        reason = next((line for line in error.stderr.splitlines() if "error" in line), error.stderr.strip())
        raise Unavailable(f"{source} does not compile: {reason}") from None
    fresh.replace(program)
    return program


def build_relay() -> Path:
    """The relay that loses and delays packets."""
    return build("relay.c")
