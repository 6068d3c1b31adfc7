"""Builds the protocol (``wire`` and ``core``) and ``DRIVING`` as C extensions, from the source that runs interpreted.

All or nothing: where there is no C compiler, or mypyc is not to be had, the install is interpreted and complete, and a
line says why. ``SCTPX_PURE=1`` asks for that; the wheel is then ``py3-none-any``. With ``SCTPX_PURE=0`` it is an error
not to be compiled. What is static is in pyproject.toml.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

PURE = os.environ.get("SCTPX_PURE")
LEFT_INTERPRETED = {"describe.py", "config.py"}
"""One makes text for people; the other has the class that users make, copy and pickle, with its documentation."""

DRIVING = (
    "deferral.py",
    *[f"link/{name}.py" for name in ("arrivals", "busy_poll", "udp", "udp_socket")],
    *[f"aio/{name}.py" for name in ("driver", "output", "polling", "waiting")],
    *[f"blocking/{name}.py" for name in ("driver", "hub", "waiting")],
    *[f"sockapi/{name}.py" for name in ("delivery", "ports", "socket_association")],
)
"""What runs for each packet or message between the core and the event loop, or a blocking call."""


def modules() -> list[str]:
    """The files that are compiled: everything below the line but what is not worth it, and ``DRIVING``."""
    package = Path("src", "sctpx")
    files = [path for part in ("wire", "core") for path in sorted((package / part).rglob("*.py"))]
    files += [package / file for file in DRIVING]
    return [str(path) for path in files if path.name not in LEFT_INTERPRETED]


def interpreted(reason: object) -> None:
    """Say that the install has no extensions, and why."""
    if PURE == "0":
        sys.exit(f"sctpx: the core cannot be compiled, and SCTPX_PURE=0 asks for it: {reason}")
    print(f"sctpx: the core will run interpreted: {reason}", file=sys.stderr)


def extensions() -> list[Extension]:
    """The compiled modules: one group, so that calls between them stay calls in C."""
    if PURE == "1":
        interpreted("SCTPX_PURE=1")
        return []
    try:
        from mypyc.build import mypycify
    except ImportError as failure:
        interpreted(failure)
        return []
    # Types only guide the compiler here; checking them is what `make lint` does, with everything that is imported.
    options = ["--config-file=", "--follow-imports=silent", "--cache-dir=build/mypy"]
    try:
        return list(mypycify([*options, *modules()], opt_level="3", debug_level="0", group_name="sctpx"))
    except SystemExit as failure:  # So mypyc says that it could not make C of it.
        interpreted(f"mypyc ended with {failure}")
        return []


class BuildAllOrNone(build_ext):
    """A module that is an extension while another could not be built would not even import."""

    def build_extensions(self) -> None:
        """Build, or clear away what was built until something failed."""
        try:
            super().build_extensions()
        except (BaseError, CCompilerError) as failure:
            interpreted(failure)
            for path in self.get_outputs():
                Path(path).unlink(missing_ok=True)
            self.extensions.clear()


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildAllOrNone})
