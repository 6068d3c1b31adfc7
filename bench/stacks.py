"""The stacks that are compared, and how each is found on this machine.

Ours runs twice, from two environments that have it installed: one interpreted, one compiled. ``SCTPX_PURE_PYTHON`` and
``SCTPX_COMPILED_PYTHON`` name their interpreters, ``AIORTC_PYTHON`` that of an environment with aiortc. The defaults
are what the Makefile makes: .venv, .venv-compiled and .venv-aiortc. What is missing is left out, and a line says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .build import Unavailable, build

ROOT = Path(__file__).parents[1]

COMPILED = "sctpx-compiled"
PURE = "sctpx-pure"
USRSCTP = "usrsctp"
AIORTC = "aiortc"
FLOOR = "udp-floor"
TCP = "tcp"
OURS = (COMPILED, PURE)
ALL = (COMPILED, PURE, USRSCTP, AIORTC, FLOOR, TCP)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """A stack that is here."""

    name: str
    command: tuple[str, ...]
    """Its driver."""
    version: str
    options: tuple[tuple[str, str], ...] = ()
    """What its driver is told besides the work."""


def find(names: Sequence[str] = ALL) -> tuple[dict[str, Stack], list[str]]:
    """Those of these stacks that are here, by name, and a line about each of the others."""
    found: dict[str, Stack] = {}
    missing: list[str] = []
    for name in names:
        try:
            found[name] = _FINDERS[name]()
        except Unavailable as reason:
            missing.append(f"{name} is skipped: {reason}")
    return found, missing


def _interpreter(variable: str, default: str) -> str:
    path = Path(os.environ.get(variable) or ROOT / default / "bin" / "python")
    if not path.exists():
        raise Unavailable(f"there is no {path} (make it, or name another interpreter in {variable})")
    return str(path)


def _ask(interpreter: str, question: str) -> str:
    """What an interpreter prints."""
    try:
        answer = subprocess.run(
            [interpreter, "-c", question], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60
        )
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{interpreter}: {error.stderr.strip().splitlines()[-1]}") from None
    return answer.stdout.strip()


def _ours(name: str, variable: str, default: str, compiled: bool) -> Stack:
    interpreter = _interpreter(variable, default)
    facts = "sctpx.COMPILED, sctpx.__version__, platform.python_version()"
    is_compiled, version, python = json.loads(
        _ask(interpreter, f"import json, platform, sctpx; print(json.dumps([{facts}]))")
    )
    if is_compiled is not compiled:
        raise Unavailable(f"the sctpx of {interpreter} is {'compiled' if is_compiled else 'interpreted'}")
    command = (interpreter, "-m", "bench.peers.sctpx_bench")
    return Stack(name=name, command=command, version=f"sctpx {version}, Python {python}")


def _usrsctp() -> Stack:
    program = build("usrsctp_bench.c", "usrsctp", "pthread")
    return Stack(name=USRSCTP, command=(str(program),), version=f"usrsctp {_debian_version('libusrsctp2')}")


def _debian_version(package: str) -> str:
    """The version of an installed package of Debian's; usrsctp itself does not tell its own."""
    question = ["dpkg-query", "--show", "--showformat", "${Version}", package]
    try:
        answer = subprocess.run(question, check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        return "of unknown version"
    return answer.stdout.strip()


def _aiortc() -> Stack:
    interpreter = _interpreter("AIORTC_PYTHON", ".venv-aiortc")
    version = _ask(interpreter, "import aiortc.rtcsctptransport; print(aiortc.__version__)")
    return Stack(name=AIORTC, command=(interpreter, "-m", "bench.peers.aiortc_bench"), version=f"aiortc {version}")


def _floor(name: str, kind: str) -> Stack:
    version = f"Python {sys.version.split()[0]}"
    command = (sys.executable, "-m", "bench.peers.floor")
    return Stack(name=name, command=command, version=version, options=(("kind", kind),))


_FINDERS: dict[str, Callable[[], Stack]] = {
    COMPILED: lambda: _ours(COMPILED, "SCTPX_COMPILED_PYTHON", ".venv-compiled", compiled=True),
    PURE: lambda: _ours(PURE, "SCTPX_PURE_PYTHON", ".venv", compiled=False),
    USRSCTP: _usrsctp,
    AIORTC: _aiortc,
    FLOOR: lambda: _floor(FLOOR, "gro"),
    TCP: lambda: _floor(TCP, "tcp"),
}
