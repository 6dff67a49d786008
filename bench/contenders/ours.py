"""(b) cbm: the broker as `cbm serve` runs it, with its ledger on the disk and its logs as JSON in a file."""

import asyncio
from pathlib import Path
from typing import Any

from bench.job import Clock, Job
from broker import amqp
from broker.ledger import Ledger
from broker.logs import configure
from broker.service import Broker, tune_collector
from broker.settings import load


def _watched(clock: Clock) -> type[amqp.Consumer]:
    """A consumer that tells the clock; all else is the façade's."""

    class Watched(amqp.Consumer):
        _seen = 0

        def _on_message(self, _: Any, method: Any, props: Any, body: bytes) -> None:
            clock.start()
            super()._on_message(_, method, props, body)

        def ack(self, tag: int, *, multiple: bool = False) -> None:
            super().ack(tag, multiple=multiple)
            # One queue holds all messages and each ack is of all up to a tag, so tags count messages.
            clock.settled(tag - self._seen)
            self._seen = tag

    return Watched


async def run(job: Job, clock: Clock) -> None:
    """Serve until the clock has stopped."""
    folder = Path(job.folder)
    amqp.Consumer = _watched(clock)  # type: ignore[misc]
    settings = load(folder / "cbm.toml", {})
    with (folder / "log.ndjson").open("ab") as stream:
        configure(level=settings.logs.level, form="json", stream=stream)
        ledger = Ledger.open(settings)
        tune_collector()
        broker = Broker(settings, ledger, job.place)
        serving = asyncio.create_task(broker.run())
        finished = asyncio.create_task(clock.finished.wait())
        await asyncio.wait([serving, finished], return_when=asyncio.FIRST_COMPLETED)
        broker.stop()
        await serving
        finished.cancel()
        await ledger.close()
