"""Coroutine functions are tests here, too."""

from __future__ import annotations

from tests.api.running import pytest_generate_tests as pytest_generate_tests
from tests.api.running import pytest_pyfunc_call as pytest_pyfunc_call
