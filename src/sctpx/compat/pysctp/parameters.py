"""Parameters as objects: those a socket has as groups of attributes, and those of associations and paths.

A group (``initparams``, ``event_subscribe``) belongs to a socket and sets what is changed. The others are values:
what a getter of the socket gave, changed, goes into the setter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from ...sockapi import constants as c
from ...sockapi import structs as s
from .constants import SOL_SCTP
from .fields import NOWHERE

if TYPE_CHECKING:
    from .sockets import sctpsocket

# --- groups ---


class _Value:
    """One value of a group: an attribute, and the methods ``get_NAME`` and ``set_NAME``."""

    _name = ""

    def __set_name__(self, owner: type[_Group], name: str) -> None:
        if not self._name:  # Later names are other names for the same.
            self._name = name

            def get(group: _Group) -> Any:
                return self.__get__(group)

            def set_(group: _Group, value: int) -> None:
                self.__set__(group, value)

            setattr(owner, f"get_{name}", get)
            setattr(owner, f"set_{name}", set_)

    def __get__(self, group: _Group, owner: type[_Group] | None = None) -> Any:
        return group.values[self._name]

    def __set__(self, group: _Group, value: int) -> None:
        before = group.values
        group.values = {**before, self._name: value}
        try:
            if group.autoflush:
                group.flush()
        except OSError:
            group.values = before
            raise


class _Group:
    """Values that a socket has together. ``flush`` sets them; while ``autoflush`` is true, every change does."""

    OPTION: ClassVar[int]
    KIND: ClassVar[type[s.Struct]]
    FIELDS: ClassVar[dict[str, str]]
    """The fields of the struct, by the names of the values."""

    def __init__(self, container: sctpsocket) -> None:
        self.autoflush = True
        self.container = container
        found = container.sock().getsockopt(SOL_SCTP, self.OPTION)
        self.values: dict[str, int] = {name: getattr(found, field) for name, field in self.FIELDS.items()}

    def flush(self) -> None:
        """Set all values."""
        struct = self.KIND(**{field: int(self.values[name]) for name, field in self.FIELDS.items()})
        self.container.sock().setsockopt(SOL_SCTP, self.OPTION, struct)


class initparams(_Group):
    """How associations are set up: ``sctpsocket.initparams``. 0 stands for the default, ``max_init_timeo`` is in ms."""

    OPTION = c.SCTP_INITMSG
    KIND = s.InitMsg
    FIELDS: ClassVar = {
        name: f"sinit_{name}" for name in ("num_ostreams", "max_instreams", "max_attempts", "max_init_timeo")
    }

    num_ostreams = _Value()
    max_instreams = _Value()
    max_attempts = _Value()
    max_init_timeo = _Value()

    def initmsg(self) -> Any:
        """The same values by themselves, as an ``initmsg``."""
        found = initmsg()
        found.__dict__.update(self.values)
        return found


class event_subscribe(_Group):
    """Which notifications ``sctp_recv`` gives: ``sctpsocket.events``. All are off in the beginning.

    What is known of a message always comes with it, with ``data_io`` or without.
    """

    OPTION = c.SCTP_EVENTS
    KIND = s.EventSubscribe
    FIELDS: ClassVar = {
        name: f"sctp_{name}_event"
        for name in (
            "data_io",
            "association",
            "address",
            "send_failure",
            "peer_error",
            "shutdown",
            "partial_delivery",
            "adaptation_layer",
        )
    }

    data_io = dataio = sndrcvinfo = _Value()
    association = _Value()
    address = _Value()
    send_failure = sendfailure = _Value()
    peer_error = peererror = _Value()
    shutdown = _Value()
    partial_delivery = partialdelivery = _Value()
    adaptation_layer = adaptationlayer = _Value()

    def __init__(self, container: sctpsocket) -> None:
        super().__init__(container)
        self.values = {name: bool(value) for name, value in self.values.items()}

    def clear(self) -> None:
        """No notifications, and what is known of messages."""
        self.values = {name: name == "data_io" for name in self.FIELDS}
        if self.autoflush:
            self.flush()


# --- values ---


class initmsg:
    """How one association is to be set up."""

    def __init__(self) -> None:
        self.num_ostreams = 0
        self.max_instreams = 0
        self.max_attempts = 0
        self.max_init_timeo = 0


class rtoinfo:
    """Retransmission timeouts, milliseconds; 0 leaves one as it is."""

    def __init__(self) -> None:
        self.assoc_id = 0
        self.initial = 0
        self.max = 0
        self.min = 0


class assocparams:
    """Parameters of an association. ``assocmaxrxt`` and ``cookie_life`` (ms) can be set; 0 leaves them as they are."""

    def __init__(self) -> None:
        self.assoc_id = 0
        self.assocmaxrxt = 0
        self.number_peer_destinations = 0
        self.peer_rwnd = 0
        self.local_rwnd = 0
        self.cookie_life = 0


class paddrparams:
    """Parameters of a path to the peer; ``sockaddr`` ``("", 0)`` stands for all of them. 0 leaves a value as it is."""

    flags_HB_DISABLED: Final = c.SPP_HB_DISABLE
    flags_HB_ENABLED: Final = c.SPP_HB_ENABLE
    flags_PMTUD_DISABLED: Final = c.SPP_PMTUD_DISABLE
    flags_PMTUD_ENABLED: Final = c.SPP_PMTUD_ENABLE
    flags_SACKDELAY_DISABLED: Final = c.SPP_SACKDELAY_DISABLE
    flags_SACKDELAY_ENABLED: Final = c.SPP_SACKDELAY_ENABLE
    flags_HB_DISABLE: Final = flags_HB_DISABLED
    flags_HB_ENABLE: Final = flags_HB_ENABLED
    flags_PMTUD_DISABLE: Final = flags_PMTUD_DISABLED
    flags_PMTUD_ENABLE: Final = flags_PMTUD_ENABLED
    flags_SACKDELAY_DISABLE: Final = flags_SACKDELAY_DISABLED
    flags_SACKDELAY_ENABLE: Final = flags_SACKDELAY_ENABLED

    def __init__(self) -> None:
        self.assoc_id = 0
        self.sockaddr: tuple[Any, ...] = NOWHERE
        self.hbinterval = 0
        self.pathmaxrxt = 0
        self.pathmtu = 0
        self.sackdelay = 0
        self.flags = 0


class paddrinfo:
    """An address of the peer; ``srtt`` and ``rto`` in milliseconds."""

    state_INACTIVE: Final = c.SCTP_INACTIVE
    state_ACTIVE: Final = c.SCTP_ACTIVE

    def __init__(self) -> None:
        self.assoc_id = 0
        self.sockaddr: tuple[Any, ...] = NOWHERE
        self.state = 0
        self.cwnd = 0
        self.srtt = 0
        self.rto = 0
        self.mtu = 0


class status:
    """An association; ``primary`` is the peer's primary address."""

    state_EMPTY: Final = c.SCTP_EMPTY
    state_CLOSED: Final = c.SCTP_CLOSED
    state_COOKIE_WAIT: Final = c.SCTP_COOKIE_WAIT
    state_COOKIE_ECHOED: Final = c.SCTP_COOKIE_ECHOED
    state_ESTABLISHED: Final = c.SCTP_ESTABLISHED
    state_SHUTDOWN_PENDING: Final = c.SCTP_SHUTDOWN_PENDING
    state_SHUTDOWN_SENT: Final = c.SCTP_SHUTDOWN_SENT
    state_SHUTDOWN_RECEIVED: Final = c.SCTP_SHUTDOWN_RECEIVED
    state_SHUTDOWN_ACK_SENT: Final = c.SCTP_SHUTDOWN_ACK_SENT
    state_BOUND: Final = c.SCTP_BOUND
    state_LISTEN: Final = c.SCTP_LISTEN

    def __init__(self) -> None:
        self.assoc_id = 0
        self.state = 0
        self.rwnd = 0
        self.unackdata = 0
        self.penddata = 0
        self.instrms = 0
        self.outstrms = 0
        self.fragmentation_point = 0
        self.primary = paddrinfo()
