"""The programs that come with pysctp's sources, on ``sctpx.compat.pysctp``: with our own stack and with the kernel's.

pip downloads the sources when the tests run; none of them is in this project.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import sctpx
from sctpx import constants as c
from tests.interop.conftest import cannot_be_had
from tests.interop.kernel_peer.guest import GUEST_ADDRESSES, ROOT, Guest
from tests.interop.kernel_peer.packages import PLACE
from tests.interop.kernel_peer.peer import KernelPeer
from tests.interop.kernel_peer.programs import Program
from tests.interop.matrix import Matrix

PEER = "programs of pysctp"
pytestmark = pytest.mark.matrix(peer=PEER, api="pysctp")
PORT = 10_000
SENT = b"TEST SUCCEEDED"
PATHS = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="module")
def sources(matrix: Matrix) -> Path:
    """pysctp's sources, unpacked."""
    place = PLACE / "pysctp"
    if not place.exists():
        fresh = PLACE / "pysctp.part"
        fresh.mkdir(parents=True, exist_ok=True)
        words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:", "pysctp"]
        done = subprocess.run([*words, f"--dest={fresh}"], capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            cannot_be_had(f"pip cannot download pysctp: {done.stderr[-500:]}")
        [archive] = fresh.glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(fresh, filter="data")
        fresh.rename(place)
    [tree] = place.glob("pysctp-*/")
    matrix.versions[PEER] = tree.name.removeprefix("pysctp-")
    return tree


def start(guest: Guest, program: Path, *words: str, inside: bool = False) -> Program:
    """One of the programs, in the guest on the kernel's SCTP, or beside it on sctpx's own."""
    argv = (sys.executable, "-m", "tests.interop.pysctp_program", str(program), *words)
    if inside:
        return guest.start(*argv, env={**PATHS, "SCTPX_BACKEND": "kernel"})
    return guest.start_beside(*argv, env=PATHS)


@pytest.mark.parametrize("backend", ["userspace", "kernel"])
def test_its_test_loopback_talks_to_itself(backend: str, guest: Guest, sources: Path) -> None:
    with start(guest, sources / "test_loopback.py", inside=backend == "kernel") as program:
        status, said = program.finish()
    assert status == 0, said
    assert f"server sctp_recv, buf: b'ABCDEF: {SENT.decode()}" in said


def test_its_test_local_cnx_talks_to_a_server_of_sctpx(kernel: KernelPeer, sources: Path) -> None:
    with sctpx.socket() as server:
        server.settimeout(20)
        server.bind(("127.0.0.1", PORT))
        server.listen()
        with start(kernel.guest, sources / "test_local_cnx.py") as program:
            association, _ = server.accept()
            with association:  # The program never ends by itself: nobody is there to take leave of.
                association.setsockopt(c.SOL_SOCKET, c.SO_LINGER, sctpx.Linger(l_onoff=1, l_linger=0))
                data = association.recv(2048)
                assert SENT in data
                association.send(b"got " + data)
                assert "got ABCDEF: TEST SUCCEEDED" in program.line_with("got")


def test_its_test_remote_cnx_talks_to_a_linux_kernel(kernel: KernelPeer, sources: Path) -> None:
    kernel.post("accept", socket=kernel.open(GUEST_ADDRESSES[:1], port=PORT, listen=True))
    with start(kernel.guest, sources / "test_remote_cnx.py", "-H", GUEST_ADDRESSES[0], "-P", str(PORT)) as program:
        socket = kernel.reply()["socket"]
        [message] = kernel.call("receive", socket=socket)["messages"]
        assert message["size"] > len(SENT)
        kernel.call("send", socket=socket, size=100)
        program.line_with("Msg arrived, flag")
