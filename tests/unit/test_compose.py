"""docker-compose.yml and the Dockerfile name the same agencies, ports, commands and variables as the code."""

import re
import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from typer.main import get_command

from broker.cli.main import app
from broker.credentials import BROKER_USER
from broker.settings import known_variables, load

ROOT = Path(__file__).parent.parent.parent
OURS = ("broker", "adapter-kr.customs", "adapter-kr.quarantine", "adapter-kr.border")


@cache
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return content


@cache
def dockerfile() -> str:
    return re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def test_there_is_one_adapter_for_each_of_the_example() -> None:
    settings = load(ROOT / "examples" / "seaport" / "cbm.toml", {})
    named = {name: service["command"] for name, service in services().items() if name.startswith("adapter-")}
    assert named == {f"adapter-{a.agency}": ["adapter", a.agency] for a in settings.adapter}
    assert set(services()) == {"secrets", "rabbitmq", *OURS}


def test_every_command_that_a_container_runs_is_one_of_cbm() -> None:
    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    for name in OURS:
        assert services()[name]["command"][0] in known
    check = services()["broker"]["healthcheck"]["test"]
    assert check == ["CMD", "cbm", "status", "--ready"]
    assert 'ENTRYPOINT ["cbm"]' in dockerfile()
    assert re.search(r'^CMD \["(\w+)"\]$', dockerfile(), re.MULTILINE)[1] in known  # type: ignore[index]


def test_every_variable_is_one_that_cbm_knows() -> None:
    names = {name for service in services().values() for name in service.get("environment", {})}
    names |= set(re.findall(r"\b(CBM_\w+)=", dockerfile()))
    ours = {name for name in names if name.startswith("CBM_")}
    assert ours
    assert not ours - known_variables().keys()


def test_the_configuration_is_mounted_where_it_is_looked_for() -> None:
    for name in OURS:
        environment, volumes = services()[name]["environment"], services()[name]["volumes"]
        mounted = {volume.split(":")[1]: volume.split(":")[0] for volume in volumes}
        assert mounted[environment["CBM_CONFIG"]] == "./examples/seaport/cbm.toml"
        assert mounted[environment["CBM_NODE__STATE_DIR"]] == "state"
        assert str(Path(environment["CBM_RABBITMQ__PASSWORD_FILE"]).parent) in mounted
    for key in ("CBM_CONFIG", "CBM_NODE__STATE_DIR"):
        assert f"{key}={services()['broker']['environment'][key]}" in dockerfile()


def test_rabbitmq_is_found_under_the_name_port_user_and_virtual_host_that_it_has() -> None:
    rabbitmq, broker = services()["rabbitmq"], services()["broker"]["environment"]
    published = {str(port).rsplit(":", 1)[1] for port in rabbitmq["ports"]}
    amqp, management = urlsplit(broker["CBM_RABBITMQ__URL"]), urlsplit(broker["CBM_RABBITMQ__MANAGEMENT_URL"])
    assert (amqp.hostname, management.hostname) == ("rabbitmq", "rabbitmq")
    assert {str(amqp.port), str(management.port)} == published
    assert amqp.username == BROKER_USER == rabbitmq["environment"]["RABBITMQ_DEFAULT_USER"]
    vhost = tomllib.loads((ROOT / "examples/seaport/cbm.toml").read_text())["rabbitmq"].get("vhost", "cbm")
    assert amqp.path == f"/{vhost}"
    assert rabbitmq["environment"]["RABBITMQ_DEFAULT_VHOST"] == vhost
    assert rabbitmq["image"].startswith("rabbitmq:4")


def test_ports_are_open_on_this_machine_only() -> None:
    for service in services().values():
        for port in service.get("ports", []):
            assert str(port).startswith("127.0.0.1:")


def test_no_container_is_root_or_writes_to_its_own_file_system() -> None:
    for name, service in services().items():
        user = str(service["user"]).partition(":")[0]
        assert user.isdigit(), name
        assert user != "0", name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name


def test_each_waits_until_what_it_needs_is_healthy() -> None:
    assert services()["broker"]["depends_on"] == {"rabbitmq": {"condition": "service_healthy"}}
    for name in OURS[1:]:
        assert services()[name]["depends_on"] == {"broker": {"condition": "service_healthy"}}
    for name in ("rabbitmq", "broker"):
        assert services()[name]["healthcheck"]["test"][0] == "CMD"


def test_no_secret_is_written_into_the_files() -> None:
    text = (ROOT / "docker-compose.yml").read_text() + (ROOT / "Dockerfile").read_text()
    assert not re.search(r"amqp://[^/\s@]*:[^$@\s]+@", text)
    assert not re.search(r"(?i)(password|pass|secret|token)\s*[:=]\s*[\"']?[A-Za-z0-9+/_-]{8,}[\"']?\s*$", text, re.M)


def test_the_image_holds_every_package_and_what_it_copies_is_there() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = set()
    for line in re.findall(r"^COPY (?!--from)(.*)$", dockerfile(), re.MULTILINE):
        copied |= set(line.split()[:-1])
    assert set(packages["packages"]) <= copied
    for name in copied:
        assert (ROOT / name).exists(), name


def test_the_python_of_the_image_is_one_that_the_project_allows() -> None:
    lowest = re.search(
        r">=(\d+)\.(\d+)", tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    )
    assert lowest is not None
    for major, minor in re.findall(r"^FROM python:(\d+)\.(\d+)", dockerfile(), re.MULTILINE):
        assert (int(major), int(minor)) >= (int(lowest[1]), int(lowest[2]))


def command_of_compose() -> list[str] | None:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        if subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0:
            return command
    return None


def test_compose_accepts_the_file() -> None:
    command = command_of_compose()
    if command is None:
        pytest.skip("no docker compose here")
    done = subprocess.run([*command, "config", "-q"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
