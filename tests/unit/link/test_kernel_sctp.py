"""Whether the kernel has SCTP of its own, read from a copy of what /proc/net has."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from sctpx.link.kernel_sctp import check_absent, is_loaded

HEADER = "protocol  size sockets  memory press maxhdr  slab module     cl co di ac\n"
TCP = "TCP       2304      1     222   no     192   yes  kernel      y  y  y  y\n"
SCTP = "SCTP      1888      0       0   no       1   yes  sctp        y  y  y  y\n"


def test_a_kernel_whose_protocols_have_none_has_none(tmp_path: Path) -> None:
    tmp_path.joinpath("protocols").write_text(HEADER + TCP)
    assert not is_loaded(str(tmp_path))
    check_absent(str(tmp_path))


def test_a_protocol_of_that_name_tells(tmp_path: Path) -> None:
    tmp_path.joinpath("protocols").write_text(HEADER + SCTP + TCP)
    assert is_loaded(str(tmp_path))


def test_its_directory_tells(tmp_path: Path) -> None:
    tmp_path.joinpath("sctp").mkdir()
    assert is_loaded(str(tmp_path))


def test_a_system_that_tells_nothing_has_none(tmp_path: Path) -> None:
    assert not is_loaded(str(tmp_path))


def test_the_error_says_what_to_do(tmp_path: Path) -> None:
    tmp_path.joinpath("sctp").mkdir()
    with pytest.raises(OSError, match=r'use the kernel.*link="udp".*modprobe -r sctp') as failure:
        check_absent(str(tmp_path))
    assert failure.value.errno == errno.EBUSY
