"""An adapter's folder under load: every document is taken, in order, whatever is renamed in meanwhile."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from adapters.folder import Folders
from adapters.runner import Runner
from broker.settings import Adapter
from tests import PATIENCE
from tests.edifact_documents import CARGO_REPORT
from tests.harness import CUSTOMS, QUARANTINE, House, as_bytes, shipment, until

# `CBM_TEST_DOCUMENTS=10000` for the whole measure; it takes minutes, and a few hundred show the same.
DOCUMENTS = int(os.environ.get("CBM_TEST_DOCUMENTS", "600"))


@asynccontextmanager
async def adapter(house: House, **wishes: Any) -> AsyncIterator[Folders]:
    """A running adapter of customs."""
    folder = house.folder / "agency"
    wishes = {"reads": ("cloudevents",), "poll_s": 0.1} | wishes
    entry = Adapter(agency=CUSTOMS, inbox=folder / "inbox", outbox=folder / "out", **wishes)
    async with house.client(CUSTOMS) as client:
        runner = Runner(house.settings, entry, client)
        runner.folders.make()
        running = asyncio.create_task(runner.run())
        try:
            yield runner.folders
        finally:
            runner.stop()
            await running


def drop(folder: Path, number: int) -> None:
    path = folder / f".{number:06}.tmp"
    path.write_bytes(as_bytes(shipment(id=f"n{number:06}", type="shipment.arrived")))
    # Written in this order, renamed in whatever moment: the order is that of the writing.
    os.utime(path, ns=(number * 1_000_000, number * 1_000_000))
    path.rename(folder / f"{number:06}.json")


async def test_a_folder_full_of_documents_is_taken_whole_and_in_order_with_what_comes_meanwhile(house: House) -> None:
    await house.start()
    inbox = house.folder / "agency" / "inbox"
    inbox.mkdir(parents=True)
    first = DOCUMENTS * 2 // 3
    for number in range(first):
        drop(inbox, number)
    async with adapter(house) as folders:
        # The rest while the adapter is in the midst of the first.
        for number in range(first, DOCUMENTS):
            await asyncio.to_thread(drop, folders.inbox, number)

        async def all_taken() -> bool:
            return not list(folders.inbox.iterdir()) and len(list(folders.receipts.iterdir())) == DOCUMENTS

        await until(all_taken, 60 + DOCUMENTS / 10)
        assert not list(folders.failed.iterdir())
    async with house.client(QUARANTINE) as client:
        inbox_of = client.inbox("shipment")
        ids = []
        while len(ids) < DOCUMENTS:
            received = await asyncio.wait_for(anext(inbox_of), 10 * PATIENCE)
            received.ack()
            ids.append(received.message.id)
        await inbox_of.aclose()  # type: ignore[attr-defined]
    assert ids == [f"n{number:06}" for number in range(DOCUMENTS)]


async def test_a_partner_is_answered_by_contrl_and_aperak_where_the_agency_wants_it(house: House) -> None:
    await house.start()
    reads = ("edifact-cuscar",)
    async with adapter(house, reads=reads, acknowledges=True, receipts="edifact-aperak") as folders:
        good, bad = CARGO_REPORT.encode(), CARGO_REPORT.replace("BGM+785+HSL-26-0412+9", "BGM+785+X+??").encode()
        for name, content in (("good.edi", good), ("bad.edi", bad)):
            (folders.inbox / f".{name}").write_bytes(content)
            os.utime(folders.inbox / f".{name}", (1, 1))
            (folders.inbox / f".{name}").rename(folders.inbox / name)

        async def answered() -> bool:
            names = [path.name for path in folders.outbox.iterdir() if not path.name.startswith(".")]
            return sum("-contrl-" in name for name in names) == 2 and sum("-receipt-" in name for name in names) == 2

        await until(answered)
        written = {path.name: path.read_bytes() for path in folders.outbox.iterdir()}
    contrl = [content for name, content in written.items() if "-contrl-" in name]
    assert all(b"+CONTRL:" in content and b"26030109150001" in content for content in contrl)
    # UCI 0083: 8 received, 7 acknowledged, 4 rejected (UNTDID 0083).
    assert sorted(b"UCM+7001+CUSCAR:D:95B:UN+4" in content for content in contrl) == [False, True]
    assert all(b"+APERAK:" in content for name, content in written.items() if "-receipt-accepted-" in name)
    assert [path.name for path in folders.failed.iterdir() if path.suffix == ".edi"] == ["bad.edi"]


async def test_an_email_in_the_folder_is_taken_apart_and_its_document_is_kept_by_its_own_fingerprint(
    house: House,
) -> None:
    await house.start()
    made = EmailMessage()
    made["From"], made["Date"] = "desk@line.example", "Sun, 01 Mar 2026 09:15:00 +0900"
    made.set_content("Dear colleagues, please find our cargo report attached.")
    made.add_attachment(CARGO_REPORT.encode(), maintype="application", subtype="octet-stream", filename="cargo.edi")
    async with adapter(house, reads=("edifact-cuscar",)) as folders:
        (folders.inbox / "1772323.M1P1.mail:2,S").write_bytes(made.as_bytes())

        async def settled() -> bool:
            return not list(folders.inbox.iterdir()) and len(list(folders.receipts.iterdir())) == 2

        await until(settled)
        receipts = [json.loads(path.read_text()) for path in folders.receipts.iterdir()]
        assert {one["receipt"]["disposition"] for one in receipts} == {"accepted"}
        [sha256] = {one["sha256"] for one in receipts}
        assert (folders.kept / sha256[:2] / sha256 / "document").read_bytes() == CARGO_REPORT.encode()
        assert not list(folders.failed.iterdir())
        # The same report once more, by itself: the same messages, so nobody is told twice.
        (folders.inbox / "again.edi").write_bytes(CARGO_REPORT.encode())

        async def again() -> bool:
            return len(list(folders.receipts.iterdir())) == 4

        await until(again)
        assert sum("duplicate" in path.name for path in folders.receipts.iterdir()) == 2


async def test_names_that_are_as_long_as_the_file_system_lets_them_hold_nothing_up(house: House) -> None:
    await house.start()
    async with adapter(house) as folders:
        long = "\u00fc" * 120 + ".json"
        for name, content in ((long, b"{}"), (f"x{long}", as_bytes(shipment(id="n" * 128))), ("b.json", b"{}")):
            (folders.inbox / f".{name[-20:]}").write_bytes(content)
            os.utime(folders.inbox / f".{name[-20:]}", (1, 1))
            (folders.inbox / f".{name[-20:]}").rename(folders.inbox / name)
        other = shipment(id="n" * 127 + "o")
        (folders.inbox / "c.json").write_bytes(as_bytes(other))

        async def taken() -> bool:
            return not list(folders.inbox.iterdir()) and len(list(folders.receipts.iterdir())) == 2

        await until(taken)
        reasons = [json.loads(path.read_text()) for path in folders.failed.glob("*.reason.json")]
        assert {one["document"] for one in reasons} == {long, "b.json"}
        assert {json.loads(path.read_text())["id"] for path in folders.receipts.iterdir()} == {"n" * 128, other["id"]}


async def test_a_file_that_cannot_be_opened_stays_and_the_others_do_not_wait(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.start()
    opened = Path.open

    def closed_to_us(path: Path, *args: Any, **wishes: Any) -> Any:
        if path.name == "a.json":
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **wishes)

    # Whoever runs the tests may be root, whom no file is closed to.
    monkeypatch.setattr(Path, "open", closed_to_us)
    async with adapter(house) as folders:
        drop(folders.inbox, 1)
        (folders.inbox / "000001.json").rename(folders.inbox / "a.json")
        drop(folders.inbox, 2)

        async def second() -> bool:
            return len(list(folders.receipts.iterdir())) == 1

        await until(second)
        assert [path.name for path in folders.inbox.iterdir()] == ["a.json"]
        monkeypatch.undo()

        async def both() -> bool:
            return len(list(folders.receipts.iterdir())) == 2

        await until(both)
