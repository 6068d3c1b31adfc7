"""The files in ``deploy``, as far as they can be tried without Docker, Kubernetes and systemd.

The Dockerfile is read, and its steps that give the capability are done to an interpreter of our own; containers are
imitated by processes that have their capabilities and nothing else. The manifest and the unit are read and compared
with what the program takes.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from click.testing import CliRunner

from sctpx.cli.main import main
from tests.cli.commands import LIMIT, SCTPX, SOURCES, Running, environment
from tests.guards.house import ROOT
from tests.namespaces import own_host

DEPLOY = ROOT / "deploy"
RAW_AND_UDP, UDP = ["raw", "udp"], ["udp"]


@pytest.fixture(autouse=True)
def auto(monkeypatch: pytest.MonkeyPatch) -> None:
    """What users have who set nothing."""
    monkeypatch.delenv("SCTPX_LINK", raising=False)


class Step(NamedTuple):
    """One instruction of a Dockerfile."""

    instruction: str
    text: str


def dockerfile() -> dict[str, list[Step]]:
    """The stages by name, the last one as ``""``: each begins with its FROM. What is not in a stage is left out."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    stages: dict[str, list[Step]] = {}
    steps: list[Step] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        instruction, _, rest = line.strip().partition(" ")
        if instruction == "FROM":
            steps = stages.setdefault(rest.partition(" AS ")[2], [])
        if instruction:
            steps.append(Step(instruction, rest))
    return stages


def texts(stage: str, instruction: str) -> list[str]:
    return [step.text for step in dockerfile()[stage] if step.instruction == instruction]


def commands(words: Sequence[str]) -> list[str]:
    """What the program is asked to do, without its name."""
    return list(words[words.index("listen") :])


def manifest() -> tuple[dict[str, Any], dict[str, Any]]:
    """The Deployment and the Service."""
    deployment, service = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    return deployment, service


