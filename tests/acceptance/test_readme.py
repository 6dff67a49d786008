"""The README's five minutes, as a newcomer types them: every block of it runs as it stands."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import PATIENCE
from tests.acceptance.seaport import AGENCIES, CUSTOMS, EXAMPLE, QUARANTINE, ROOT, Running, Seaport, port, until
from tests.harness import alert, as_bytes

pytestmark = pytest.mark.timeout(400)

README = (ROOT / "README.md").read_text()


def block(heading: str) -> str:
    """The block whose fence says `heading`, e.g. `python publish`."""
    found = re.findall(rf"^```{heading}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert found, f"the README has no block ```{heading}"
    return str(found[0])


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Seaport]]:
    """A folder as a clone is after `make run`, which is still running in another terminal."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    with port(folder / "examples" / "seaport") as seaport:
        shutil.copytree(EXAMPLE / "documents", seaport.folder / "documents")
        recipe = re.search(r"^run:.*\n\t\$\(CBM\) (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert recipe is not None
        running = seaport.start(*shlex.split(recipe[1]), cwd=folder)
        running.says("up; Ctrl-C stops everything", 90)
        documents = sum(1 for path in (EXAMPLE / "documents").glob("*/*"))
        until(lambda: sum(" was told: " in line for line in running.story) >= documents, 60, "the examples' receipts")
        yield folder, seaport


def shell(clone: tuple[Path, Seaport], script: str) -> subprocess.CompletedProcess[str]:
    folder, seaport = clone
    environment = {n: v for n, v in seaport.environment().items() if n != "CBM_CONFIG"}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
    )


def program(clone: tuple[Path, Seaport], name: str) -> Running:
    """Run a snippet, within the function that a program would have around it."""
    folder, seaport = clone
    lines = block(f"python {name}")
    imports = "".join(li for li in lines.splitlines(keepends=True) if li.startswith(("from ", "import ")))
    body = lines.replace(imports, "")
    path = folder / f"{name}.py"
    path.write_text(
        f"import asyncio\n{imports}\nasync def main():\n{textwrap.indent(body, '    ')}\n\nasyncio.run(main())\n"
    )
    environment = {"CBM_URL": seaport.url(QUARANTINE), "PYTHONUNBUFFERED": "1"}
    return seaport.start_program([sys.executable, str(path)], env=environment, cwd=folder)


def test_the_five_minutes_publish_an_alert_and_receive_a_shipment_event(clone: tuple[Path, Seaport]) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 2
    done = shell(clone, "\n".join(blocks))
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    explained = [row for row in rows if "receives" in row]
    assert {row["agency"] for row in explained if row["receives"]} == set(AGENCIES) - {QUARANTINE}
    assert [row["recipients"] for row in rows if row.get("disposition") == "accepted"] == [2]
    assert str(rows[-1]["type"]).startswith("shipment.")


def test_the_alert_lies_in_the_others_outboxes(clone: tuple[Path, Seaport]) -> None:
    seaport = clone[1]
    subject = re.search(r'"subject": "([^"]+)"', block("sh"))
    assert subject is not None
    for agency in set(AGENCIES) - {QUARANTINE}:
        until(lambda a=agency: any(subject[1] in n for n in seaport.outbox(a)), 20, "its delivery")  # type: ignore[misc]


def test_the_snippet_that_publishes_is_told_that_it_was_accepted(clone: tuple[Path, Seaport]) -> None:
    running = program(clone, "publish")
    assert running.wait() == 0, running.text
    assert running.story == ["accepted"]


def test_the_snippet_that_receives_prints_an_alert_sent_to_it(clone: tuple[Path, Seaport]) -> None:
    seaport = clone[1]
    running = program(clone, "receive")

    def printed() -> bool:
        assert not running.ended, running.text
        seaport.run("publish", "--as", CUSTOMS, stdin=as_bytes(alert(CUSTOMS, subject="KR-README")))
        return "alert.issued KR-README Severe" in running.story

    until(printed, 30, "the alert")


def test_the_snippet_that_replays_prints_what_came_before_it_was_started_and_what_comes_after(
    clone: tuple[Path, Seaport],
) -> None:
    seaport = clone[1]
    before, after = (alert(CUSTOMS, subject=f"KR-REPLAY-{n}") for n in (1, 2))
    assert seaport.run("publish", "--as", CUSTOMS, stdin=as_bytes(before)).status == 0
    running = program(clone, "replay")
    until(lambda: any(line.endswith(" KR-REPLAY-1") for line in running.story), 20, f"the past: {running.text}")
    assert seaport.run("publish", "--as", CUSTOMS, stdin=as_bytes(after)).status == 0
    until(lambda: any(line.endswith(" KR-REPLAY-2") for line in running.story), 20, "the present")
    offsets = [int(line.split()[0]) for line in running.story]
    assert offsets == sorted(set(offsets))


def test_every_command_that_the_readme_names_is_there(clone: tuple[Path, Seaport]) -> None:
    named = set(re.findall(r"`cbm ([a-z]+)", README))
    assert {"up", "publish", "credentials", "check"} <= named
    known = clone[1].run("--help").out.decode()
    for command in named:
        assert re.search(rf"\b{command}\b", known), command
