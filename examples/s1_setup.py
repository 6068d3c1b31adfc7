"""S1 Setup (3GPP TS 36.413 section 8.7.3): an eNB and an MME introduce themselves to each other.

    python examples/s1_setup.py                             # both sides, on loopback
    python examples/s1_setup.py mme 192.0.2.1 198.51.100.1  # a small MME that has these addresses
    python examples/s1_setup.py enb 192.0.2.1 198.51.100.1  # a small eNB, to the MME that has these addresses

pycrate encodes and decodes the messages (``pip install pycrate``), sctpx carries them.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any, Literal

from pycrate_asn1dir import S1AP

import sctpx

PORT = 36412  # The SCTP port of an MME (TS 36.412 section 7)
PPID = 18  # S1AP, in every message (the same section)
STREAM = 0  # S1 Setup belongs to no UE: it keeps to one pair of streams, which no UE has
TIMEOUT = 10  # Seconds for each step
Link = Literal["udp", "raw"]  # How packets travel; with None sctpx chooses

PLMN = b"\x00\xf1\x10"  # MCC 001, MNC 01, as two digits in each octet
S1_SETUP = 17  # The procedure code


# --- the two sides, over SCTP ---


async def enb(hosts: list[str], port: int, link: Link | None) -> bool:
    """Associate with the MME that has these addresses, and set S1 up. Whether the MME accepts."""
    async with sctpx.connect(hosts, port, link=link, timeout=TIMEOUT) as association:
        request = s1_setup_request()
        log("eNB sends", request, STREAM, PPID)
        await association.send(request, stream=STREAM, ppid=PPID)
        async with asyncio.timeout(TIMEOUT):
            answer = await association.recv()
        log("eNB gets", answer.data, answer.stream, answer.ppid)
    kind, elements = decode(answer.data)
    if kind != "S1SetupResponse":
        print("S1 is not set up:", elements.get("Cause"))
        return False
    print(f"S1 is set up with {elements.get('MMEname')!r}, capacity {elements.get('RelativeMMECapacity')}")
    return True


async def mme(association: sctpx.Association) -> None:
    """Answer an eNB until it shuts its association down."""
    try:
        async for message in association:
            log("MME gets", message.data, message.stream, message.ppid)
            kind, elements = decode(message.data)
            if kind == "S1SetupRequest":
                answer = s1_setup_response() if serves(elements) else s1_setup_failure("unknown-PLMN")
                log("MME sends", answer, message.stream, PPID)
                await association.send(answer, stream=message.stream, ppid=PPID)
    except ValueError as error:
        association.abort(str(error))
    except OSError as error:  # The eNB is gone, or has aborted.
        print("MME:", error)


async def serve(hosts: list[str], port: int, link: Link | None) -> bool:
    """Be the MME at these addresses, until Ctrl-C."""
    async with await sctpx.start_server(mme, hosts, port, link=link) as server:
        print("The MME listens on", ", ".join(hosts), "port", port, flush=True)
        await server.serve_forever()
    return True


async def both(hosts: list[str], port: int, link: Link | None) -> bool:
    """Be both sides."""
    async with await sctpx.start_server(mme, hosts, port, link=link):
        return await enb(hosts, port, link)


# --- the messages ---


def s1_setup_request() -> bytes:
    """What an eNB says of itself."""
    return encode(
        "initiatingMessage",
        "S1SetupRequest",
        (59, "reject", "Global-ENB-ID", {"pLMNidentity": PLMN, "eNB-ID": ("macroENB-ID", (1, 20))}),
        (60, "ignore", "ENBname", "sctpx-enb"),
        (64, "reject", "SupportedTAs", [{"tAC": b"\x00\x01", "broadcastPLMNs": [PLMN]}]),
        (137, "ignore", "PagingDRX", "v128"),
    )


def s1_setup_response() -> bytes:
    """What an MME says of itself."""
    pool = {"servedPLMNs": [PLMN], "servedGroupIDs": [b"\x00\x01"], "servedMMECs": [b"\x01"]}
    return encode(
        "successfulOutcome",
        "S1SetupResponse",
        (61, "ignore", "MMEname", "sctpx-mme"),
        (105, "reject", "ServedGUMMEIs", [pool]),
        (87, "ignore", "RelativeMMECapacity", 255),
    )


def s1_setup_failure(reason: str) -> bytes:
    """An MME does not want this eNB."""
    return encode("unsuccessfulOutcome", "S1SetupFailure", (2, "ignore", "Cause", ("misc", reason)))


def serves(elements: dict[str, Any]) -> bool:
    """Whether our network is one of those of an eNB."""
    return any(PLMN in area["broadcastPLMNs"] for area in elements.get("SupportedTAs", []))


def encode(outcome: str, kind: str, *elements: tuple[int, str, str, Any]) -> bytes:
    """A message of S1 Setup, in aligned PER. An information element is its id, criticality, type and value."""
    fields = [
        {"id": number, "criticality": criticality, "value": (type_, value)}
        for number, criticality, type_, value in elements
    ]
    body = {"procedureCode": S1_SETUP, "criticality": "reject", "value": (kind, {"protocolIEs": fields})}
    pdu = S1AP.S1AP_PDU_Descriptions.S1AP_PDU
    pdu.set_val((outcome, body))
    encoded: bytes = pdu.to_aper()
    return encoded


def decode(data: bytes) -> tuple[str, dict[str, Any]]:
    """The name of a message, and its information elements by their types. ``ValueError`` if it is none of S1AP."""
    pdu = S1AP.S1AP_PDU_Descriptions.S1AP_PDU
    try:
        pdu.from_aper(data)
        _, body = pdu.get_val()
        kind, content = body["value"]
        return kind, dict(field["value"] for field in content["protocolIEs"])
    except Exception as error:  # What pycrate raises for it has several types.
        raise ValueError(f"this is no S1AP: {error}") from error


def log(what: str, data: bytes, stream: int, ppid: int) -> None:
    """A message in one line."""
    print(f"{what:9}  {decode(data)[0]:16} stream {stream}, PPID {ppid}, {len(data)} bytes", flush=True)


def main() -> int:
    """The exit status: 0 if S1 was set up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", nargs="?", choices=["both", "mme", "enb"], default="both", help="default: both")
    parser.add_argument("hosts", nargs="*", default=["127.0.0.1"], help="the addresses of the MME (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=PORT, help="its SCTP port (default: %(default)s)")
    parser.add_argument("--link", choices=["udp", "raw"], help="how packets travel (default: sctpx chooses)")
    options = parser.parse_args()
    run = {"both": both, "mme": serve, "enb": enb}[options.role]
    try:
        return 0 if asyncio.run(run(options.hosts, options.port, options.link)) else 1
    except (OSError, EOFError, ValueError) as error:  # Nobody is there, or refuses, or hangs up, or speaks no S1AP.
        print("s1_setup:", str(error) or type(error).__name__, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
