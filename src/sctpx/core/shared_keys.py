"""Shared keys of two endpoints (RFC 4895 section 6.1; RFC 6458 sections 8.1.18 and 8.3.3 to 8.3.5).

An association begins with those of its ``AssociationConfig``, and has its own from then on. Any key authenticates what
comes; what is sent is authenticated with the active key, or the one that a message was given.
"""

from __future__ import annotations

from dataclasses import replace
from errno import EBUSY, EINVAL
from typing import final

from .config import AssociationConfig


@final
class SharedKeys:
    """The shared keys of one association."""

    __slots__ = ("_keys", "active", "deactivated", "freed")

    def __init__(self, config: AssociationConfig) -> None:
        self._keys = dict(config.shared_keys)
        self.active = config.first_key
        """The identifier of the key for what is sent from now on."""
        self.deactivated: list[int] = []
        """Keys that no message will be given any more, and that are perhaps still used."""
        self.freed: set[int] = set(config.deactivated_keys)
        """Those that were deactivated, and are not used for sending any more."""

    def configure(self, config: AssociationConfig) -> AssociationConfig:
        """This config, with these keys."""
        return replace(
            config,
            shared_keys=tuple(self._keys.items()),
            active_key=self.active,
            deactivated_keys=(*self.deactivated, *self.freed),
        )

    def copy(self, config: AssociationConfig) -> SharedKeys:
        """The same keys by themselves, of an association with this config."""
        other = SharedKeys(self.configure(config))
        other.deactivated = self.deactivated.copy()
        other.freed = self.freed.copy()
        return other

    def find(self, key_id: int) -> bytes | None:
        """The key with that identifier; None if there is none."""
        return self._keys.get(key_id)

    def is_usable(self, key_id: int) -> bool:
        """Whether messages can be sent with that key."""
        return key_id in self._keys and key_id not in self.deactivated and key_id not in self.freed

    def check_usable(self, key_id: int) -> None:
        """OSError EINVAL if no message can be sent with that key: there is none, or it was deactivated."""
        if key_id not in self._keys:
            raise OSError(EINVAL, f"there is no shared key {key_id}")
        if not self.is_usable(key_id):
            raise OSError(EINVAL, f"shared key {key_id} was deactivated")

    def set(self, key_id: int, key: bytes) -> None:
        """Add a key, or replace it. OSError: EINVAL if the identifier or the key are too long for their fields; EBUSY
        if a key was deactivated that messages on their way still have."""
        if key_id & ~0xFFFF or len(key) > 0xFFFF:
            raise OSError(EINVAL, "a shared key has an identifier of 16 bits, and 65535 bytes at most")
        if key_id in self.deactivated:
            raise OSError(EBUSY, f"shared key {key_id} was deactivated, and is still used")
        self.freed.discard(key_id)
        self._keys[key_id] = bytes(key)

    def activate(self, key_id: int) -> None:
        """Use this key from now on. OSError EINVAL as in ``check_usable``."""
        self.check_usable(key_id)
        self.active = key_id

    def deactivate(self, key_id: int) -> None:
        """Give this key to no message any more. OSError EINVAL if it is the active one, or there is no such key."""
        if key_id == self.active:
            raise OSError(EINVAL, f"shared key {key_id} is the active one")
        if key_id in self.deactivated or key_id in self.freed:
            return
        self.check_usable(key_id)
        self.deactivated.append(key_id)

    def delete(self, key_id: int, in_use: bool) -> None:
        """Forget this key, both for sending and for receiving.

        OSError: EINVAL if it is the active one, or there is no such key; EBUSY if it is ``in_use``: messages that have
        it are not acknowledged.
        """
        if key_id == self.active or key_id not in self._keys:
            raise OSError(EINVAL, f"shared key {key_id} is the active one, or there is no such key")
        if in_use:
            raise OSError(EBUSY, f"shared key {key_id} is still used")
        del self._keys[key_id]
        self.freed.discard(key_id)
        if key_id in self.deactivated:
            self.deactivated.remove(key_id)
