"""`cbm up` on the example port: what people see at the first start, the second, and after the worst.

One port lives through three runs: an orderly end, a `kill -9`, and the run that takes over what is left.
"""

import hashlib
import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.acceptance.seaport import AGENCIES, BORDER, CUSTOMS, EXAMPLE, QUARANTINE, Running, Seaport, port, until
from tests.harness import alert, as_bytes

pytestmark = pytest.mark.timeout(500)

# (sender, family) -> who receives it, by the agreements of the example.
ENTITLED = {
    (CUSTOMS, "shipment"): [QUARANTINE],
    (QUARANTINE, "shipment"): [CUSTOMS],
    (BORDER, "shipment"): [CUSTOMS],
    (CUSTOMS, "alert"): [QUARANTINE, BORDER],
    (QUARANTINE, "alert"): [CUSTOMS, BORDER],
    (BORDER, "alert"): [CUSTOMS, QUARANTINE],
}
BY = {
    (CUSTOMS, "shipment"): "declarations-to-quarantine (import health control)",
    (QUARANTINE, "shipment"): "quarantine-decisions (release only what quarantine has cleared)",
    (BORDER, "shipment"): "entry-summaries (pre-arrival risk analysis)",
}
NAMES = {CUSTOMS: "Korea Customs", QUARANTINE: "Plant Quarantine", BORDER: "Border Security"}


@dataclass(frozen=True)
class Sent:
    """A message that an example document stands for."""

    agency: str
    type: str
    id: str
    subject: str

    @property
    def family(self) -> str:
        return self.type.partition(".")[0]

    @property
    def recipients(self) -> list[str]:
        return ENTITLED[self.agency, self.family]

    @property
    def mark(self) -> str:
        """By which an outbox's file names tell the message."""
        return hashlib.sha256(f"{self.agency} {self.id}".encode()).hexdigest()[:12]


def examples(seaport: Seaport) -> list[Sent]:
    """What the example documents say, by `cbm convert`."""
    found = []
    for agency in AGENCIES:
        for document in sorted((EXAMPLE / "documents" / agency).iterdir()):
            done = seaport.run("convert", document, "--as", agency)
            assert done.status == 0, f"{document.name}: {done.notes}"
            found += [Sent(agency, row["type"], row["id"], row["subject"]) for row in done.rows]
    return found


def arrived(seaport: Seaport, sent: list[Sent]) -> bool:
    return all(any(one.mark in name for name in seaport.outbox(to)) for one in sent for to in one.recipients)


@dataclass
class Run:
    """A run of `cbm up` that ended, and what was seen."""

    seaport: Seaport
    sent: list[Sent]
    running: Running
    status: int | None
    left: dict[int, str]
    outboxes: dict[str, list[str]]
    rows: int
    busy: set[int]
    server_pid: int


def look(seaport: Seaport, sent: list[Sent], running: Running, status: int | None, **more: object) -> Run:
    rows = seaport.ledger("select count(*) from disposition")[0][0]
    outboxes = {agency: seaport.outbox(agency) for agency in AGENCIES}
    values = {"left": seaport.processes(), "outboxes": outboxes, "rows": rows, "busy": set(), "server_pid": 0} | more
    return Run(seaport, sent, running, status, **values)  # type: ignore[arg-type]


def server_pid(seaport: Seaport) -> int:
    return int((seaport.state / "rabbitmq" / "pid").read_text())


