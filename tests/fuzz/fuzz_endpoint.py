"""Fuzzing of a whole stack with atheris (https://github.com/google/atheris).

    pip install atheris
    PYTHONPATH=src:. python tests/fuzz/fuzz_endpoint.py -runs=100000 [a directory with a corpus]

What the bytes mean and what must hold: ``tests/fuzz/endpoint_input.py``, which ``tests/unit/core/test_any_bytes.py``
runs with hypothesis in the default suite.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["sctpx.core", "sctpx.wire"]):
    from tests.fuzz.endpoint_input import run

if __name__ == "__main__":
    atheris.Setup(sys.argv, run)
    atheris.Fuzz()
