"""Whatever comes in: a clear word naming place and rule, nothing lost, nothing crashed, no secret printed."""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.seaport import AGENCIES, BORDER, CUSTOMS, EXAMPLE, QUARANTINE, Seaport, port, until
from tests.harness import alert, as_bytes, shipment

pytestmark = pytest.mark.timeout(400)


def mounted(folder: Path, size: str) -> bool:
    """Put a small file system at a folder, where this machine lets us."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Two small disks: for the ledger and for an outbox. Empty where they cannot be made."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("ledger", "outbox")}
    made = {name: folder for name, folder in folders.items() if mounted(folder, "2m")}
    yield made if len(made) == len(folders) else {}
    for folder in made.values():
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


@pytest.fixture(scope="module")
def seaport(tmp_path_factory: pytest.TempPathFactory, small: dict[str, Path]) -> Iterator[Seaport]:
    """A port with everything running; the ledger and the outbox of quarantine lie on small disks."""
    changes = {}
    if small:
        changes = {
            '[ledger]\nurl = ""': f'[ledger]\nurl = "sqlite:///{small["ledger"]}/ledger.sqlite"',
            '"agencies/kr.quarantine/outbox"': json.dumps(str(small["outbox"])),
        }
    with port(tmp_path_factory.mktemp("port"), changes=changes) as running:
        running.log = running.up()
        yield running


@pytest.fixture(autouse=True)
def nothing_crashed(seaport: Seaport) -> Iterator[None]:
    """No test of this module may end a process, or make one say that cbm itself is at fault."""
    assert seaport.log is not None
    crashes = ("child.ended", "process.crashed", "process.failed", "message.internal_error")
    before = sum(len(seaport.log.logged(event)) for event in crashes)
    yield
    assert sum(len(seaport.log.logged(event)) for event in crashes) == before


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "'
    + b"&a;" * 50
    + b'"><!ENTITY c "'
    + b"&b;" * 50
    + b'"><!ENTITY d "'
    + b"&c;" * 50
    + b'">]><alert>&d;</alert>'
)
CAP = (EXAMPLE / "documents" / BORDER / "cap-radiation-gate.xml").read_bytes()

# name -> (content, a word that its reason must say)
JUNK: dict[str, tuple[bytes, str]] = {
    "empty.xml": (b"", "empty"),
    "blank.xml": (b" \n\t\n", "empty"),
    "noise.bin": (bytes(range(256)) * 40, "unknown-format"),
    "zeros.bin": (b"\0" * 5000, "unknown-format"),
    "page.html": (b"<!DOCTYPE html><html><body>Not found</body></html>", "the root html"),
    "strict.html": (b'<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0//EN" "x.dtd"><html></html>', "document-type"),
    "paper.pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "unknown-format"),
    "truncated.xml": (CAP[: len(CAP) // 2], "line"),
    "says-utf-16.xml": (b'<?xml version="1.0" encoding="UTF-16"?>' + CAP.partition(b"?>")[2], ""),
    "odd-encoding.xml": (b'<?xml version="1.0" encoding="KLINGON-8"?>' + CAP.partition(b"?>")[2], ""),
    "bomb.xml": (BOMB, "entity"),
    "external.xml": (
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><alert>&x;</alert>',
        "document-type",
    ),
    "remote.xml": (b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><alert/>', "document-type"),
    "deep.xml": (b"<a>" * 1_000_000 + b"</a>" * 1_000_000, ""),
    "other.xml": (b'<?xml version="1.0"?><invoice xmlns="urn:x"><total>1</total></invoice>', "unknown-format"),
    "list.json": (b'[{"specversion": "1.0"}, 7, null]', "/0"),
    "deep.json": (b'{"specversion":"1.0","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}", ""),
    "half.json": (b'{"specversion": "1.0", "id": ', ""),
    "caf\udce9 \u202e\n;rm -rf.xml": (b"<a>", ""),
}


def aged(path: Path) -> None:
    """As if it had been there for a while: a file that young may still be being written."""
    os.utime(path, (time.time() - 60, time.time() - 60), follow_symlinks=False)


def reasons(seaport: Seaport, agency: str) -> dict[str, dict[str, Any]]:
    folder = seaport.of(agency) / "failed"
    found = {}
    for path in folder.glob("*.reason.json"):
        found[path.name.removesuffix(".reason.json")] = json.loads(path.read_text())
    return found


def test_a_folder_full_of_junk_ends_in_failed_each_with_its_reason_and_stops_nothing(
    seaport: Seaport, tmp_path: Path
) -> None:
    inbox, failed = seaport.of(BORDER) / "inbox", seaport.of(BORDER) / "failed"
    for name, (content, _) in JUNK.items():
        path = tmp_path / "x"
        path.write_bytes(content)
        aged(path)
        path.rename(inbox / name)
    # What is no document at all, or not one yet, is not touched.
    (inbox / "folder").mkdir()
    (inbox / "link.xml").symlink_to("/etc/passwd")
    os.mkfifo(inbox / "fifo.xml")
    (inbox / "later.xml.part").write_bytes(CAP[:100])
    (inbox / ".hidden.xml").write_bytes(CAP[:100])
    good = alert(BORDER, subject="KR-AFTER-THE-JUNK")
    seaport.drop(BORDER, "good.json", as_bytes(good))
    until(lambda: seaport.dispositions(good["id"]) == ["accepted"], 60, "the good one behind the junk")
    until(lambda: not set(JUNK) - {p.name for p in failed.iterdir()}, 60, "all junk in failed/")
    found = reasons(seaport, BORDER)
    for name, (content, word) in JUNK.items():
        assert (failed / name).read_bytes() == content, name
        faults = found[name]["faults"]
        assert faults, name
        assert all(fault["code"] and fault["detail"] for fault in faults), name
        assert word.lower() in json.dumps(faults).lower(), (name, faults)
        assert "root:" not in json.dumps(faults)
        assert "internal-error" not in json.dumps(faults), name
    left = {p.name for p in inbox.iterdir()}
    assert left == {"folder", "link.xml", "fifo.xml", "later.xml.part", ".hidden.xml"}


def test_a_document_of_two_gigabytes_is_refused_unread(seaport: Seaport) -> None:
    hidden = seaport.of(CUSTOMS) / "inbox" / ".huge"
    with hidden.open("wb") as file:
        file.truncate(2 * 1024**3)
    aged(hidden)
    began = time.monotonic()
    hidden.rename(hidden.with_name("huge.xml"))
    until(lambda: "huge.xml" in reasons(seaport, CUSTOMS), 30, "its refusal")
    assert time.monotonic() - began < 10
    fault = reasons(seaport, CUSTOMS)["huge.xml"]["faults"][0]
    assert fault["code"] == "too-large"
    assert str(2 * 1024**3) in fault["detail"]


def test_a_document_that_makes_a_refused_message_comes_back_with_the_receipt(seaport: Seaport) -> None:
    event = alert(BORDER, time="2099-01-01T00:00:00Z")
    seaport.drop(BORDER, "ten-years-off.json", as_bytes(event))
    until(lambda: "ten-years-off.json" in reasons(seaport, BORDER), 30, "its return")
    faults = reasons(seaport, BORDER)["ten-years-off.json"]["receipt"]["faults"]
    assert [(fault["code"], fault["pointer"]) for fault in faults] == [("time-ahead", "/time")]
    # The reasons are written first, so that a document is never in `failed` without them.
    failed = seaport.of(BORDER) / "failed" / "ten-years-off.json"
    until(failed.exists, 10, "its move")
    assert failed.read_bytes() == as_bytes(event)


def wrong() -> dict[str, tuple[dict[str, Any], tuple[str, str]]]:
    """name -> (a message, the code and place of its fault)."""
    bare = shipment(CUSTOMS)
    del bare["data"]["identifiers"]
    naive = shipment(CUSTOMS)
    naive["data"]["occurred"] = "2026-03-02T08:30:00"
    return {
        "no CloudEvent": ({"id": str(uuid.uuid4()), "type": "shipment.held"}, ("missing", "/subject")),
        "spec version": (shipment(CUSTOMS, specversion="0.3"), ("", "/specversion")),
        "data schema": (shipment(CUSTOMS, dataschema="urn:cbm:shipment:9"), ("", "/dataschema")),
        "type": (shipment(CUSTOMS, type="shipment.vanished"), ("", "/type")),
        "missing field": (bare, ("missing", "/data/identifiers")),
        "no zone": (naive, ("", "/data/occurred")),
        "clock": (shipment(CUSTOMS, time="2099-01-01T00:00:00Z"), ("time-ahead", "/time")),
        "source": (shipment(BORDER), ("wrong-source", "/source")),
        "unknown body field": (shipment(CUSTOMS) | {"data": shipment()["data"] | {"x": 1}}, ("", "/data/x")),
        "withheld": (shipment(CUSTOMS, withheld="/data"), ("broker-only-attribute", "/withheld")),
        "empty audience": (shipment(CUSTOMS, recipients=""), ("", "/recipients")),
    }


def test_every_kind_of_wrong_message_is_refused_with_place_and_rule_and_kept_in_quarantine(seaport: Seaport) -> None:
    cases = wrong()
    body = b"\n".join(as_bytes(content) for content, _ in cases.values())
    done = seaport.run("publish", "--unchecked", "--as", CUSTOMS, stdin=body)
    receipts = {row["id"]: row for row in done.rows}
    held = {row["id"] for row in seaport.run("quarantine", "ls").rows}
    for name, (content, (code, pointer)) in cases.items():
        receipt = receipts[content["id"]]
        assert receipt["disposition"] in ("refused", "undeliverable"), name
        if receipt["disposition"] == "refused":
            assert [f for f in receipt["faults"] if f["pointer"] == pointer and code in f["code"]], (name, receipt)
        assert content["id"] in held, name
    assert done.status in (4, 5)


@pytest.mark.parametrize("body", [b"not json", b"[1, 2]", b"\xff\xfe\x00", b'{"id": "x", "id": "y"}', b"null"])
def test_what_is_no_json_object_is_status_4_here_and_a_receipt_there(seaport: Seaport, body: bytes) -> None:
    here = seaport.run("publish", "--as", CUSTOMS, stdin=body)
    assert here.status == 4
    assert "[" in here.notes
    there = seaport.run("publish", "--unchecked", "--as", CUSTOMS, stdin=body)
    assert (there.status, there.rows[0]["disposition"]) == (4, "refused"), there.notes


def sized(size: int) -> bytes:
    content = alert(CUSTOMS)
    content["data"]["description"] = ""
    missing = size - len(as_bytes(content))
    content["data"]["description"] = "x" * missing
    body = as_bytes(content)
    assert len(body) == size
    return body


def test_a_mebibyte_and_one_byte_is_too_much_and_said_so_at_every_door(seaport: Seaport) -> None:
    body = sized(1024 * 1024 + 1)
    done = seaport.run("publish", "--as", CUSTOMS, stdin=body)
    assert done.status == 4
    assert "too-large" in done.notes
    done = seaport.run("publish", "--unchecked", "--as", CUSTOMS, stdin=body)
    assert (done.status, done.rows[0]["disposition"]) == (4, "refused")
    assert done.rows[0]["faults"][0]["code"] == "too-large"
    # Far too large: RabbitMQ itself refuses it, before it takes memory.
    done = seaport.run("publish", "--unchecked", "--as", CUSTOMS, stdin=sized(3 * 1024 * 1024), timeout_s=30)
    assert done.status == 4, done.notes
    assert "too-large" in done.notes


def test_a_receipt_that_an_agency_makes_up_is_refused(seaport: Seaport) -> None:
    forged = shipment(CUSTOMS, type="receipt.accepted", dataschema="urn:cbm:receipt:1")
    forged["data"] = {"disposition": "accepted", "of": {"id": "1", "type": "alert.issued"}, "recipients": 3}
    done = seaport.run("publish", "--as", CUSTOMS, stdin=as_bytes(forged), timeout_s=30)
    assert done.status == 4, done.notes
    assert "/type" in done.notes
    done = seaport.run("publish", "--unchecked", "--as", CUSTOMS, stdin=as_bytes(forged), timeout_s=30)
    assert (done.status, done.rows[0]["disposition"]) == (4, "refused"), done.notes
    assert "broker-only-type" in {fault["code"] for fault in done.rows[0]["faults"]}


def fill(folder: Path) -> Path:
    """Fill a small disk to its last byte."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return filler


