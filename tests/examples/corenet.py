"""pycrate's own core network on the drop-in for pysctp: ``python -m tests.examples.corenet ADDRESS``.

``CorenetServer`` is used as it comes: it listens for gNBs, eNBs and home NodeBs by sockets that wait, with ``select``,
and with the notifications that it subscribes to. It is configured here as its users do it, by attributes of a subclass.
The library for the cryptography of subscribers, CryptoMobile, is in no package index. Setting up NG and S1 makes no use
of it, so that its names are all that it takes to import the server.
"""

from __future__ import annotations

import sys
from types import ModuleType

from sctpx.compat.pysctp import _sctp  # noqa: F401 - from here on, "import sctp" means sctpx

_CRYPTOGRAPHY = {
    "CryptoMobile": [],
    "CryptoMobile.conv": ["conv_102_C2", "conv_102_C3", "conv_401_A2", "conv_501_A2", "conv_501_A4"],
    "CryptoMobile.Milenage": ["Milenage"],
    "CryptoMobile.TUAK": ["TUAK"],
    "CryptoMobile.utils": ["xor_buf", "CMException"],
    "CryptoMobile.ECIES": ["ECIES_HN"],
    "pycomp128": ["comp128v1", "comp128v2", "comp128v3"],
}


def _name_cryptography() -> None:
    for module, names in _CRYPTOGRAPHY.items():
        empty = ModuleType(module)
        empty.__dict__.update(dict.fromkeys(names))
        sys.modules[module] = empty
    sys.modules["CryptoMobile"].__path__ = []
    # pycrate 0.8.1 calls this while it is being imported, before it defines it.
    sys.modules["CryptoMobile.conv"].__dict__["log"] = print


def main(address: str) -> None:
    """Serve until there is a line on standard input. Prints what the server logs."""
    _name_cryptography()
    from pycrate_corenet.Server import CorenetServer  # noqa: PLC0415 - only now can it be imported
    from pycrate_corenet.utils import log  # noqa: PLC0415

    class Server(CorenetServer):  # type: ignore[misc] # pycrate has no types
        AUCd = None  # No authentication, no traffic of users.
        GTPUd = None

    for name in ("SERVER_HNB", "SERVER_ENB", "SERVER_GNB"):
        setattr(Server, name, {**getattr(CorenetServer, name), "IP": address})

    # Without this it writes to a file in /tmp, which is another user's, perhaps.
    log.__defaults__ = ("", False, True, None)  # The message, with the date, to standard output, to a file.
    server = Server()
    sys.stdin.readline()
    server.stop()


if __name__ == "__main__":
    main(sys.argv[1])
