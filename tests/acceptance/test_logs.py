"""The logs of all processes: enough to follow one consignment with `jq` alone, and not one word of cargo or secret."""

import json
import os
import re
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.seaport import AGENCIES, BORDER, CUSTOMS, EXAMPLE, QUARANTINE, ROOT, Seaport, port, until
from tests.harness import alert, as_bytes, shipment

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed here"),
]

# What no log may hold: names of parties, descriptions of goods, addresses, free text of alerts.
PLANTED = ("Zyxomma Orchids", "Quillwort seedlings", "7 Planted Lane", "Secret headline", "Informant Ostrom")
KEY = "6KR1208814-PLANTS-0417"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaport]:
    """A port that writes its logs to files, as `make run` does, through which planted cargo data has gone."""
    with port(tmp_path_factory.mktemp("logs")) as seaport:
        running = seaport.start("up", "--story", "--drop", EXAMPLE / "documents")
        running.says("up; Ctrl-C stops everything", 90)
        seaport.log = running
        for number, (agency, content) in enumerate(planted()):
            seaport.drop(agency, f"planted-{number}.json", as_bytes(content))
        bad = shipment(CUSTOMS, subject="PLANTED-BAD", tlp="PINK")
        bad["data"]["parties"] = [{"role": "consignee", "name": PLANTED[0], "shoe_size": PLANTED[1]}]
        seaport.drop(CUSTOMS, "bad.json", as_bytes(bad))
        until(lambda: seaport.outbox(BORDER) and len(seaport.outbox(QUARANTINE)) >= 6, 60, "deliveries")
        until(lambda: publish_bad(seaport, bad), 60, "the broker's refusal")
        yield seaport


def planted() -> Iterator[tuple[str, dict[str, Any]]]:
    for _ in range(2):
        event = shipment(CUSTOMS, subject=f"PLANTED-{uuid.uuid4().hex[:6]}")
        event["data"]["parties"] = [{"role": "consignee", "name": PLANTED[0], "address": PLANTED[2]}]
        event["data"]["goods"] = [{"item": 1, "hs": "060220", "description": PLANTED[1]}]
        yield CUSTOMS, event
    event = alert(BORDER)
    event["data"] |= {"headline": PLANTED[3], "description": PLANTED[4], "instruction": PLANTED[3]}
    yield BORDER, event


def publish_bad(seaport: Seaport, bad: dict[str, Any]) -> bool:
    done = seaport.run("publish", "--unchecked", "--as", CUSTOMS, stdin=as_bytes(bad))
    return bool(done.rows) and done.rows[0]["disposition"] == "refused"


def files(seaport: Seaport) -> list[str]:
    return sorted(str(path) for path in (seaport.state / "logs").glob("*.ndjson"))


