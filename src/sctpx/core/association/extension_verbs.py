"""What the user of an association can ask of its extensions while it lives: a part of ``Association``."""

from __future__ import annotations

from collections.abc import Sequence
from errno import ENOTCONN, EPIPE

from ..ext import asconf, auth, stream_reset
from ..ext.own_requests import OwnRequests
from ..ip import PRIVATE, choose_source, scope_of
from .facts import Facts
from .identity import Keeper
from .state import COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED


class ExtensionVerbs(Facts):
    """Streams are reset and added, addresses are added and deleted, shared keys are set and given up."""

    __slots__ = ("keeper",)

    def __init__(self, association_id: int, keeper: Keeper) -> None:
        super().__init__(association_id)
        self.keeper = keeper

    def check_sendable(self) -> None:
        """OSError if there is no sending: ``ENOTCONN`` before the association is up, ``EPIPE`` when it is ending."""
        state = self.tcb.state
        if state in (COOKIE_WAIT, COOKIE_ECHOED):
            raise OSError(ENOTCONN, "the association is not up yet")
        if state != ESTABLISHED:
            raise OSError(EPIPE, "the association is shutting down or over")

    def reset_streams(
        self, now: int, outgoing: bool = False, incoming: bool = False, streams: Sequence[int] = ()
    ) -> None:
        """Have the SSNs of ``streams``, or of all if none is named, begin at 0 again (RFC 6525 sections 5.1.2, 5.1.3).

        ``outgoing`` are our streams: what was sent on them before is delivered first, and what is sent from now on
        waits for the peer's answer. ``incoming`` are the peer's: the peer is asked to reset them. ``StreamsReset``
        events tell how it went, one for each direction.

        Raises OSError: ``EINVAL`` (no direction, or no such stream), ``EMSGSIZE`` (more streams than a packet holds),
        ``EALREADY`` (a request is under way, of the user or one that the peer has asked for), ``EOPNOTSUPP`` (the two
        sides have not agreed on RFC 6525), ``ENOTCONN`` and ``EPIPE`` as ``send``.
        """
        self._reconfiguration().reset_streams(outgoing, incoming, list(streams))
        self.keeper.touch(self)

    def reset_association(self, now: int) -> None:
        """Have all SSNs begin at 0 again, both ways, and the TSNs elsewhere (RFC 6525 section 5.1.4).

        What was sent before is delivered first. Data that the peer has in flight then may be lost: it counts as
        acknowledged. An ``AssociationReset`` event tells how it went. Raises OSError as ``reset_streams`` does, and
        ``EAGAIN`` within 30 seconds after the last time.
        """
        self._reconfiguration().reset_association(now)
        self.keeper.touch(self)

    def add_streams(self, now: int, outgoing: int = 0, incoming: int = 0) -> None:
        """Have so many more streams, behind those that there are (RFC 6525 sections 5.1.5 and 5.1.6).

        ``StreamsAdded`` events tell how it went, one for each direction. Raises OSError as ``reset_streams`` does, with
        ``EINVAL`` for no stream at all, or more than there can be.
        """
        self._reconfiguration().add_streams(outgoing, incoming)
        self.keeper.touch(self)

    def _reconfiguration(self) -> OwnRequests:
        self.check_sendable()
        return stream_reset.find(self.tcb).own

    # --- addresses (RFC 5061) ---

    def change_addresses(self, now: int, added: Sequence[bytes] = (), removed: Sequence[bytes] = ()) -> None:
        """Ask the peer to send to these addresses of ours too, packed, and to others no more (RFC 5061).

        The link has to have those that are added. ``LocalAddressChange`` events tell how it went, one for each address.
        What is there already, or waits to be asked for, is no error, and asks for nothing.

        Raises OSError: ``EOPNOTSUPP`` (the two sides have not agreed on RFC 5061, or the peer did not know what it was
        asked), ``ENOTCONN`` (not up yet, or over), ``EADDRNOTAVAIL`` (one that is removed is not the association's),
        ``EINVAL`` (none would be left, or one that no host has), ``ENOBUFS`` (too many wait).
        """
        asconf.find(self.tcb).change(now, list(added), list(removed), False)
        self.keeper.touch(self)

    def follow_addresses(self, now: int, locals_: Sequence[bytes]) -> None:
        """The host has these addresses now: the peer is told those that are new, and asked to forget the others.

        While there are none, the association keeps the last one that it had. Nothing for a peer that cannot be asked.
        """
        tcb = self.tcb
        if tcb.state not in asconf.COUNTS or not self.address_reconfigurable:
            return
        had = self.wanted_addresses
        added = [ip for ip in locals_ if ip not in had and tcb.endpoint.tells(ip, tcb.remotes())]
        removed = [ip for ip in had if ip not in locals_]
        if len(removed) == len(had) and not added:
            # Behind a NAT, an address that means nothing to the peer is better than none.
            remote = tcb.data_destination().remote
            farthest = max(PRIVATE, scope_of(remote))
            source = choose_source([ip for ip in locals_ if scope_of(ip) <= farthest], remote, [])
            added = [source] if source else []
        if added or removed:
            asconf.find(tcb).change(now, added, removed, True)
            self.keeper.touch(self)

    def set_peer_primary(self, now: int, local: bytes) -> None:
        """Ask the peer to send to this address of ours while that works (RFC 5061 section 5.4).

        Raises OSError as ``change_addresses``, with ``EADDRNOTAVAIL`` for an address that is none of the association's.
        """
        asconf.find(self.tcb).changes.prefer(local)
        self.keeper.touch(self)

    # --- shared keys (RFC 4895) ---

    def set_key(self, now: int, key_id: int, key: bytes) -> None:
        """Add a shared key, or replace the one with that identifier (RFC 6458 section 8.3.3).

        Raises OSError: ``EINVAL`` if the identifier has more than 16 bits, or the key more than 65535 bytes; ``EBUSY``
        if a key was deactivated that is still used.
        """
        auth.set_key(self.tcb, key_id, key)

    def activate_key(self, now: int, key_id: int) -> None:
        """Have new messages, and control chunks, authenticated with this key (RFC 6458 section 8.1.18).

        OSError EINVAL if there is no such key, or it was deactivated.
        """
        auth.activate_key(self.tcb, key_id)

    def deactivate_key(self, now: int, key_id: int) -> None:
        """Give this key to no message any more (RFC 6458 section 8.3.4). A ``KeyChange`` event tells when those that
        have it were acknowledged. OSError EINVAL if it is the active one, or there is no such key.
        """
        auth.deactivate_key(self.tcb, key_id)
        self.keeper.touch(self)

    def delete_key(self, now: int, key_id: int) -> None:
        """Forget this key: what the peer authenticates with it does not count any more (RFC 6458 section 8.3.5).

        OSError: ``EINVAL`` if it is the active one, or there is no such key; ``EBUSY`` if it is still used.
        """
        auth.delete_key(self.tcb, key_id)
