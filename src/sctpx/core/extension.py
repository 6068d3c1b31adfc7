"""What an extension of SCTP is to the core: the base class of the extensions in ``ext``, with all that the core calls.

An extension that both sides have agreed on (``capabilities``) has one object for each association, in
``Tcb.extensions``. The object keeps the state of the extension to itself, gets chunks by rules of
``association.dispatch``, and leaves what is to be sent in ``Tcb.control``. An association without extensions pays for
them with one length test.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from .path.path import Path
from .timers import NEVER

ExtensionT = TypeVar("ExtensionT", bound="Extension")


class Extension:
    """One extension of one association. What derives from it overrides the methods that it needs."""

    def __init__(self) -> None:
        self.deadline: int = NEVER
        """When ``handle_timeout`` is to be called, ns. An association that is over has no deadlines."""
        self.holds = False
        """Nothing but an ASCONF may leave: there is no address to send from (RFC 5061 section 5.3, F1 and F4)."""

        self.delays_shutdown = False
        """No SHUTDOWN may leave: the peer was asked to renumber its data (RFC 6525 section 5.1.4), and has not answered
        yet."""

    def handle_timeout(self, now: int) -> None:
        """The deadline has come. It sets the next one, or ``NEVER``."""
        self.deadline = NEVER

    def on_new_tsns(self) -> None:
        """Our TSNs begin anew elsewhere (RFC 6525 section 5.2.7 H5): ``Tcb.outstanding`` is another one, and empty."""

    def on_new_peer_tsns(self) -> None:
        """The peer's TSNs begin anew elsewhere (RFC 6525 section 5.2.4 G1): what is known of the old ones is void."""

    def on_path_removed(self, path: Path, heir: Path) -> None:
        """There is no ``path`` any more (RFC 5061): what belongs to it belongs to ``heir``."""

    def before_sending(self, now: int) -> None:
        """Packets are about to be built: leave in ``Tcb.control`` what is to go with them."""


def find(extensions: Sequence[Extension], kind: type[ExtensionT]) -> ExtensionT | None:
    """The object of this class among the extensions of an association; None if there is none."""
    for extension in extensions:
        if isinstance(extension, kind):
            return extension
    return None
