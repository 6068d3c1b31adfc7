"""NG Setup (3GPP TS 38.413 section 8.7.1): a gNB and an AMF introduce themselves to each other.

    python examples/ng_setup.py                             # both sides, on loopback
    python examples/ng_setup.py amf 192.0.2.1 198.51.100.1  # a small AMF that has these addresses
    python examples/ng_setup.py gnb 192.0.2.1 198.51.100.1  # a small gNB, to the AMF that has these addresses

pycrate encodes and decodes the messages (``pip install pycrate``), sctpx carries them.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any, Literal

from pycrate_asn1dir import NGAP

import sctpx

PORT = 38412  # The SCTP port of an AMF (TS 38.412 section 7)
PPID = 60  # NGAP, in every message (the same section)
STREAM = 0  # NG Setup belongs to no UE: it keeps to one pair of streams, which no UE has
TIMEOUT = 10  # Seconds for each step
Link = Literal["udp", "raw"]  # How packets travel; with None sctpx chooses

PLMN = b"\x00\xf1\x10"  # MCC 001, MNC 01, as two digits in each octet
SLICES = [{"s-NSSAI": {"sST": b"\x01"}}]  # Enhanced mobile broadband
NG_SETUP = 21  # The procedure code


# --- the two sides, over SCTP ---


async def gnb(hosts: list[str], port: int, link: Link | None) -> bool:
    """Associate with the AMF that has these addresses, and set NG up. Whether the AMF accepts."""
    async with sctpx.connect(hosts, port, link=link, timeout=TIMEOUT) as association:
        request = ng_setup_request()
        log("gNB sends", request, STREAM, PPID)
        await association.send(request, stream=STREAM, ppid=PPID)
        async with asyncio.timeout(TIMEOUT):
            answer = await association.recv()
        log("gNB gets", answer.data, answer.stream, answer.ppid)
    kind, elements = decode(answer.data)
    if kind != "NGSetupResponse":
        print("NG is not set up:", elements.get("Cause"))
        return False
    print(f"NG is set up with {elements.get('AMFName')!r}, capacity {elements.get('RelativeAMFCapacity')}")
    return True


async def amf(association: sctpx.Association) -> None:
    """Answer a gNB until it shuts its association down."""
    try:
        async for message in association:
            log("AMF gets", message.data, message.stream, message.ppid)
            kind, elements = decode(message.data)
            if kind == "NGSetupRequest":
                answer = ng_setup_response() if serves(elements) else ng_setup_failure("unknown-PLMN-or-SNPN")
                log("AMF sends", answer, message.stream, PPID)
                await association.send(answer, stream=message.stream, ppid=PPID)
    except ValueError as error:
        association.abort(str(error))
    except OSError as error:  # The gNB is gone, or has aborted.
        print("AMF:", error)


async def serve(hosts: list[str], port: int, link: Link | None) -> bool:
    """Be the AMF at these addresses, until Ctrl-C."""
    async with await sctpx.start_server(amf, hosts, port, link=link) as server:
        print("The AMF listens on", ", ".join(hosts), "port", port, flush=True)
        await server.serve_forever()
    return True


async def both(hosts: list[str], port: int, link: Link | None) -> bool:
    """Be both sides."""
    async with await sctpx.start_server(amf, hosts, port, link=link):
        return await gnb(hosts, port, link)


# --- the messages ---


def ng_setup_request() -> bytes:
    """What a gNB says of itself."""
    area = {"tAC": b"\x00\x00\x01", "broadcastPLMNList": plmns("tAISliceSupportList")}
    return encode(
        "initiatingMessage",
        "NGSetupRequest",
        (27, "reject", "GlobalRANNodeID", ("globalGNB-ID", {"pLMNIdentity": PLMN, "gNB-ID": ("gNB-ID", (1, 24))})),
        (82, "ignore", "RANNodeName", "sctpx-gnb"),
        (102, "reject", "SupportedTAList", [area]),
        (21, "ignore", "PagingDRX", "v128"),
    )


def ng_setup_response() -> bytes:
    """What an AMF says of itself."""
    guami = {"pLMNIdentity": PLMN, "aMFRegionID": (1, 8), "aMFSetID": (1, 10), "aMFPointer": (0, 6)}
    return encode(
        "successfulOutcome",
        "NGSetupResponse",
        (1, "reject", "AMFName", "sctpx-amf"),
        (96, "reject", "ServedGUAMIList", [{"gUAMI": guami}]),
        (86, "ignore", "RelativeAMFCapacity", 255),
        (80, "reject", "PLMNSupportList", plmns("sliceSupportList")),
    )


def ng_setup_failure(reason: str) -> bytes:
    """An AMF does not want this gNB."""
    return encode("unsuccessfulOutcome", "NGSetupFailure", (15, "ignore", "Cause", ("misc", reason)))


def plmns(slices: str) -> list[dict[str, Any]]:
    """Our one network, with its slices under the name that a message has for them."""
    return [{"pLMNIdentity": PLMN, slices: SLICES}]


def serves(elements: dict[str, Any]) -> bool:
    """Whether our network is one of those of a gNB."""
    areas = elements.get("SupportedTAList", [])
    return any(plmn["pLMNIdentity"] == PLMN for area in areas for plmn in area["broadcastPLMNList"])


def encode(outcome: str, kind: str, *elements: tuple[int, str, str, Any]) -> bytes:
    """A message of NG Setup, in aligned PER. An information element is its id, criticality, type and value."""
    fields = [
        {"id": number, "criticality": criticality, "value": (type_, value)}
        for number, criticality, type_, value in elements
    ]
    body = {"procedureCode": NG_SETUP, "criticality": "reject", "value": (kind, {"protocolIEs": fields})}
    pdu = NGAP.NGAP_PDU_Descriptions.NGAP_PDU
    pdu.set_val((outcome, body))
    encoded: bytes = pdu.to_aper()
    return encoded


def decode(data: bytes) -> tuple[str, dict[str, Any]]:
    """The name of a message, and its information elements by their types. ``ValueError`` if it is none of NGAP."""
    pdu = NGAP.NGAP_PDU_Descriptions.NGAP_PDU
    try:
        pdu.from_aper(data)
        _, body = pdu.get_val()
        kind, content = body["value"]
        return kind, dict(field["value"] for field in content["protocolIEs"])
    except Exception as error:  # What pycrate raises for it has several types.
        raise ValueError(f"this is no NGAP: {error}") from error


def log(what: str, data: bytes, stream: int, ppid: int) -> None:
    """A message in one line."""
    print(f"{what:9}  {decode(data)[0]:16} stream {stream}, PPID {ppid}, {len(data)} bytes", flush=True)


def main() -> int:
    """The exit status: 0 if NG was set up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", nargs="?", choices=["both", "amf", "gnb"], default="both", help="default: both")
    parser.add_argument("hosts", nargs="*", default=["127.0.0.1"], help="the addresses of the AMF (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=PORT, help="its SCTP port (default: %(default)s)")
    parser.add_argument("--link", choices=["udp", "raw"], help="how packets travel (default: sctpx chooses)")
    options = parser.parse_args()
    run = {"both": both, "amf": serve, "gnb": gnb}[options.role]
    try:
        return 0 if asyncio.run(run(options.hosts, options.port, options.link)) else 1
    except (OSError, EOFError, ValueError) as error:  # Nobody is there, or refuses, or hangs up, or speaks no NGAP.
        print("ng_setup:", str(error) or type(error).__name__, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
