"""An adapter's folder under load: every document is taken, in order, whatever is renamed in meanwhile."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.folder import Folders
from adapters.runner import Runner
from broker.settings import Adapter
from tests.harness import CUSTOMS, QUARANTINE, House, as_bytes, shipment, until

# `CBM_TEST_DOCUMENTS=10000` for the whole measure; it takes minutes, and a few hundred show the same.
DOCUMENTS = int(os.environ.get("CBM_TEST_DOCUMENTS", "600"))


@asynccontextmanager
async def adapter(house: House) -> AsyncIterator[Folders]:
    """A running adapter of customs."""
    folder = house.folder / "agency"
    entry = Adapter(agency=CUSTOMS, reads=("cloudevents",), inbox=folder / "inbox", outbox=folder / "out", poll_s=0.1)
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
