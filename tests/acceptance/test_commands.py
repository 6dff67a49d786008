"""Every command of `cbm`, as people and scripts call it: what it prints, where, and its exit status."""

import json
import os
import re
import stat
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests import PATIENCE
from tests.acceptance.seaport import BORDER, CBM, CUSTOMS, EXAMPLE, QUARANTINE, ROOT, Done, Seaport, until
from tests.harness import alert, as_bytes, shipment

pytestmark = pytest.mark.timeout(400)


def mine(**attributes: Any) -> dict[str, Any]:
    """A shipment event of customs under a key of its own."""
    key = f"6KR{uuid.uuid4().hex[:12].upper()}"
    content = shipment(CUSTOMS, subject=key, type="shipment.arrived")
    content["data"]["identifiers"] = [{"scheme": "ucr", "value": key}]
    return content | attributes


def publish(seaport: Seaport, content: Any, *arguments: str, agency: str = CUSTOMS) -> Done:
    return seaport.run("publish", "--as", agency, *arguments, stdin=as_bytes(content))


def replayed(seaport: Seaport, agency: str, subject: str) -> list[dict[str, Any]]:
    done = seaport.run("subscribe", "shipment.#", "--as", agency, "--since", "1h", "--timeout", "2")
    assert done.status == 0, done.notes
    return [row for row in done.rows if row["subject"] == subject]


# publish and subscribe


def test_a_published_file_reaches_the_subscriber_as_the_bytes_it_is(seaport: Seaport, tmp_path: Path) -> None:
    content = mine()
    # Blanks that no writer of cbm's would make.
    body = json.dumps(content, separators=(" ,  ", " : ")).encode()
    (tmp_path / "event.json").write_bytes(body)
    listening = seaport.start(
        "subscribe", "shipment.arrived.KR.*", "--as", QUARANTINE, "--count", "1", "--timeout", "30"
    )
    listening.says("listening as kr.quarantine")
    done = seaport.run("publish", tmp_path / "event.json", "--as", CUSTOMS)
    assert (done.status, done.rows[0]["disposition"]) == (0, "accepted"), done.notes
    assert done.rows[0]["of"]["id"] == content["id"]
    assert "accepted: 1 agency receives it" in done.notes
    assert listening.wait() == 0
    assert listening.out.read_bytes() == body + b"\n"


def test_what_the_envelope_lacks_is_filled_in(seaport: Seaport) -> None:
    whole = alert(QUARANTINE, subject="KR-PQ-FILLED")
    done = publish(seaport, {n: whole[n] for n in ("type", "subject", "data")}, agency=QUARANTINE)
    assert (done.status, done.rows[0]["disposition"]) == (0, "accepted"), done.notes
    row = seaport.ledger("select source, subject, traceparent from disposition where id = ?", done.rows[0]["id"])[0]
    assert row[:2] == (QUARANTINE, "KR-PQ-FILLED")
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", row[2])


def test_several_lines_are_several_messages_each_with_its_receipt(seaport: Seaport) -> None:
    events = [mine() for _ in range(3)]
    done = seaport.run("publish", "-", "--as", CUSTOMS, stdin=b"\n".join(map(as_bytes, events)))
    assert done.status == 0, done.notes
    assert [row["id"] for row in done.rows] == [event["id"] for event in events]
    assert {row["disposition"] for row in done.rows} == {"accepted"}


def test_an_invalid_message_is_status_4_with_every_fault_and_nothing_is_sent(seaport: Seaport) -> None:
    good, bad = mine(), mine(tlp="PINK", specversion="0.3")
    bad["data"]["place"] = {"locode": "??"}
    done = seaport.run("publish", "--as", CUSTOMS, stdin=b"\n".join(map(as_bytes, (good, bad))))
    assert done.status == 4
    assert done.out == b""
    assert "message 2 of 2 is invalid, nothing was sent" in done.notes
    for place in ("/tlp:", "/specversion:", "/data/place/locode:"):
        assert place in done.notes
    assert seaport.dispositions(good["id"]) == []


