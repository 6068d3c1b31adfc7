"""Shared keys: which can be used, given up and forgotten (RFC 6458 sections 8.1.18 and 8.3.3 to 8.3.5)."""

from __future__ import annotations

from errno import EBUSY, EINVAL

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.shared_keys import SharedKeys


def make(*numbers: int, **config: object) -> SharedKeys:
    keys = tuple((number, bytes((number,))) for number in numbers)
    return SharedKeys(AssociationConfig(shared_keys=keys, **config))  # type: ignore[arg-type]


def test_in_the_beginning_there_is_the_empty_key_0() -> None:
    """Section 8.1.18: "Initially, the key with key identifier 0 is the active key"."""
    keys = SharedKeys(AssociationConfig())
    assert (keys.active, keys.find(0), keys.find(1)) == (0, b"", None)


def test_a_key_that_is_not_there_can_be_nothing() -> None:
    keys = make(1)
    for call in (keys.activate, keys.deactivate, lambda number: keys.delete(number, False)):
        with pytest.raises(OSError, match=r"no such key|no shared key") as caught:
            call(2)
        assert caught.value.errno == EINVAL


def test_the_active_key_stays() -> None:
    """Sections 8.3.4 and 8.3.5: "The currently active key cannot be deactivated"."""
    keys = make(1, 2)
    for call in (keys.deactivate, lambda number: keys.delete(number, False)):
        with pytest.raises(OSError, match="active one") as caught:
            call(1)
        assert caught.value.errno == EINVAL


def test_a_key_that_was_deactivated_is_not_used_again_and_still_known() -> None:
    keys = make(1, 2)
    keys.deactivate(2)
    keys.deactivate(2)
    with pytest.raises(OSError, match="deactivated"):
        keys.activate(2)
    assert keys.find(2) == b"\2"
    with pytest.raises(OSError, match="still used") as caught:
        keys.set(2, b"another")
    assert caught.value.errno == EBUSY


def test_a_key_that_is_used_cannot_be_deleted() -> None:
    """Section 8.3.5: it "must not be in use for any packet being sent"."""
    keys = make(1, 2)
    keys.deactivate(2)
    with pytest.raises(OSError, match="still used") as caught:
        keys.delete(2, True)
    assert caught.value.errno == EBUSY
    keys.delete(2, False)
    assert keys.find(2) is None
    keys.set(2, b"anew")
    keys.activate(2)


@pytest.mark.parametrize(("number", "key"), [(-1, b""), (65536, b""), (1, bytes(65536))])
def test_what_does_not_fit_its_field_is_refused(number: int, key: bytes) -> None:
    with pytest.raises(OSError, match="16 bits") as caught:
        make(1).set(number, key)
    assert caught.value.errno == EINVAL


def test_keys_become_the_parameters_of_an_association_and_back() -> None:
    keys = make(1, 2, 3)
    keys.activate(2)
    keys.deactivate(3)
    again = SharedKeys(keys.configure(AssociationConfig()))
    assert (again.active, again.find(1), again.find(3)) == (2, b"\1", b"\3")
    with pytest.raises(OSError, match="deactivated"):
        again.activate(3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"shared_keys": ()},
        {"shared_keys": ((65536, b""),)},
        {"shared_keys": ((1, b""),), "active_key": 0},
        {"deactivated_keys": (0,)},
        {"hmac_algorithms": (3,)},
        {"hmac_algorithms": (1, 1)},
        {"hmac_algorithms": (1, 2)},
        {"authenticated_chunks": (1,)},
        {"authenticated_chunks": (256,)},
    ],
)
def test_parameters_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"shared_keys|active_key|hmac_algorithms|authenticated_chunks"):
        AssociationConfig(**wrong)  # type: ignore[arg-type]


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(AssociationConfig(shared_keys=((1, b"secret"),)))


def test_a_copy_says_what_the_keys_say_and_leaves_them_alone() -> None:
    """So that a call which cannot be done is known before it has changed anything."""
    keys = make(1, 2, 3)
    keys.deactivate(2)
    copy = keys.copy(AssociationConfig())
    with pytest.raises(OSError, match="still used") as caught:
        copy.set(2, b"another")
    assert caught.value.errno == EBUSY
    copy.activate(3)
    copy.delete(1, False)
    assert (keys.active, keys.find(1), keys.is_usable(2)) == (1, b"\1", False)


def test_keys_and_identifiers_may_be_as_large_as_their_fields() -> None:
    """RFC 6458 section 8.3.3."""
    keys = make(1)
    keys.set(65535, bytes(65535))
    assert keys.find(65535) == bytes(65535)


def test_a_key_that_is_free_stays_so_until_it_is_set_anew() -> None:
    """RFC 6458 sections 8.3.4 and 8.3.5."""
    keys = make(1, 2)
    keys.freed.add(2)
    keys.deactivate(2)
    assert keys.deactivated == []
    copy = keys.copy(AssociationConfig())
    copy.set(2, b"anew")
    assert [each.is_usable(2) for each in (keys, copy)] == [False, True]
    copy.freed.add(2)
    copy.delete(2, False)
    copy.set(2, b"once more")
    assert copy.is_usable(2)
    keys.delete(2, False)
    assert keys.freed == set()
