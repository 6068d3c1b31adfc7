"""States of a path as the user sees them (RFC 6458 section 6.1.2, RFC 7829 section 7.1)."""

from __future__ import annotations

from typing import Final

PATH_ACTIVE: Final = 0
PATH_POTENTIALLY_FAILED: Final = 1
PATH_INACTIVE: Final = 2
