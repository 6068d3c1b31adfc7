"""Diameter over SCTP (RFC 6733): an MME tells an HSS where a subscriber is (S6a, 3GPP TS 29.272 section 5.2.1.1).

    python examples/diameter_s6a.py                             # both sides, on loopback
    python examples/diameter_s6a.py hss 192.0.2.1 198.51.100.1  # a small HSS that has these addresses
    python examples/diameter_s6a.py mme 192.0.2.1 198.51.100.1  # a small MME, to the HSS that has these addresses

The nodes are those of python-diameter (``pip install python-diameter``). It is written for pysctp, says ``import sctp``
and knows nothing of sctpx. An HSS talks to peers that it knows by their names: set those below before you ask one.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
import threading
from typing import Any

# This comes first: from here on "import sctp" means sctpx, for python-diameter as well (docs/pysctp.md).
from sctpx.compat.pysctp import _sctp  # noqa: F401 # isort: skip
from diameter.message import Message, constants
from diameter.message.avp.grouped import VendorSpecificApplicationId
from diameter.message.commands import UpdateLocationAnswer, UpdateLocationRequest
from diameter.node import Node, node
from diameter.node.application import Application, ApplicationError

from sctpx.compat.pysctp import sctpsocket_tcp

REALM = "epc.mnc001.mcc001.3gppnetwork.org"
HSS = f"hss.{REALM}"
MME = f"mme.{REALM}"
SUBSCRIBER = "001010000000001"  # The IMSI
PLMN = b"\x00\xf1\x10"  # MCC 001, MNC 01, as two digits in each octet

PORT = 3868  # Diameter, over SCTP as over TCP (RFC 6733 section 2.1)
PPID = 46  # Diameter in clear text (section 11.5)
TIMEOUT = 10  # Seconds for each step
S6A = constants.APP_3GPP_S6A_S6D


# --- SCTP ---


class DiameterSocket(sctpsocket_tcp):
    """A socket that sends with the PPID of Diameter, which python-diameter leaves at 0, and prints what it sends."""

    def sctp_send(self, msg: Any, *args: Any, **options: Any) -> int:
        """Send a message of Diameter."""
        message = Message.from_bytes(msg)
        kind = "Request" if message.header.is_request else "Answer"
        print(f"{message.origin_host.decode().partition('.')[0]} sends {message.name}-{kind}, PPID {PPID}", flush=True)
        return super().sctp_send(msg, *args, **{"ppid": socket.htonl(PPID), **options})

    def accept(self) -> tuple[DiameterSocket, tuple[str, int]]:
        """The next peer that has come."""
        connection, address = super().accept()
        return DiameterSocket(socket.AF_INET, connection.sock()), address


node.sctp.sctpsocket_tcp = DiameterSocket  # This is what the nodes open.


# --- the two sides ---


class Locations(Application):  # type: ignore[misc] # python-diameter has no types
    """The HSS, as far as it is asked where subscribers are."""

    def handle_request(self, request: Any) -> None:
        """Answer an Update-Location-Request, and refuse others."""
        known = isinstance(request, UpdateLocationRequest) and request.user_name == SUBSCRIBER
        success, failure = constants.E_RESULT_CODE_DIAMETER_SUCCESS, constants.E_RESULT_CODE_DIAMETER_UNABLE_TO_COMPLY
        answer = self.generate_answer(request, result_code=success if known else failure)
        if isinstance(answer, UpdateLocationAnswer):
            answer.auth_session_state = request.auth_session_state
        self.send_answer(answer)


def start_hss(hosts: list[str], port: int) -> Node:
    """An HSS at these addresses, which knows one MME."""
    ours = Node(HSS, REALM, ip_addresses=hosts, sctp_port=port, vendor_ids=[constants.VENDOR_TGPP])
    peer = ours.add_peer(f"aaa://{MME};transport=sctp")
    ours.add_application(Locations(S6A, is_auth_application=True), [peer])
    ours.wakeup_interval = 1
    ours.start()
    return ours


def mme(hosts: list[str], port: int) -> bool:
    """Connect to the HSS that has these addresses, and ask it. Whether it agrees."""
    ours = Node(MME, REALM, vendor_ids=[constants.VENDOR_TGPP])
    peer = ours.add_peer(f"aaa://{HSS}:{port};transport=sctp", ip_addresses=hosts, is_persistent=True)
    application = Application(S6A, is_auth_application=True)
    ours.add_application(application, [peer])
    ours.wakeup_interval = 1
    ours.start()
    try:
        application.wait_for_ready(TIMEOUT)
        for sock in ours.peer_sockets.values():
            print("The HSS has the addresses", ", ".join(host for host, _ in sock.getpaddrs()))
        answer = application.send_request(update_location_request(ours.session_generator.next_id()), TIMEOUT)
    finally:
        ours.stop(TIMEOUT)
    print("The HSS answered with result code", answer.result_code)
    agreed: bool = answer.result_code == constants.E_RESULT_CODE_DIAMETER_SUCCESS
    return agreed


def update_location_request(session: str) -> UpdateLocationRequest:
    """The subscriber is here."""
    request = UpdateLocationRequest()
    request.session_id = session
    request.vendor_specific_application_id = VendorSpecificApplicationId(constants.VENDOR_TGPP, auth_application_id=S6A)
    request.auth_session_state = constants.E_AUTH_SESSION_STATE_NO_STATE_MAINTAINED
    request.origin_host, request.origin_realm = MME.encode(), REALM.encode()
    request.destination_host, request.destination_realm = HSS.encode(), REALM.encode()
    request.user_name = SUBSCRIBER
    request.rat_type = constants.E_RAT_TYPE_EUTRAN
    request.ulr_flags = 0b10  # By S6a, from an MME
    request.visited_plmn_id = PLMN
    return request


# --- the command ---


def serve(hosts: list[str], port: int) -> bool:
    """Be the HSS at these addresses, until Ctrl-C."""
    ours = start_hss(hosts, port)
    print("The HSS listens on", ", ".join(hosts), "port", port, flush=True)
    try:
        threading.Event().wait()
    finally:
        ours.stop(TIMEOUT)
    return True


def both(hosts: list[str], port: int) -> bool:
    """Be both sides."""
    hss = start_hss(hosts, port)
    try:
        return mme(hosts, port)
    finally:
        hss.stop(TIMEOUT)


def main() -> int:
    """The exit status: 0 if the HSS agreed."""
    two = ["127.0.0.1", "127.0.0.2"] if sys.platform == "linux" else ["127.0.0.1"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", nargs="?", choices=["both", "hss", "mme"], default="both", help="default: both")
    parser.add_argument("hosts", nargs="*", default=two, help=f"the addresses of the HSS (default: {' '.join(two)})")
    parser.add_argument("--port", type=int, default=PORT, help="its SCTP port (default: %(default)s)")
    parser.add_argument("--link", choices=["udp", "raw"], help="how packets travel (default: sctpx chooses)")
    parser.add_argument("-v", "--verbose", action="store_true", help="what python-diameter has to say")
    options = parser.parse_args()
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.ERROR)
    if options.link:
        os.environ["SCTPX_LINK"] = options.link  # For the sockets that the nodes open.
    run = {"both": both, "hss": serve, "mme": mme}[options.role]
    try:
        return 0 if run(options.hosts, options.port) else 1
    except (OSError, ApplicationError) as error:  # Nobody is there, or refuses, or hangs up.
        print("diameter_s6a:", str(error) or type(error).__name__, "(-v tells more)", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
