"""Path MTUs that were found, for associations to come."""

from __future__ import annotations

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.path.known_mtus import LIFE, MOST, KnownMtus
from sctpx.core.path.path import Path

NOW = 10**18
HERE = bytes((10, 0, 0, 1))


def path_to(number: int, mtu: int = 1400, encaps_port: int = 9899, local: bytes = HERE) -> Path:
    """A path on which packets of IP of that size were found to pass."""
    path = Path((10 << 24 | number).to_bytes(4, "big"), local, encaps_port, AssociationConfig().rules, 1500, True)
    path.set_mtu(mtu - (28 if encaps_port else 20))
    return path


def test_what_was_found_is_known_for_ten_minutes() -> None:
    known = KnownMtus()
    known.note(NOW, path_to(1))
    assert known.size(NOW, path_to(1)) == 1372
    assert known.size(NOW + LIFE - 1, path_to(1)) == 1372
    assert known.size(NOW + LIFE, path_to(1)) == 0


def test_where_time_begins_nothing_is_known() -> None:
    assert KnownMtus().size(0, path_to(1)) == 0


@pytest.mark.parametrize("other", [path_to(2), path_to(1, local=bytes((10, 0, 0, 9))), path_to(1, local=b"")])
def test_it_is_known_of_this_path_only(other: Path) -> None:
    known = KnownMtus()
    known.note(NOW, path_to(1))
    assert known.size(NOW, other) == 0


def test_the_udp_header_is_counted_where_there_is_one() -> None:
    known = KnownMtus()
    known.note(NOW, path_to(1))
    assert known.size(NOW, path_to(1, encaps_port=0)) == 1380


def test_what_the_interface_takes_need_not_be_known() -> None:
    known = KnownMtus()
    known.note(NOW, path_to(1))
    known.note(NOW, path_to(1, mtu=1500))
    assert len(known) == 0


def test_it_is_forgotten_when_packets_of_that_size_do_not_pass() -> None:
    known = KnownMtus()
    known.note(NOW, path_to(1))
    known.forget(path_to(1))
    known.forget(path_to(2))
    assert known.size(NOW, path_to(1)) == 0


def test_of_many_paths_the_oldest_are_forgotten() -> None:
    known = KnownMtus()
    for number in range(MOST + 10):
        known.note(NOW, path_to(number))
        known.note(NOW, path_to(0))
    assert len(known) == MOST
    assert known.size(NOW, path_to(0)) == known.size(NOW, path_to(MOST)) == 1372
    assert known.size(NOW, path_to(1)) == 0
