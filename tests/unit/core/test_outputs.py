"""What leaves the stack."""

from __future__ import annotations

import pytest

from sctpx.core.outputs import Transmit


@pytest.mark.parametrize(("size", "count"), [(1, 1), (99, 1), (100, 1), (101, 2), (200, 2), (201, 3)])
def test_a_batch_counts_its_packets_of_which_the_last_may_be_shorter(size: int, count: int) -> None:
    assert Transmit(b"", bytes(4), 9899, bytes(size), 100).packets == count
