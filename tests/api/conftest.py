"""What the tests of the calls share."""

from __future__ import annotations

from tests.api.running import pytest_configure as pytest_configure
from tests.api.running import pytest_pyfunc_call as pytest_pyfunc_call
