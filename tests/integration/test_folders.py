"""An adapter's folder under load: every document is taken, in order, whatever is renamed in meanwhile."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from adapters.folder import Folders
from adapters.runner import Runner
from broker.settings import Adapter
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
            received = await asyncio.wait_for(anext(inbox_of), 10)
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
