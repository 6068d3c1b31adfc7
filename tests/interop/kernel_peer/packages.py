"""Debian packages that are unpacked into ``build/interop``, not installed: nothing of the system changes."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

PLACE: Final = Path(__file__).parents[3] / "build" / "interop"
_DOWNLOAD: Final = ("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download")


class CommandError(Exception):
    """A command failed; the text has what it said."""


def run(*argv: str, cwd: str | None = None, given: str | None = None) -> str:
    """What a command says. ``CommandError`` if it fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, cwd=cwd, input=given, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        raise CommandError(f"{argv[0]} took too long") from None
    if done.returncode:
        raise CommandError(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def unpacked(package: str) -> Path:
    """The directory with the files of a package, which is downloaded if it is not there yet."""
    tree = PLACE / package
    if tree.exists():
        return tree
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise CommandError(f"the package {package} is downloaded with apt-get, which is not here")
    PLACE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PLACE) as place:
        try:
            run(*_DOWNLOAD, package, cwd=place)
        except CommandError:  # The lists of packages may be old, or not there.
            run("apt-get", "-q", "update")
            run(*_DOWNLOAD, package, cwd=place)
        [archive] = Path(place).glob("*.deb")
        run("dpkg-deb", "-R", str(archive), f"{place}/tree")
        Path(place, "tree").rename(tree)
    return tree


def version(tree: Path) -> str:
    """The version of a package that is unpacked there."""
    fields = (tree / "DEBIAN" / "control").read_text().splitlines()
    return next(field.partition(": ")[2] for field in fields if field.startswith("Version: "))