def test_the_broker_itself_names_every_fault_of_what_is_sent_unchecked(seaport: Seaport) -> None:
    bad = mine(tlp="PINK", specversion="0.3")
    done = publish(seaport, bad, "--unchecked")
    assert done.status == 4
    assert done.rows[0]["disposition"] == "refused"
    assert {fault["pointer"] for fault in done.rows[0]["faults"]} == {"/specversion", "/tlp"}
    assert seaport.dispositions(bad["id"]) == ["refused"]


def test_a_message_that_nobody_may_receive_is_status_5(seaport: Seaport) -> None:
    done = publish(seaport, mine(tlp="RED", recipients=BORDER))
    assert done.status == 5
    assert done.rows[0]["disposition"] == "undeliverable"
    assert "no agreement" in done.notes


def test_the_same_again_is_a_duplicate_and_not_delivered_again_and_other_content_a_conflict(seaport: Seaport) -> None:
    content = mine()
    results = [publish(seaport, one) for one in (content, content, content | {"tlp": "GREEN"})]
    assert [(r.status, r.rows[0]["disposition"]) for r in results] == [
        (0, "accepted"),
        (0, "duplicate"),
        (4, "conflict"),
    ]
    assert [row["id"] for row in replayed(seaport, QUARANTINE, content["subject"])] == [content["id"]]


def test_no_wait_ends_at_the_confirm(seaport: Seaport) -> None:
    content = mine()
    done = publish(seaport, content, "--no-wait")
    assert (done.status, done.rows) == (0, [{"id": content["id"], "disposition": None}])
    until(lambda: seaport.dispositions(content["id"]) == ["accepted"], 10, "its acceptance")


def test_a_replay_begins_at_the_moment_asked_for(seaport: Seaport) -> None:
    content = mine()
    assert publish(seaport, content).status == 0
    assert [row["id"] for row in replayed(seaport, QUARANTINE, content["subject"])] == [content["id"]]
    done = seaport.run("subscribe", "--as", QUARANTINE, "--since", "2099-01-01T00:00:00Z", "--timeout", "1.5")
    assert (done.status, done.out) == (0, b"")


def test_too_few_messages_in_time_is_status_8(seaport: Seaport) -> None:
    done = seaport.run("subscribe", "shipment.exited.#", "--as", QUARANTINE, "--count", "1", "--timeout", "1")
    assert (done.status, done.out) == (8, b"")
    assert "fewer than 1 messages within 1 s" in done.notes


def test_a_subscriber_without_limits_goes_on_until_it_is_interrupted(seaport: Seaport) -> None:
    listening = seaport.start("subscribe", "--as", QUARANTINE)
    listening.says("listening as kr.quarantine for #")
    content = mine()
    assert publish(seaport, content).status == 0
    until(lambda: content["id"] in "".join(listening.story), 10, "the delivery")
    assert not listening.ended
    assert listening.end() in (0, 130)
    assert "Traceback" not in listening.text


def test_an_agency_receives_nothing_that_no_agreement_gives_it(seaport: Seaport) -> None:
    content = mine(type="shipment.released")
    assert publish(seaport, content).status == 0
    assert replayed(seaport, QUARANTINE, content["subject"])
    assert not replayed(seaport, BORDER, content["subject"])
    assert not replayed(seaport, CUSTOMS, content["subject"])


# explain


def test_explain_tells_for_every_agency_whether_and_why_and_sends_nothing(seaport: Seaport) -> None:
    content = mine(type="shipment.released")
    done = seaport.run("explain", "--as", CUSTOMS, stdin=as_bytes(content))
    assert done.status == 0, done.notes
    rows = {row["agency"]: row for row in done.rows}
    assert set(rows) == {QUARANTINE, BORDER}
    assert rows[QUARANTINE]["receives"] is True
    assert rows[QUARANTINE]["agreement"] == "declarations-to-quarantine"
    assert rows[QUARANTINE]["legal_basis"] == "Plant Protection Act, art. 12"
    assert rows[BORDER]["receives"] is False
    assert rows[BORDER]["why"]
    assert seaport.dispositions(content["id"]) == []


