"""pysctp's module in C, as far as programs call it themselves: constants by name, and what the system can do.

pysctp's own programs begin with ``import _sctp``, and go on with ``import sctp``. To run them on sctpx, only that first
line changes:

    from sctpx.compat.pysctp import _sctp

In pysctp the two modules come together, and so they do here: importing this one makes ``sctp`` stand for
``sctpx.compat.pysctp``, and ``_sctp`` for this module, in all imports that follow in the process. pysctp itself is left
alone where a program has imported it before.
"""

from __future__ import annotations

import sys
from typing import Final

from ...sockapi import constants as c
from . import constants
from .events import assoc_change
from .parameters import paddrparams

_CONSTANTS: Final[dict[str, int]] = {
    **c.names("SCTP_", "SPP_", "MSG_"),
    **{name: value for name, value in vars(constants).items() if isinstance(value, int) and name[:5] != "FLAG_"},
    **{f"SCTP_{name[6:]}": value for name, value in vars(assoc_change).items() if name[:6] == "error_"},
    **{f"SPP_{name[6:]}": value for name, value in vars(paddrparams).items() if name[:6] == "flags_"},
    "MSG_DONTROUTE": constants.FLAG_DONTROUTE,
}


def getconstant(name: str) -> int:
    """The number of a constant, by its name in C or in pysctp. ``ValueError`` if there is none of this name."""
    found = _CONSTANTS.get(name)
    if found is None:
        raise ValueError(f"no constant {name!r}")
    return int(found)


def have_sctp_multibuf() -> bool:
    """Whether each association has buffers of its own."""
    return bool(constants.features() & constants.HAVE_SCTP_MULTIBUF)


def have_sctp_noconnect() -> bool:
    """Whether a message can set an association up."""
    return bool(constants.features() & constants.HAVE_SCTP_NOCONNECT)


def have_sctp_prsctp() -> bool:
    """Whether messages can have a time to live."""
    return bool(constants.features() & constants.HAVE_SCTP_PRSCTP)


def have_sctp_addip() -> bool:
    """Whether the addresses of an association can change."""
    return bool(constants.features() & constants.HAVE_SCTP_ADDIP)


def have_sctp_setprimary() -> bool:
    """Whether the peer can be asked for another primary address."""
    return bool(constants.features() & constants.HAVE_SCTP_CANSET_PRIMARY)


def have_sctp_sat_network() -> bool:
    """Whether there is something of its own for satellite networks."""
    return bool(constants.features() & constants.HAVE_SCTP_SAT_NETWORK_CAPABILITY)


sys.modules.setdefault("_sctp", sys.modules[__name__])
sys.modules.setdefault("sctp", sys.modules[__package__])
