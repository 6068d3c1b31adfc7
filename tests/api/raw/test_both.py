"""What asyncio and sockets have in common holds over raw IP: the bodies are those of ``tests.api.test_both``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.test_both import (
    test_a_message_of_any_size_arrives as test_a_message_of_any_size_arrives,
)
from tests.api.test_both import (
    test_all_addresses_of_the_peer_are_used as test_all_addresses_of_the_peer_are_used,
)
from tests.api.test_both import (
    test_an_abort_reaches_the_peer_with_its_reason as test_an_abort_reaches_the_peer_with_its_reason,
)
from tests.api.test_both import (
    test_both_directions_can_be_busy_at_once as test_both_directions_can_be_busy_at_once,
)
from tests.namespaces import own_host


@pytest.fixture(scope="module", autouse=True)
def host() -> Iterator[None]:
    """A host where nobody else has raw sockets."""
    with own_host():
        yield
