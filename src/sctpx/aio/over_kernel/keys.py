"""Authentication of an association that the kernel carries (RFC 4895): a part of ``KernelAssociation``."""

from __future__ import annotations

from collections.abc import Callable

from ...kernel.socket import KernelSocket
from ...sockapi import constants as c
from ...sockapi import structs as s
from ...sockapi.buffers import Data, to_bytes


class KernelKeys:
    """Shared keys, by the options of the association's socket."""

    __slots__ = ()

    _sock: KernelSocket
    _check_open: Callable[[], None]

    def set_key(self, number: int, key: Data) -> None:
        """Add or replace a shared key. ``OSError`` as the kernel has it: EACCES if authentication is not agreed on."""
        self._set(c.SCTP_AUTH_KEY, s.AuthKey(sca_keynumber=number, sca_key=to_bytes(key)))

    def activate_key(self, number: int) -> None:
        """Authenticate with this key what is sent from now on. ``OSError`` as the kernel has it."""
        self._set(c.SCTP_AUTH_ACTIVE_KEY, s.AuthKeyId(scact_keynumber=number))

    def deactivate_key(self, number: int) -> None:
        """Send nothing more with this key. ``OSError`` as the kernel has it."""
        self._set(c.SCTP_AUTH_DEACTIVATE_KEY, s.AuthKeyId(scact_keynumber=number))

    def delete_key(self, number: int) -> None:
        """Forget this key. ``OSError`` as the kernel has it."""
        self._set(c.SCTP_AUTH_DELETE_KEY, s.AuthKeyId(scact_keynumber=number))

    def _set(self, option: int, value: s.Struct) -> None:
        self._check_open()
        self._sock.set_option(c.IPPROTO_SCTP, option, value)

    @property
    def authenticates(self) -> bool:
        """Whether the kernel and the peer have agreed on RFC 4895."""
        try:
            found = self._sock.get_option(c.IPPROTO_SCTP, c.SCTP_AUTH_SUPPORTED, s.AssocValue())
        except OSError:
            return False  # An older kernel, which does not tell.
        return isinstance(found, s.AssocValue) and found.assoc_value != 0

    @property
    def authenticated_chunks(self) -> tuple[int, ...]:
        """The chunk types that the peer has to authenticate."""
        return self._chunks(c.SCTP_LOCAL_AUTH_CHUNKS)

    @property
    def peer_authenticated_chunks(self) -> tuple[int, ...]:
        """The chunk types that this side has to authenticate, which the kernel does."""
        return self._chunks(c.SCTP_PEER_AUTH_CHUNKS)

    def _chunks(self, option: int) -> tuple[int, ...]:
        if not self.authenticates:
            return ()
        found: s.AuthChunks = self._sock.get_option(c.IPPROTO_SCTP, option, s.AuthChunks())
        return found.gauth_chunks

    @property
    def active_key(self) -> int:
        """The number of the shared key that is used for what is sent."""
        found: s.AuthKeyId = self._sock.get_option(c.IPPROTO_SCTP, c.SCTP_AUTH_ACTIVE_KEY, s.AuthKeyId())
        return found.scact_keynumber
