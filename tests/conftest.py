"""What every test has: property tests that repeat themselves exactly.

Hypothesis draws the same examples in every run and keeps no database, so that a failure on one machine is a failure
on all. `HYPOTHESIS_PROFILE=search` looks for new ones.
"""

import os

from hypothesis import settings

settings.register_profile("house", derandomize=True, deadline=None, database=None, print_blob=True)
settings.register_profile("search", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))