def container() -> dict[str, Any]:
    (only,) = manifest()[0]["spec"]["template"]["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string((DEPLOY / "sctp-echo.service").read_text())
    return parser


# --- the Dockerfile ---


def test_each_stage_of_the_image_begins_with_python_or_an_earlier_stage() -> None:
    known: list[str] = []
    for name, steps in dockerfile().items():
        base = steps[0].text.partition(" AS ")[0]
        assert base.startswith("python:") or base in known, base
        assert {step.instruction for step in steps} <= {"FROM", "RUN", "COPY", "EXPOSE", "ENTRYPOINT", "CMD", "USER"}
        known.append(name)
    assert known == ["build", "base", "nonroot", ""]


def test_the_image_is_built_from_files_that_are_let_in() -> None:
    rules = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    assert "*" in rules
    assert [name for name in let_in if not (ROOT / name).exists()] == []
    assert let_in >= {"pyproject.toml", "setup.py", "src", "README.md", "LICENSE"}


def test_what_one_stage_makes_is_what_the_next_one_takes() -> None:
    (made,) = re.findall(r"--wheel-dir (\S+)", " ".join(texts("build", "RUN")))
    assert texts("base", "COPY") == [f"--from=build {made} {made}"]
    assert f"--find-links {made}" in " ".join(texts("base", "RUN"))


def test_the_image_runs_the_command_and_by_default_the_doctor() -> None:
    words = json.loads(texts("base", "ENTRYPOINT")[0]) + json.loads(texts("base", "CMD")[0])
    assert words == ["sctpx", "doctor"]
    assert CliRunner().invoke(main, [*words[1:], "--help"]).exit_code == 0


# --- containers, imitated ---

# What is left of root without root's powers over files and users: a process has the capabilities that it was given, or
# that the file of its program has, as any other user's. It can read this checkout wherever that is.
NO_ROOT = "--securebits=+noroot,+noroot_locked"
DOCKER = "--bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap"
WITH_NET_RAW, WITHOUT = f"{DOCKER},+net_raw", DOCKER


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter of our own that the Dockerfile's step has given the capability."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("giving and taking capabilities takes root, on Linux")
    for command, package in (("setcap", "libcap2-bin"), ("setpriv", "util-linux")):
        if shutil.which(command) is None:
            pytest.skip(f"the command {command} is missing (Debian: {package})")
    place = tmp_path_factory.mktemp("image")
    venv.create(place, symlinks=False)
    (step,) = [text for text in texts("nonroot", "RUN") if text.startswith("setcap ")]
    path = f"{place / 'bin'}:{os.environ['PATH']}"
    given = subprocess.run(["sh", "-c", step], env={"PATH": path}, capture_output=True, timeout=LIMIT, check=False)
    if b"not supported" in given.stderr:
        pytest.skip("files have no capabilities on this file system")
    assert (given.returncode, given.stderr) == (0, b"")
    return place / "bin" / "python3"


def told(
    *options: str, python: str = sys.executable, then: Sequence[str] = ("env",)
) -> tuple[int, dict[str, Any], str]:
    """What ``sctpx doctor`` tells in a process that setpriv(1) starts: exit status, JSON, standard error.

    ``then`` is a program between the two: it has what setpriv leaves, and nothing that setpriv had itself.
    """
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("taking capabilities away takes root, on Linux, and the command setpriv")
    libraries = ":".join([str(SOURCES), *filter(None, map(str, sys.path[1:]))])
    done = subprocess.run(
        ["setpriv", *options, *then, python, *SCTPX[1:], "doctor", "--json"],
        env=environment() | {"PYTHONPATH": libraries},
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr.decode()


def ways(*options: str, python: str = sys.executable) -> list[str]:
    """The ways that auto takes there."""
    status, found, errors = told(*options, python=python)
    assert (status, errors) == (0, "")
    chosen = found["choice"]["ways"]
    assert isinstance(chosen, list)
    return chosen


@pytest.mark.parametrize("locked", [(), ("--no-new-privs",)], ids=["", "no_new_privs"])
def test_root_of_a_container_has_raw_ip_by_net_raw_alone(locked: tuple[str, ...]) -> None:
    """``--cap-drop ALL --cap-add NET_RAW``; the manifest has ``allowPrivilegeEscalation: false`` as well."""
    assert ways("--bounding-set=-all,+net_raw", "--inh-caps=-all", *locked) == RAW_AND_UDP


def test_root_of_a_container_without_net_raw_has_udp() -> None:
    assert ways(WITHOUT, "--inh-caps=-all") == UDP


def test_another_user_has_raw_ip_by_the_capability_of_the_interpreter(prepared: Path) -> None:
    assert ways(NO_ROOT, WITH_NET_RAW, "--inh-caps=-all", python=str(prepared)) == RAW_AND_UDP


def test_another_user_without_the_step_has_udp(prepared: Path) -> None:
    plain = prepared.with_name("plain")
    shutil.copyfile(prepared, plain)
    plain.chmod(0o755)
    assert ways(NO_ROOT, WITH_NET_RAW, "--inh-caps=-all", python=str(plain)) == UDP


def test_without_privilege_escalation_the_interpreter_has_it_in_vain(prepared: Path) -> None:
    """``allowPrivilegeEscalation: false`` with another user than root."""
    then = ("setpriv", "--no-new-privs")
    status, found, errors = told(NO_ROOT, WITH_NET_RAW, "--inh-caps=-all", python=str(prepared), then=then)
    assert (status, errors, found["choice"]["ways"]) == (0, "", UDP)
    assert (found["privileges"]["on_interpreter"], found["privileges"]["no_new_privileges"]) == (True, True)


def test_a_prepared_interpreter_does_not_start_where_net_raw_was_dropped(prepared: Path) -> None:
    """What the Dockerfile says of its target nonroot."""
    status, _, errors = told(NO_ROOT, WITHOUT, "--inh-caps=-all", python=str(prepared))
    assert status != 0
    assert "Operation not permitted" in errors


def test_a_service_of_any_user_has_raw_ip_by_its_ambient_capability() -> None:
    service = unit()["Service"]
    assert service["AmbientCapabilities"] == service["CapabilityBoundingSet"] == "CAP_NET_RAW"
    options = ("--bounding-set=-all,+net_raw", "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw")
    assert ways(NO_ROOT, *options, "--no-new-privs") == RAW_AND_UDP


# --- Kubernetes, systemd ---


def test_the_container_of_the_manifest_has_one_capability_and_is_root() -> None:
    context = container()["securityContext"]
    assert context["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}
    assert (context["runAsUser"], context["allowPrivilegeEscalation"]) == (0, False)


def test_the_service_finds_the_pods_and_has_their_ports() -> None:
    deployment, service = manifest()
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"] == labels
    opened = {(port["name"], port["protocol"], port["containerPort"]) for port in container()["ports"]}
    assert {(port["name"], port["protocol"], port["port"]) for port in service["spec"]["ports"]} == opened
    assert opened == {("sctp", "SCTP", int(container()["args"][-1])), ("sctp-in-udp", "UDP", 9899)}
    assert service["spec"]["clusterIP"] == "None"


def test_the_manifest_and_the_unit_run_the_same_command_which_listens() -> None:
    asked = container()["args"]
    assert commands(shlex.split(unit()["Service"]["ExecStart"])) == asked
    with own_host(), Running(*asked) as server:
        assert server.stderr.readline().endswith(b" port 36412 native and udp-port 9899\n")
        server.signal(15)
        status, _, _ = server.finish()
    assert str(status) == unit()["Service"]["SuccessExitStatus"]


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("the command systemd-analyze is missing (Debian: systemd)")
    copy = tmp_path / "sctp-echo.service"
    copy.write_text((DEPLOY / copy.name).read_text().replace("/opt/sctpx/bin/sctpx", sys.executable))
    words = ["systemd-analyze", "verify", "--man=no", str(copy)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