def test_explain_names_what_stands_in_the_way(seaport: Seaport) -> None:
    done = seaport.run("explain", "--as", CUSTOMS, stdin=as_bytes(mine(tlp="RED", recipients=QUARANTINE)))
    assert done.status == 5
    rows = {row["agency"]: row for row in done.rows}
    assert "declarations-to-quarantine" in rows[QUARANTINE]["why"]
    assert "AMBER+STRICT" in rows[QUARANTINE]["why"]
    assert "not among the recipients" in rows[BORDER]["why"]


def test_explain_of_an_invalid_message_is_status_4_with_every_fault(seaport: Seaport) -> None:
    done = seaport.run("explain", "--as", CUSTOMS, stdin=as_bytes(mine(source=BORDER, time="2099-01-01T00:00:00Z")))
    assert done.status == 4
    assert "/source:" in done.notes
    assert "/time:" in done.notes


# convert


@pytest.mark.parametrize(
    ("document", "format_"),
    [
        ("kr.customs/declaration-plants.xml", "wco-dec"),
        ("kr.quarantine/sps-phytosanitary-plants.xml", "sps-certificate"),
        ("kr.quarantine/cap-pest-interception.xml", "cap"),
        ("kr.border/ens-plants.xml", "ens"),
    ],
)
def test_a_document_is_known_by_its_content_alone(seaport: Seaport, document: str, format_: str) -> None:
    content = (EXAMPLE / "documents" / document).read_bytes()
    done = seaport.run("convert", "--as", document.partition("/")[0], stdin=content)
    assert done.status == 0, done.notes
    assert f"({format_})" in done.notes
    assert {row["data"]["native"]["format"] for row in done.rows} == {format_}
    assert {row["data"]["native"]["size"] for row in done.rows} == {len(content)}


def test_a_message_is_written_in_the_formats_that_agencies_read(seaport: Seaport) -> None:
    done = seaport.run("convert", EXAMPLE / "documents" / BORDER / "cap-radiation-gate.xml", "--as", BORDER)
    event = done.out
    written = seaport.run("convert", "--to", "cap", stdin=event)
    assert written.status == 0, written.notes
    assert b"urn:oasis:names:tc:emergency:cap:1.2" in written.out
    again = seaport.run("convert", "--as", BORDER, stdin=written.out)
    assert again.rows[0]["subject"] == done.rows[0]["subject"]
    assert json.loads(seaport.run("convert", "--to", "cloudevents", stdin=event).out) == done.rows[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the document is empty"),
        (b"hello", "none of the formats looked for"),
        (b"<a><b></a>", "line 1"),
        (b'{"specversion": "1.0"}', "/type"),
    ],
)
def test_what_cannot_be_read_is_status_4_with_place_and_rule(seaport: Seaport, content: bytes, words: str) -> None:
    done = seaport.run("convert", stdin=content)
    assert (done.status, done.out) == (4, b"")
    assert words in done.notes
    assert "Traceback" not in done.notes


def test_a_format_that_is_not_there_is_status_3_with_those_that_are(seaport: Seaport) -> None:
    done = seaport.run("convert", "--to", "edifact", stdin=as_bytes(mine()))
    assert done.status == 3
    assert "wco-res" in done.notes


# check, status, trace


def test_check_prints_who_may_see_what_of_whom(seaport: Seaport) -> None:
    done = seaport.run("check")
    assert done.status == 0, done.notes
    pairs = {(row["from"], row["to"], row["agreement"]) for row in done.rows}
    assert (CUSTOMS, QUARANTINE, "declarations-to-quarantine") in pairs
    assert not [pair for pair in pairs if pair[0] == pair[1]]


