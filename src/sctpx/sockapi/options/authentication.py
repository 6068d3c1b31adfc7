"""Options of authentication (RFC 6458 sections 8.1.17, 8.1.18, 8.2.3, 8.2.4 and 8.3.2 to 8.3.5; RFC 4895).

Whatever is set here for associations to come has them offer authentication: there is no other switch in RFC 6458. Linux
has SCTP_AUTH_SUPPORTED beside it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from ...core.association.association import Association
from ...core.shared_keys import SharedKeys
from ..structs import AssocValue, AuthChunk, AuthChunks, AuthKey, AuthKeyId, HmacAlgo
from . import negotiated
from .association import reconfigured
from .scope import Scope
from .whole import Change


def get_supported(scope: Scope, _: object) -> AssocValue:
    """Whether it was negotiated, or will be offered; as Linux and FreeBSD have it."""
    return negotiated.supported(scope, "authenticates", "authenticates")


def set_supported(scope: Scope, value: AssocValue) -> Change:
    """Whether associations to come offer it. It cannot be off while chunks are to be authenticated."""
    negotiated.check_future(scope)
    if not value.assoc_value and scope.config.authenticated_chunks:
        raise OSError(errno.EINVAL, "SCTP_AUTH_CHUNK has listed chunks that have to be authenticated")
    return negotiated.offer(scope, "authentication", value)


def get_hmac_ident(scope: Scope, _: object) -> HmacAlgo:
    """Section 8.1.17."""
    return HmacAlgo(shmac_idents=scope.config.hmac_algorithms)


def set_hmac_ident(scope: Scope, value: HmacAlgo) -> Change:
    """Section 8.1.17: the lack of SHA-1, or "the inclusion of an unknown HMAC identifier", is EINVAL."""
    config = reconfigured(scope, hmac_algorithms=value.shmac_idents, authentication=True)
    return lambda: scope.configure(config)


def set_chunk(scope: Scope, value: AuthChunk) -> Change:
    """Section 8.3.2: "will only affect future associations"."""
    wanted = dict.fromkeys((*scope.config.authenticated_chunks, value.sauth_chunk))
    config = reconfigured(scope, authenticated_chunks=tuple(wanted))
    return lambda: scope.configure(config)


def get_peer_chunks(scope: Scope, _: object) -> AuthChunks:
    """Section 8.2.3."""
    return AuthChunks(gauth_assoc_id=scope.id, gauth_chunks=tuple(scope.live().peer_authenticated_chunks))


def get_local_chunks(scope: Scope, _: object) -> AuthChunks:
    """Section 8.2.4."""
    association = scope.association
    found = scope.config.demanded_chunks if association is None else association.local_authenticated_chunks
    return AuthChunks(gauth_assoc_id=scope.id, gauth_chunks=tuple(found))


def get_active_key(scope: Scope, _: object) -> AuthKeyId:
    """Section 8.1.18."""
    association = scope.association
    active = scope.config.first_key if association is None else association.active_key
    return AuthKeyId(scact_assoc_id=scope.id, scact_keynumber=active)


def set_active_key(scope: Scope, value: AuthKeyId) -> Change:
    """Section 8.1.18."""
    number = value.scact_keynumber
    return _changed(
        scope, lambda keys: keys.activate(number), lambda association: association.activate_key(scope.now, number)
    )


def set_key(scope: Scope, value: AuthKey) -> Change:
    """Section 8.3.3."""
    number, key = value.sca_keynumber, value.sca_key
    return _changed(
        scope, lambda keys: keys.set(number, key), lambda association: association.set_key(scope.now, number, key)
    )


def deactivate_key(scope: Scope, value: AuthKeyId) -> Change:
    """Section 8.3.4."""
    number = value.scact_keynumber
    return _changed(
        scope, lambda keys: keys.deactivate(number), lambda association: association.deactivate_key(scope.now, number)
    )


def delete_key(scope: Scope, value: AuthKeyId) -> Change:
    """Section 8.3.5. A key that nothing is sent with need not be deactivated before."""
    number = value.scact_keynumber
    used = scope.association is not None and scope.association.is_key_used(number)
    return _changed(
        scope, lambda keys: keys.delete(number, used), lambda association: association.delete_key(scope.now, number)
    )


def _changed(scope: Scope, change: Callable[[SharedKeys], None], apply: Callable[[Association], None]) -> Change:
    """A change of shared keys, of an association or of those to come; a copy of the keys shows that it is right."""
    association = scope.association
    if association is not None:
        change(association.shared_keys)
        return lambda: apply(association)
    keys = SharedKeys(scope.config)
    change(keys)
    config = reconfigured(scope, authentication=True)
    return lambda: scope.configure(keys.configure(config))
