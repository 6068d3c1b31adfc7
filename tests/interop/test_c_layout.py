"""Numbers and structs beside those of a C compiler that reads Linux's own header."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sctpx.sockapi import constants, structs
from sctpx.sockapi.structs import Struct

HEADER = Path("/usr/include/linux/sctp.h")

NOT_LINUX = {"sctp_extrcvinfo", "sctp_sendv_spa", "sctp_recvv_rn", "sctp_tlv"}
"""Structs of RFC 6458 that the kernel does not know: the C program has them as the RFC does."""

LINUX_NAMES = {
    "ssfe_type": "ssf_type",
    "ssfe_flags": "ssf_flags",
    "ssfe_length": "ssf_length",
    "ssfe_error": "ssf_error",
    "ssfe_assoc_id": "ssf_assoc_id",
    "ssfe_data": "ssf_data",
    "stopped_type": "sn_type",
    "stopped_flags": "sn_flags",
    "stopped_length": "sn_length",
}
"""Fields that Linux calls otherwise than RFC 6458."""

RFC_STRUCTS = """
struct sctp_extrcvinfo {
  uint16_t sinfo_stream, sinfo_ssn, sinfo_flags;
  uint32_t sinfo_ppid, sinfo_context, sinfo_pr_value, sinfo_tsn, sinfo_cumtsn;
  uint16_t serinfo_next_flags, serinfo_next_stream;
  uint32_t serinfo_next_aid, serinfo_next_length, serinfo_next_ppid;
  sctp_assoc_t sinfo_assoc_id;
};
struct sctp_sendv_spa {
  uint32_t sendv_flags;
  struct sctp_sndinfo sendv_sndinfo;
  struct sctp_prinfo sendv_prinfo;
  struct sctp_authinfo sendv_authinfo;
};
struct sctp_recvv_rn { struct sctp_rcvinfo recvv_rcvinfo; struct sctp_nxtinfo recvv_nxtinfo; };
struct sctp_tlv { uint16_t sn_type, sn_flags; uint32_t sn_length; };
"""

ALL: list[type[Struct]] = [
    kind
    for kind in vars(structs).values()
    if isinstance(kind, type) and issubclass(kind, Struct) and "C_NAME" in vars(kind)
]


def c_program(header: str) -> str:
    """A program that prints every size, offset and number that the header knows by name."""
    lines = []
    for kind in ALL:
        name = f"struct {kind.C_NAME}"
        lines.append(f'printf("sizeof {kind.C_NAME} %zu\\n", sizeof({name}));')
        for field in kind.offsets():
            in_c = LINUX_NAMES.get(field, field)
            lines.append(f'printf("{kind.C_NAME}.{field} %zu\\n", offsetof({name}, {in_c}));')
    numbers = [name for name in constants.names("SCTP_", "SPP_", "MSG_") if re.search(rf"\b{name}\b", header)]
    lines += [f'printf("{name} %lld\\n", (long long) {name});' for name in numbers]
    body = "\n  ".join(lines)
    return f"""#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <linux/sctp.h>
{RFC_STRUCTS}
int main(void) {{
  {body}
  return 0;
}}
"""


@pytest.fixture(scope="module")
def in_c(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """What the compiler says."""
    compiler = shutil.which("cc")
    if compiler is None or not HEADER.exists() or sys.maxsize < 1 << 32:
        reason = f"no C compiler, or no {HEADER}"
        if os.environ.get("SCTPX_REQUIRE_INTEROP") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("layout")
    source = directory / "layout.c"
    source.write_text(c_program(HEADER.read_text()))
    program = directory / "layout"
    subprocess.run([compiler, "-o", str(program), str(source)], check=True, timeout=60)
    printed = subprocess.run([str(program)], check=True, capture_output=True, text=True, timeout=60).stdout
    return {name: int(value) for name, value in (line.rsplit(" ", 1) for line in printed.splitlines())}


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.C_NAME)
def test_a_struct_is_laid_out_as_in_c(in_c: dict[str, int], kind: type[Struct]) -> None:
    expected = {field: in_c[f"{kind.C_NAME}.{field}"] for field in kind.offsets()}
    assert (kind.size(), kind.offsets()) == (in_c[f"sizeof {kind.C_NAME}"], expected)


def test_every_number_that_linux_has_is_linuxs(in_c: dict[str, int]) -> None:
    ours = constants.names("SCTP_", "SPP_", "MSG_")
    found = {name: value for name, value in in_c.items() if name in ours}
    assert len(found) > 160
    assert {name: ours[name] for name in found} == found