def test_check_names_every_fault_at_once(seaport: Seaport, tmp_path: Path) -> None:
    text = (EXAMPLE / "cbm.toml").read_text()
    text = text.replace('to = ["kr.quarantine"]', 'to = ["kr.quarantin"]').replace('sector = "customs"', 'sector = "x"')
    (tmp_path / "cbm.toml").write_text(text.replace('writes = "cap"', 'writes = "cup"'))
    done = seaport.run("check", "--config", tmp_path / "cbm.toml")
    assert done.status == 2
    assert "agency[0].sector" in done.notes
    (tmp_path / "cbm.toml").write_text(text.replace('sector = "x"', 'sector = "customs"'))
    done = seaport.run("check", "--config", tmp_path / "cbm.toml")
    assert "there is no agency kr.quarantin; the nearest known is kr.quarantine" in done.notes


def test_status_shows_queues_and_dispositions_and_ready_says_nothing(seaport: Seaport) -> None:
    assert publish(seaport, mine()).status == 0
    done = seaport.run("status")
    assert done.status == 0, done.notes
    queues = {row["queue"]: row for row in done.rows if "queue" in row}
    assert queues[f"ingress.{CUSTOMS}.shipment"]["consumers"] == 1
    assert queues[f"inbox.{QUARANTINE}.shipment"]["consumers"] == 1
    assert [r for r in done.rows if r.get("disposition") == "accepted" and r["agency"] == CUSTOMS and r["messages"] > 0]
    ready = seaport.run("status", "--ready")
    assert (ready.status, ready.out, ready.notes) == (0, b"", "")


def test_trace_finds_a_message_by_its_id_and_a_consignment_by_its_key(seaport: Seaport) -> None:
    content = mine()
    assert publish(seaport, content).status == 0
    for name in (content["id"], content["subject"]):
        done = seaport.run("trace", name)
        assert done.status == 0, done.notes
        assert [(r["id"], r["disposition"], r["recipients"]) for r in done.rows] == [
            (content["id"], "accepted", {QUARANTINE: "declarations-to-quarantine"})
        ]
    assert seaport.run("trace", "nobody-knows-it").status == 3


# quarantine


def test_a_refused_message_is_looked_at_sent_again_exported_and_discarded(seaport: Seaport, tmp_path: Path) -> None:
    content = mine(tlp="RED", recipients=BORDER)
    assert publish(seaport, content).status == 5
    listed = [row for row in seaport.run("quarantine", "ls").rows if row["id"] == content["id"]]
    assert [(row["agency"], row["reason"]) for row in listed] == [(CUSTOMS, "no-recipient")]
    assert "data" not in listed[0]
    shown = seaport.run("quarantine", "show", content["id"])
    assert json.loads(shown.out)["content"] == content
    exported = seaport.run("quarantine", "export", tmp_path / "out")
    assert exported.status == 0
    bodies = [json.loads(p.read_bytes()) for p in (tmp_path / "out").glob("*[0-9a-f].json")]
    assert content in bodies
    again = seaport.run("quarantine", "resend", content["id"])
    assert again.status == 0, again.notes
    until(lambda: seaport.dispositions(content["id"]) == ["undeliverable"] * 2, 10, "a second decision")
    gone = seaport.run("quarantine", "discard", content["id"], "--reason", "tested")
    assert gone.status == 0, gone.notes
    assert not [row for row in seaport.run("quarantine", "ls").rows if row["id"] == content["id"]]
    assert seaport.run("quarantine", "show", content["id"]).status == 3


# schema, credentials


def test_the_schemas_that_are_exported_are_those_of_the_repository(seaport: Seaport, tmp_path: Path) -> None:
    assert seaport.run("schema", "export", tmp_path / "schemas").status == 0
    kept = {p.name: p.read_bytes() for p in (ROOT / "schemas" / "json").glob("*.json")}
    assert {p.name: p.read_bytes() for p in (tmp_path / "schemas").iterdir()} == kept
    listed = seaport.run("schema", "ls")
    assert {f"{row['name']}.json" for row in listed.rows} == set(kept)
    assert json.loads(seaport.run("schema", "show", "envelope").out) == json.loads(kept["envelope.json"])
    assert seaport.run("schema", "show", "nothing").status == 3


