"""Programs on pycrate and python-diameter, which use SCTP through ``sctpx.compat.pysctp``: those of make examples."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata

import pytest

from tests.examples.programs import run
from tests.examples.test_corenet import (
    test_the_core_network_of_pycrate_sets_up_ng_and_s1_and_notices_every_end as core_network,
)
from tests.examples.test_exchanges import EXPECTED
from tests.interop.conftest import cannot_be_had
from tests.interop.matrix import Matrix, Way
from tests.namespaces import own_host

EXAMPLES = ["diameter_s6a", "ng_setup", "s1_setup"]
"""Those whose messages are made by one of the libraries."""
PEER = "pycrate and python-diameter"
pytestmark = pytest.mark.matrix(peer=PEER, api="pysctp")


@pytest.fixture(autouse=True)
def host(matrix: Matrix) -> Iterator[None]:
    """A host of its own, and the libraries."""
    try:
        versions = [metadata.version(library) for library in ("pycrate", "python-diameter")]
    except metadata.PackageNotFoundError as error:
        cannot_be_had(f"{error.name} is not installed")
    matrix.versions[PEER] = " and ".join(versions)
    with own_host():
        yield


@pytest.mark.matrix(column="UDP IPv4")
def test_the_core_network_of_pycrate_sets_up_ng_and_s1_and_notices_every_end() -> None:
    core_network()


@pytest.mark.parametrize("way", [Way("raw", 4, 1), Way("udp", 4, 1)], ids=str)
@pytest.mark.parametrize("example", EXAMPLES)
def test_both_sides_of_an_example_come_to_its_end(example: str, way: Way) -> None:
    done = run(example, "--link", way.link, link=way.link)
    assert (done.returncode, done.stderr) == (0, "")
    assert EXPECTED[example].last in done.stdout.splitlines()