def test_on_a_full_disk_documents_wait_and_none_is_lost(seaport: Seaport, small: dict[str, Path]) -> None:
    if not small:
        pytest.skip("no small disk can be mounted here")
    assert seaport.log is not None
    filler = fill(small["outbox"])
    events = [alert(BORDER, subject=f"KR-FULL-{n}") for n in range(5)]
    for n, event in enumerate(events):
        seaport.drop(BORDER, f"full-{n}.json", as_bytes(event))
    until(lambda: seaport.log.logged("message.held", agency=QUARANTINE), 30, "a word about the disk")  # type: ignore[union-attr]
    filler.unlink()
    until(lambda: all(any(f"KR-FULL-{n}-" in p.name for p in small["outbox"].iterdir()) for n in range(5)), 30, "all")
    assert not list(small["outbox"].glob(".*")), "no half-written file is left"


def test_while_the_ledger_cannot_write_messages_are_held_and_then_recorded_once(
    seaport: Seaport, small: dict[str, Path]
) -> None:
    if not small:
        pytest.skip("no small disk can be mounted here")
    assert seaport.log is not None
    filler = fill(small["ledger"])
    # Large enough that no free page of the database takes it.
    events = [shipment(CUSTOMS, subject="S" * 200) for _ in range(200)]
    publishing = seaport.folder / "many.ndjson"
    publishing.write_bytes(b"\n".join(map(as_bytes, events)))
    running = seaport.start("publish", publishing, "--as", CUSTOMS, "--no-wait")
    assert running.wait(60) == 0, "RabbitMQ takes them all the same"
    until(lambda: seaport.log.logged("ledger.unavailable"), 30, "a word about the ledger")  # type: ignore[union-attr]
    filler.unlink()
    for event in events:
        until(lambda id_=event["id"]: seaport.dispositions(id_) == ["accepted"], 40, "its record")  # type: ignore[misc]


def test_every_agency_still_gets_what_is_sent_after_all_of_this(seaport: Seaport) -> None:
    for agency in AGENCIES:
        done = seaport.run("publish", "--as", agency, stdin=as_bytes(alert(agency)))
        assert (done.status, done.rows[0]["disposition"], done.rows[0]["recipients"]) == (0, "accepted", 2)