def test_the_credentials_are_an_address_that_works_elsewhere(seaport: Seaport, tmp_path: Path) -> None:
    url = seaport.url(QUARANTINE)
    env = {"CBM_URL": url, "CBM_CONFIG": str(tmp_path / "none.toml")}
    body = as_bytes(alert(QUARANTINE))
    done = seaport.run("publish", "--as", QUARANTINE, stdin=body, env=env)
    assert (done.status, done.rows[0]["disposition"]) == (0, "accepted"), done.notes


def test_passwords_are_files_that_only_their_owner_reads(seaport: Seaport) -> None:
    folder = seaport.state / "credentials"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = list(folder.iterdir())
    assert {CUSTOMS, QUARANTINE, BORDER, "cbm"} <= {p.name for p in files}
    assert {stat.S_IMODE(p.stat().st_mode) for p in files} == {0o600}


def test_credentials_of_an_agency_that_is_not_there_are_status_3_and_of_no_agency_id_status_2(seaport: Seaport) -> None:
    assert seaport.run("credentials", "kr.nobody").status == 3
    assert seaport.run("credentials", "Customs").status == 2


# help, completion, pipes


def test_the_help_of_cbm_lists_every_command_and_the_exit_statuses(seaport: Seaport) -> None:
    text = seaport.run("--help").out.decode()
    for command in ("up", "serve", "adapter", "publish", "subscribe", "explain", "convert", "check", "quarantine"):
        assert re.search(rf"\b{command}\b", text), command
    assert "5 nobody may receive it" in " ".join(text.replace("│", " ").split())


def test_a_usage_error_is_status_2(seaport: Seaport) -> None:
    for arguments in (["nonsense"], ["publish"], ["publish", "--as", "Nobody"], []):
        done = seaport.run(*arguments)
        assert done.status == 2, arguments
        assert "Traceback" not in done.notes


def test_the_shell_completes_commands(seaport: Seaport) -> None:
    script = seaport.run(env={"_CBM_COMPLETE": "source_bash"}).out.decode()
    assert "complete" in script
    assert "cbm" in script
    env = {"_CBM_COMPLETE": "complete_bash", "COMP_WORDS": "cbm sub", "COMP_CWORD": "1"}
    assert seaport.run(env=env).out.decode().split() == ["subscribe"]


def test_a_reader_that_has_enough_is_no_error(seaport: Seaport) -> None:
    assert publish(seaport, mine()).status == 0
    for arguments in (
        ["schema", "show", "envelope"],
        ["check"],
        ["subscribe", "--as", QUARANTINE, "--since", "1h", "--count", "1", "--timeout", "10"],
    ):
        reading, writing = os.pipe()
        os.close(reading)
        try:
            done = subprocess.run(
                [str(CBM), *arguments],
                env=seaport.environment(),
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=subprocess.PIPE,
                timeout=30 * PATIENCE,
                check=False,
            )
        finally:
            os.close(writing)
        assert done.returncode == 0, (arguments, done.stderr)
        assert b"Traceback" not in done.stderr
        assert b"Error" not in done.stderr


def on_a_terminal(seaport: Seaport, *arguments: object) -> str:
    """What a command shows to somebody at a terminal."""
    done = subprocess.run(
        ["script", "-qec", f"{CBM} {' '.join(map(str, arguments))}", "/dev/null"],
        env=seaport.environment(TERM="xterm", COLUMNS="160"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.decode()


def test_on_a_terminal_rows_are_a_table_and_on_a_pipe_json(seaport: Seaport, tmp_path: Path) -> None:
    text = on_a_terminal(seaport, "check")
    for words in ("seen by", "token for /data/parties/*/name", "Plant Protection Act, art. 12", "until 2027-12-31"):
        assert words in text
    assert '{"from"' not in text
    assert seaport.run("check").out.startswith(b'{"from"')
    (tmp_path / "event.json").write_bytes(as_bytes(mine()))
    text = on_a_terminal(seaport, "explain", tmp_path / "event.json", "--as", CUSTOMS)
    for words in ("missing or changed", "declarations-to-quarantine", "Plant Protection Act, art. 12"):
        assert words in text
