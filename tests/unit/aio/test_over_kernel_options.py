"""What one association of the kernel has otherwise than its SCTP port: the socket is as before when it was begun."""

from __future__ import annotations

import errno
import socket
from dataclasses import fields, replace
from typing import Any

import pytest

from sctpx import constants as c
from sctpx import structs as s
from sctpx.aio.over_kernel.endpoint import KernelEndpoint
from sctpx.core.config import AssociationConfig
from sctpx.kernel import parameters
from sctpx.sockapi.addresses import Address, pack_ip
from sctpx.sockapi.peer import Peer
from tests.api.support import raises_errno
from tests.unit.kernel.test_parameters import OF_KEYS, OTHERS

PEER = Peer([(Address("192.0.2.1"), 5000, [pack_ip("192.0.2.1")])], 0)
# What a kernel has that was configured otherwise than the parameters of sctpx.
CONFIGURED = {c.SCTP_ECN_SUPPORTED: s.AssocValue(assoc_value=1), c.SCTP_ADAPTATION_LAYER: s.SetAdaptation()}
READABLE = (
    c.SCTP_ECN_SUPPORTED,
    c.SCTP_ADAPTATION_LAYER,
    c.SCTP_STREAM_SCHEDULER,
    c.SCTP_PR_SUPPORTED,
    c.SCTP_ENABLE_STREAM_RESET,
    c.SCTP_AUTH_SUPPORTED,
    c.SCTP_ASCONF_SUPPORTED,
    c.SCTP_MAXSEG,
    c.SCTP_PARTIAL_DELIVERY_POINT,
)
"""Options that nothing is said of by default."""
PRIORITY = 3


class Options:
    """A socket of the kernel, as far as its options go. It cannot connect."""

    def __init__(self) -> None:
        self.values: dict[tuple[int, int], Any] = {}
        self._inner, self._other = socket.socketpair()
        self.at_connect: dict[tuple[int, int], Any] = {}

    def fileno(self) -> int:
        return self._inner.fileno()

    def set_option(self, level: int, name: int, value: Any) -> None:
        self.values[level, name] = value

    def get_option(self, level: int, name: int) -> Any:
        if name == c.SCTP_HMAC_IDENT:
            raise OSError(errno.EACCES, "authentication is off")
        return self.values.get((level, name), CONFIGURED.get(name, s.AssocValue(assoc_value=0)))

    def connect(self, peer: Peer) -> None:
        self.at_connect = dict(self.values)
        raise OSError(errno.ENETUNREACH, "no")

    def local_addresses(self, assoc_id: int) -> list[Any]:
        return []

    def close(self) -> None:
        self._inner.close()
        self._other.close()


def endpoint(config: AssociationConfig) -> tuple[KernelEndpoint, Options]:
    """An endpoint over such a socket, which is as its configuration says."""
    options = Options()
    made = KernelEndpoint(options, config)  # type: ignore[arg-type]
    for level, name, value in parameters.settings(config):
        options.set_option(level, name, value)
    return made, options


ONE = {**OTHERS, "authenticated_chunks": ()}


@pytest.mark.parametrize("name", [name for name in ONE if ONE[name] != ()])
@pytest.mark.parametrize("turned", [False, True])
async def test_each_parameter_of_one_association_is_put_back(name: str, turned: bool) -> None:
    usual, other = AssociationConfig(), AssociationConfig(**{name: ONE[name]})
    own, wanted = (other, usual) if turned else (usual, other)
    made, options = endpoint(own)
    before = dict(options.values)
    with raises_errno(errno.ENETUNREACH):
        await made.begin(PEER, wanted)
    for level, number, value in parameters.settings(wanted, own):
        assert same(options.at_connect[level, number], value)
    assert options.at_connect != before
    for (level, number), value in before.items():
        assert same(options.values[level, number], value), c.names()
    for _, number in options.values.keys() - before.keys():
        if number in READABLE:
            assert options.values[c.IPPROTO_SCTP, number] == CONFIGURED.get(number, s.AssocValue(assoc_value=0))
    made.close()


def same(value: Any, other: Any) -> bool:
    """They say the same to the kernel; flags that say how something is by default are no difference."""
    if isinstance(value, s.PaddrParams):
        extra = c.SPP_DSCP | c.SPP_IPV6_FLOWLABEL | c.SPP_PMTUD_ENABLE
        value, other = (replace(one, spp_flags=one.spp_flags & ~extra) for one in (value, other))
    return bool(value == other)


@pytest.mark.parametrize("name", ["authenticated_chunks", *OF_KEYS])
async def test_keys_are_those_of_the_port(name: str) -> None:
    own = AssociationConfig(authentication=True, shared_keys=((0, b""), (1, b"one")))
    made, options = endpoint(own)
    before = dict(options.values)
    with raises_errno(errno.EOPNOTSUPP):
        await made.begin(PEER, replace(own, **{name: OF_KEYS.get(name, (0,))}))
    assert options.values == before
    made.close()


async def test_an_option_that_is_refused_leaves_the_socket_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    made, options = endpoint(AssociationConfig())
    before = dict(options.values)
    plain = options.set_option

    def set_option(level: int, name: int, value: Any) -> None:
        if name == c.SCTP_STREAM_SCHEDULER and value.assoc_value == PRIORITY:
            raise OSError(errno.EACCES, "no")
        plain(level, name, value)

    monkeypatch.setattr(options, "set_option", set_option)
    with pytest.raises(OSError, match="no"):
        await made.begin(PEER, AssociationConfig(scheduler="prio", rto_min=0.5))
    assert {key: options.values[key] for key in before} == before
    made.close()


def test_every_parameter_is_tried() -> None:
    known = ONE.keys() | OF_KEYS.keys() | parameters.NOT_THE_KERNELS | parameters.BY_ENDPOINT
    assert known == {field.name for field in fields(AssociationConfig)}