def jq(seaport: Seaport, program: str, *arguments: str) -> list[Any]:
    """What `jq` makes of all logs together."""
    done = subprocess.run(
        ["jq", "-c", *arguments, program, *files(seaport)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def everything(seaport: Seaport) -> str:
    """All that any process wrote, logs and last words, and what people saw of notes."""
    assert seaport.log is not None
    parts = [path.read_text(errors="replace") for path in (seaport.state / "logs").iterdir()]
    return "\n".join([*parts, seaport.log.text])


def test_one_message_has_the_same_ids_in_the_senders_adapter_the_broker_and_the_readers_adapter(told: Seaport) -> None:
    published = jq(told, f'select(.event == "message.published" and .subject == "{KEY}" and .agency == "{CUSTOMS}")')
    assert published
    for one in published:
        id_ = one["message_id"]
        lines = until(
            lambda id_=id_: (  # type: ignore[misc]
                found if len(found := jq(told, f'select(.message_id == "{id_}" and .traceparent)')) >= 4 else None
            ),
            20,
            "all lines of a message",
        )
        by = {(line["event"], line["agency"]) for line in lines}
        assert by >= {
            ("message.published", CUSTOMS),
            ("message.settled", CUSTOMS),
            ("message.received", QUARANTINE),
            ("document.written", QUARANTINE),
        }
        assert {line["traceparent"] for line in lines} == {one["traceparent"]}
        assert {line["correlation_id"] for line in lines if "correlation_id" in line} == {one["correlation_id"]}


def test_a_client_of_ones_own_keeps_its_trace_through_broker_and_adapter(told: Seaport) -> None:
    trace = f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"
    content = shipment(CUSTOMS, traceparent=trace, correlationid="corr-7", subject="TRACED")
    assert told.run("publish", "--as", CUSTOMS, stdin=as_bytes(content)).status == 0
    until(lambda: len(jq(told, f'select(.traceparent == "{trace}")')) >= 3, 20, "the lines of the trace")
    lines = jq(told, f'select(.traceparent == "{trace}")')
    assert {line["event"] for line in lines} >= {"message.settled", "message.received", "receipt.received"}
    assert {line["correlation_id"] for line in lines if "correlation_id" in line} == {"corr-7"}


def test_the_recipes_of_the_documents_follow_a_consignment_and_a_document(told: Seaport) -> None:
    text = (ROOT / "docs" / "LOGS.md").read_text()
    recipes = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert len(recipes) >= 3
    sample = jq(told, f'select(.event == "message.published" and .subject == "{KEY}")')[0]["message_id"]
    outputs = []
    for recipe in recipes:
        script = re.sub(r"--arg id \S+", f"--arg id {sample}", recipe)
        done = subprocess.run(["bash", "-c", script], cwd=told.state, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        outputs.append([json.loads(line) for line in done.stdout.splitlines()])
    consignment, document, refused = outputs
    assert {line[1] for line in consignment} >= {"message.published", "message.settled", "message.received"}
    assert {line[2] for line in consignment} == set(AGENCIES), "it was declared by all three"
    assert [line[1] for line in document][:2] == ["document.taken", "message.published"]
    assert {"message.settled", "document.written", "document.kept"} <= {line[1] for line in document}
    assert {line["disposition"] for line in refused} == {"refused"}
    assert consignment == sorted(consignment, key=lambda line: line[0])


def test_every_line_is_json_with_time_level_and_event(told: Seaport) -> None:
    for name in files(told):
        with open(name, "rb") as file:  # noqa: PTH123
            lines = file.read().splitlines()
        assert lines, name
        for line in lines:
            entry = json.loads(line)
            assert {"timestamp", "level", "event"} <= entry.keys(), line
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", entry["timestamp"]), line


def test_each_message_has_exactly_one_last_line(told: Seaport) -> None:
    ids = [row[0] for row in told.ledger("select id from disposition")]
    settled = [line["message_id"] for line in jq(told, 'select(.event == "message.settled")')]
    assert sorted(settled) == sorted(ids)


def test_no_cargo_data_stand_in_any_log(told: Seaport) -> None:
    text = everything(told)
    assert "PLANTED-" in text, "the planted messages went through"
    for word in PLANTED:
        assert word not in text, word
    # Neither do the parties and goods of the example documents.
    for word in ("Haeundae Garden Trading", "Nampo Customs Brokers", "Camellia"):
        assert word not in text, word


def test_no_password_stands_in_any_log_or_command_line(told: Seaport) -> None:
    secrets = [path.read_text().strip() for path in (told.state / "credentials").iterdir()]
    assert len(secrets) >= 4
    text = everything(told)
    commands = "\n".join(told.processes().values())
    for secret in secrets:
        assert secret not in text
        assert secret not in commands


def test_a_fault_that_nobody_expected_is_logged_with_its_place_and_without_its_values(told: Seaport) -> None:
    # The broker's folder of passwords becomes a file: whatever reads it meets an error that none foresaw.
    folder = told.state / "credentials"
    aside = folder.with_name("credentials-aside")
    pids = {line["child"]: line["pid"] for line in jq(told, 'select(.event == "child.started")')}
    folder.rename(aside)
    folder.write_text("Zyxomma Orchids secret-in-a-file")
    try:
        os.kill(pids["broker"], signal.SIGKILL)
        until(lambda: jq(told, 'select(.event == "process.crashed")'), 30, "a crash that is logged")
    finally:
        folder.unlink()
        aside.rename(folder)
    crash = jq(told, 'select(.event == "process.crashed")')[0]
    assert crash["exception"][0]["exc_type"] == "NotADirectoryError"
    assert crash["exception"][0]["frames"]
    assert not [frame for one in crash["exception"] for frame in one["frames"] if frame.get("locals")]
    for word in PLANTED:
        assert word not in everything(told)
    # And cbm up brings the broker back.
    until(lambda: len(jq(told, 'select(.event == "broker.started")')) >= 2, 60, "the broker's return")
    done = told.run("publish", "--as", BORDER, stdin=as_bytes(alert(BORDER)))
    assert (done.status, done.rows[0]["disposition"]) == (0, "accepted"), done.notes
