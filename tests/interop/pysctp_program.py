"""Runs a program that was written for pysctp, unchanged, on sctpx: ``python -m tests.interop.pysctp_program FILE ...``.

It begins with ``import _sctp``; the import here is the line that docs/pysctp.md has in its place.
"""

from __future__ import annotations

import runpy
import sys
import warnings

from sctpx.compat.pysctp import _sctp

if __name__ == "__main__":
    assert sys.modules["_sctp"] is _sctp
    sys.argv = sys.argv[1:]
    warnings.simplefilter("ignore")  # Its text is not ours.
    runpy.run_path(sys.argv[0], run_name="__main__")
