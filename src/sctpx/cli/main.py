"""The command ``sctpx``: its commands, its version."""

from __future__ import annotations

import importlib.metadata
import platform

import click

from .. import COMPILED, __version__
from ..link import probe
from .demo.command import demo
from .doctor.command import doctor
from .man import man
from .netcat import connect, listen
from .output import complete_standard_streams
from .perf.command import perf


def version_text() -> str:
    """What is running here, for bug reports."""
    able = probe()
    offload = [name for name, has in (("GSO", able.gso), ("GRO", able.gro)) if has]
    return "\n".join(
        (
            f"sctpx {__version__}, {'compiled' if COMPILED else 'interpreted'}",
            f"Python {platform.python_version()} ({platform.python_implementation()}), {platform.platform()}",
            f"CRC32c by fastcrc {importlib.metadata.version('fastcrc')}",
            f"UDP offload: {', '.join(offload) or 'none'}",
        )
    )


def _print_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(version_text())
        context.exit()


@click.group(
    epilog="""\b
Examples:
  sctpx demo
  sctpx listen -v --echo 127.0.0.1,127.0.0.2 5000
  sctpx connect -v --report 127.0.0.1,127.0.0.2 5000
  sctpx perf server
  sctpx perf client 127.0.0.1
  sctpx doctor 192.0.2.10
  sctpx man sctp_connectx
""",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version, Python, whether the core is compiled, the CRC library.",
)
def main() -> None:
    """SCTP in user space: associations over several addresses, no root, no kernel module."""
    complete_standard_streams()


for _command in (demo, connect, listen, perf, doctor, man):
    main.add_command(_command)
