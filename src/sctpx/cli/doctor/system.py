"""The operating system, Python, and sctpx in it; signs of a container."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from ... import COMPILED, __version__
from .facts import LINUX, SystemFacts
from .files import text_of

_COMPILERS: Final = ("cc", "gcc", "clang", "cl")
_FILES: Final = (("Docker", ".dockerenv"), ("Podman", "run/.containerenv"))
_KERNELS: Final = (("gVisor", "gvisor"), ("WSL", "microsoft"))
"""Kernels that say in /proc/version who they are."""


def system_facts() -> SystemFacts:
    """What runs here."""
    kind = platform.system()
    return SystemFacts(
        sctpx=__version__,
        compiled=COMPILED,
        python=f"{platform.python_version()} ({platform.python_implementation()})",
        executable=os.path.realpath(sys.executable),
        uvloop=_version("uvloop"),
        compiler=next(filter(None, map(shutil.which, _COMPILERS)), ""),
        kind=kind,
        release=platform.release(),
        machine=platform.machine(),
        name=_system_name(kind),
        containers=container_signs(),
    )


def _version(distribution: str) -> str:
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(distribution)
    return ""


def _system_name(kind: str) -> str:
    if kind == LINUX:
        with suppress(OSError):
            return platform.freedesktop_os_release()["PRETTY_NAME"]
    return platform.platform(terse=True)


def container_signs(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """What says that this is a container, or a kernel that is not a machine's own."""
    signs = ["Kubernetes"] if "KUBERNETES_SERVICE_HOST" in environment else []
    signs += [name for name, file in _FILES if (root / file).exists()]
    told = environment.get("container", "") or text_of(root / "run/systemd/container").strip()
    if told and told not in ("docker", "podman", "oci"):
        signs.append(told)
    kernel = text_of(root / "proc/version").lower()
    return (*signs, *(name for name, word in _KERNELS if word in kernel))
