"""What every test has: property tests that repeat themselves exactly, and a header that says what is tested.

Hypothesis draws the same examples in every run and keeps no database, so that a failure on one machine is a failure
on all. `HYPOTHESIS_PROFILE=search` looks for new ones.
"""

import os
from pathlib import Path

from hypothesis import settings

import sctpx

settings.register_profile("house", derandomize=True, deadline=None, database=None, print_blob=True)
settings.register_profile("search", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


def pytest_report_header() -> str:
    """Which build the tests run against, and where it is."""
    build = "compiled" if sctpx.COMPILED else "interpreted"
    return f"sctpx: {sctpx.__version__}, {build}, in {Path(sctpx.__file__).parent}"
