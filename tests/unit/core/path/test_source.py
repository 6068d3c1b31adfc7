"""The choice of our own address."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.path.source import choose_source


def packed(*addresses: str) -> list[bytes]:
    return [ip_address(address).packed for address in addresses]


def test_the_address_on_the_network_of_the_remote_is_chosen() -> None:
    own = packed("10.0.1.1", "10.0.2.1", "2001:db8:1::1", "2001:db8:2::1")
    for remote, expected in zip(packed("10.0.2.9", "10.0.1.9", "2001:db8:2::9"), (own[1], own[0], own[3]), strict=True):
        assert choose_source(own, remote, own) == expected


def test_there_is_none_of_another_family() -> None:
    assert choose_source(packed("10.0.1.1"), bytes(16), []) == b""
    assert choose_source([], bytes(4), []) == b""


def test_among_equals_the_one_that_other_paths_need_least_is_chosen_and_then_the_first() -> None:
    own = packed("10.0.1.1", "10.0.1.2")
    [remote] = packed("192.0.2.1")
    assert choose_source(own, remote, []) == own[0]
    assert choose_source(own, remote, own[:1]) == own[1]
    assert choose_source(own, remote, own) == own[0]


@given(
    st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=5),
    st.binary(min_size=4, max_size=4),
    st.data(),
)
def test_no_other_address_has_a_longer_common_prefix(own: list[bytes], remote: bytes, data: st.DataObject) -> None:
    def common(address: bytes) -> int:
        bits = [f"{int.from_bytes(one, 'big'):032b}" for one in (address, remote)]
        return next((index for index in range(32) if bits[0][index] != bits[1][index]), 32)

    used = data.draw(st.lists(st.sampled_from(own)))
    chosen = choose_source(own, remote, used)
    longest = max(map(common, own))
    assert common(chosen) == longest
    assert used.count(chosen) == min(used.count(address) for address in own if common(address) == longest)