def told(running: Running, sent: list[Sent]) -> bool:
    """Whether the story tells of every delivery."""
    text = "\n".join(running.story)
    return all(text.count(f"told: {one.type} of {one.subject}") for one in sent)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The first run, with the example documents. Ended by Ctrl-C."""
    with ExitStack() as stack:
        seaport = stack.enter_context(port(tmp_path_factory.mktemp("up")))
        sent = examples(seaport)
        running = seaport.start("up", "--story", "--drop", EXAMPLE / "documents")
        running.says("up; Ctrl-C stops everything", 90)
        until(lambda: arrived(seaport, sent) and told(running, sent), 60, "every delivery of the first run")
        yield look(seaport, sent, running, running.end(signal.SIGINT))


@pytest.fixture(scope="module")
def second(first: Run) -> Iterator[Run]:
    """The second run: an alert waits in an inbox, the ports of the first are in use. `cbm up` itself is killed."""
    seaport = first.seaport
    event = alert(BORDER, subject="KR-BORDER-WAITED")
    seaport.drop(BORDER, "waited.json", as_bytes(event))
    sent = [Sent(BORDER, event["type"], event["id"], event["subject"])]
    ports = json.loads((seaport.state / "rabbitmq" / "ports.json").read_text())
    with ExitStack() as stack:
        for number in ports.values():
            held = stack.enter_context(socket.socket())
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(("127.0.0.1", number))
            held.listen()
        running = seaport.start("up", "--story", "--drop", EXAMPLE / "documents")
        running.says("up; Ctrl-C stops everything", 90)
        until(lambda: arrived(seaport, sent) and told(running, sent), 60, "the delivery of the second run")
        pid = server_pid(seaport)
        running.end(signal.SIGKILL)
        until(lambda: not any("-m broker" in c for c in seaport.processes().values()), 30, "the end of all children")
        yield look(seaport, sent, running, None, server_pid=pid, busy=set(ports.values()))


@pytest.fixture(scope="module")
def third(second: Run) -> Run:
    """The third run, beside the RabbitMQ that the second left. Ended by SIGTERM."""
    seaport = second.seaport
    event = alert(QUARANTINE, subject="KR-PQ-AFTER")
    running = seaport.start("up", "--story")
    running.says("up; Ctrl-C stops everything", 90)
    pid = server_pid(seaport)
    seaport.drop(QUARANTINE, "after.json", as_bytes(event))
    sent = [Sent(QUARANTINE, event["type"], event["id"], event["subject"])]
    until(lambda: arrived(seaport, sent), 60, "the delivery of the third run")
    return look(seaport, sent, running, running.end(signal.SIGTERM), server_pid=pid)


def test_documents_of_every_agency_reach_the_entitled_others_and_nobody_else(first: Run) -> None:
    assert {one.agency for one in first.sent} == set(AGENCIES)
    for agency in AGENCIES:
        marks = {name.rsplit("-", 1)[1].partition(".")[0] for name in first.outboxes[agency]}
        assert marks == {one.mark for one in first.sent if agency in one.recipients}, agency


def test_the_terminal_says_what_each_agency_received_from_whom_and_why(first: Run) -> None:
    for one in first.sent:
        for recipient in one.recipients:
            why = BY.get((one.agency, one.family), "early-warning (early warning between agencies of the port)")
            lines = [line for line in first.running.story if f"{NAMES[recipient]} received:" in line]
            end = f"From {NAMES[one.agency]}, under agreement {why}."
            # What is withheld, if anything, is said after it.
            assert any(one.subject in line and end in line for line in lines), (recipient, one)


def test_each_sender_is_told_how_many_agencies_received_it(first: Run) -> None:
    for one in first.sent:
        many = "1 agency" if len(one.recipients) == 1 else f"{len(one.recipients)} agencies"
        words = f"{NAMES[one.agency]} was told: {one.type} of {one.subject} went to {many}."
        assert any(line.endswith(words) for line in first.running.story), words


def test_every_document_is_kept_and_none_is_left_in_an_inbox(first: Run) -> None:
    for agency in AGENCIES:
        given = [p.read_bytes() for p in sorted((EXAMPLE / "documents" / agency).iterdir())]
        for content in given:
            digest = hashlib.sha256(content).hexdigest()
            kept = list((first.seaport.of(agency) / "kept" / digest[:2] / digest).glob("document*"))
            assert [p.read_bytes() for p in kept] == [content]
        assert not list((first.seaport.of(agency) / "failed").iterdir())


def test_ctrl_c_ends_with_status_0_and_leaves_no_process(first: Run) -> None:
    assert first.status == 0
    assert first.left == {}
    assert first.running.text.rstrip().endswith("stopped")


def test_a_second_run_drops_nothing_again_and_keeps_what_was_there(first: Run, second: Run) -> None:
    assert "were dropped before" in second.running.text
    assert second.rows == first.rows + 1
    for agency in AGENCIES:
        assert set(first.outboxes[agency]) <= set(second.outboxes[agency])


def test_what_waited_in_an_inbox_goes_out_at_the_next_start(second: Run) -> None:
    assert arrived(second.seaport, second.sent)
    assert [line for line in second.running.story if "KR-BORDER-WAITED" in line and "received" in line]


def test_ports_in_use_are_left_to_whoever_uses_them_and_the_queues_come_along(second: Run) -> None:
    taken = json.loads((second.seaport.state / "rabbitmq" / "ports.json").read_text())
    assert not second.busy & set(taken.values())
    done = second.seaport.run(
        "subscribe", "alert.#", "--as", CUSTOMS, "--since", "1h", "--count", "3", "--timeout", "20"
    )
    assert done.status == 0, done.notes


def test_the_story_tells_only_what_is_new(first: Run, second: Run) -> None:
    assert not [line for line in second.running.story for one in first.sent if one.subject in line]


def test_when_cbm_up_is_killed_its_children_end_and_only_rabbitmq_is_left(second: Run) -> None:
    assert second.left, "RabbitMQ should have outlived its starter"
    for command in second.left.values():
        assert "-m broker" not in command
        assert "cbm up" not in command


def test_the_rabbitmq_that_is_left_is_taken_over_by_the_next_run_and_ended_with_it(second: Run, third: Run) -> None:
    assert third.server_pid == second.server_pid
    log = (third.seaport.state / "logs" / "up.ndjson").read_text()
    assert '"event":"node.adopted"' in log
    assert third.status == 0
    assert third.left == {}


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Seaport]:
    """A port of which nothing runs."""
    with port(tmp_path) as seaport:
        yield seaport


def test_without_the_rabbitmq_program_it_says_so_and_ends_with_status_3(tmp_path: Path) -> None:
    text = (EXAMPLE / "cbm.toml").read_text()
    assert "[rabbitmq]\n" in text
    with port(tmp_path) as seaport:
        content = "\n".join(li for li in seaport.config.read_text().splitlines() if not li.startswith("server ="))
        seaport.config.write_text(content.replace("[rabbitmq]\n", '[rabbitmq]\nserver = "/nonexistent/server"\n', 1))
        done = seaport.run("up")
        assert done.status == 3
        assert "there is no program /nonexistent/server, named as [rabbitmq] server" in done.notes
        assert "Traceback" not in done.notes
        assert seaport.processes() == {}


@pytest.mark.parametrize("command", ["up", "serve", "check", "status"])
def test_a_misspelt_key_stops_the_start_with_its_place_and_the_nearest_name(quiet: Seaport, command: str) -> None:
    quiet.config.write_text(quiet.config.read_text().replace('name = "kr-busan"', 'name = "kr-busan"\nstat_dir = "x"'))
    done = quiet.run(command)
    assert done.status == 2
    assert "node.stat_dir: no such key; the nearest known is state_dir" in done.notes


def test_a_misspelt_variable_stops_the_start_with_the_nearest_name(quiet: Seaport) -> None:
    done = quiet.run("up", env={"CBM_RABITMQ__URL": "amqp://user:tell-nobody@host/"})
    assert done.status == 2
    assert "CBM_RABITMQ__URL: no such variable; the nearest known is CBM_RABBITMQ__URL" in done.notes
    assert "tell-nobody" not in done.notes + done.out.decode()


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address that refuses every connection, and is held so that nobody else comes to listen there."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


@pytest.mark.parametrize("arguments", [["publish", "--as", CUSTOMS], ["subscribe", "--as", CUSTOMS], ["status"]])
def test_a_rabbitmq_that_is_not_there_is_status_7_and_named(quiet: Seaport, nowhere: str, arguments: list[str]) -> None:
    env = {
        "CBM_URL": f"amqp://kr.customs:tell-nobody@{nowhere}/cbm",
        "CBM_RABBITMQ__URL": f"amqp://cbm:x@{nowhere}/cbm",
    }
    done = quiet.run(*arguments, stdin=as_bytes(alert(CUSTOMS)), env=env)
    assert done.status == 7, done.notes
    assert nowhere in done.notes
    assert "tell-nobody" not in done.notes


def test_a_broker_waits_for_a_rabbitmq_that_is_not_there_and_still_ends_in_order(quiet: Seaport, nowhere: str) -> None:
    env = {"CBM_RABBITMQ__URL": f"amqp://cbm:tell-nobody@{nowhere}/cbm"}
    running = quiet.start("serve", env=env)
    until(lambda: len(running.logged("amqp.lost")) >= 2, 30, "a second try")
    assert running.end(signal.SIGTERM) == 0
    assert running.logged("broker.stopped")
    assert "tell-nobody" not in running.out.read_text() + running.text


@pytest.fixture
def given(node: object, quiet: Seaport) -> dict[str, str]:
    """The variables for a RabbitMQ that is already there, with a wrong password for it."""
    url = node.url  # type: ignore[attr-defined]
    host = url.rpartition("@")[2]
    return {
        "CBM_RABBITMQ__URL": f"amqp://cbm@{host}",
        "CBM_RABBITMQ__PASSWORD": "quite-wrong-secret",
        "CBM_URL": f"amqp://kr.customs:quite-wrong-secret@{host}",
    }


@pytest.mark.parametrize(
    "arguments", [["up", "--logs"], ["serve"], ["status"], ["publish", "--as", CUSTOMS], ["subscribe", "--as", CUSTOMS]]
)
def test_a_wrong_password_is_status_6_and_never_printed(
    quiet: Seaport, given: dict[str, str], arguments: list[str]
) -> None:
    started = datetime.now(UTC)
    done = quiet.run(*arguments, stdin=as_bytes(alert(CUSTOMS)), env=given)
    assert done.status == 6, (done.notes, done.out)
    assert "refuse" in done.notes
    assert "quite-wrong-secret" not in done.notes + done.out.decode()
    assert (datetime.now(UTC) - started).total_seconds() < 45
    assert not {pid for pid in quiet.processes() if pid != os.getpid()}
