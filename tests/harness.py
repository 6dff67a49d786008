"""Builds what integration tests stand on: a virtual host, a configuration, brokers in this process, raw clients."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from broker.amqp import Session
from broker.client import Client, connect
from broker.credentials import BROKER_USER, Credentials
from broker.ledger import Ledger
from broker.management import quoted
from broker.node import PrivateNode
from broker.provision import Place, provision
from broker.service import Broker
from broker.settings import Settings
from tests import PATIENCE

CUSTOMS, QUARANTINE, BORDER = "kr.customs", "kr.quarantine", "kr.border"

NETWORK: dict[str, Any] = {
    "agency": [
        {"id": CUSTOMS, "name": "Customs", "sector": "customs", "publishes": ["shipment.*", "alert.*"]},
        {"id": QUARANTINE, "name": "Quarantine", "sector": "quarantine", "publishes": ["shipment.*", "alert.*"]},
        {"id": BORDER, "name": "Border", "sector": "border-security", "publishes": ["alert.*"]},
    ],
    "agreement": [
        {
            "id": "customs-to-quarantine",
            "from": [CUSTOMS],
            "to": [QUARANTINE],
            "types": ["shipment.*"],
            "max_tlp": "RED",
            "purpose": "import health control",
            "legal_basis": "Plant Protection Act, art. 12",
        },
        {
            "id": "alerts",
            "from": [CUSTOMS, QUARANTINE, BORDER],
            "to": [CUSTOMS, QUARANTINE, BORDER],
            "types": ["alert.*"],
            "max_tlp": "AMBER+STRICT",
            "purpose": "early warning",
            "legal_basis": "Border Management Act, art. 3",
        },
    ],
}


def shipment(agency: str = CUSTOMS, **attributes: Any) -> dict[str, Any]:
    """Return a valid shipment event as a plain object."""
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": agency,
        "type": "shipment.held",
        "subject": "6KR12345678",
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
        "dataschema": "urn:cbm:shipment:1",
        "data": {
            "identifiers": [{"scheme": "ucr", "value": "6KR12345678"}],
            "occurred": datetime.now(UTC).isoformat(),
            "place": {"locode": "KRPUS", "country": "KR"},
        },
    } | attributes


def alert(agency: str = BORDER, **attributes: Any) -> dict[str, Any]:
    """Return a valid alert as a plain object."""
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": agency,
        "type": "alert.issued",
        "subject": "KR-BORDER-1",
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
        "dataschema": "urn:cbm:alert:1",
        "data": {
            "status": "Actual",
            "msg_type": "Alert",
            "scope": "Restricted",
            "category": ["CBRNE"],
            "event": "Radiation alarm",
            "urgency": "Immediate",
            "severity": "Severe",
            "certainty": "Observed",
            "place": {"locode": "KRPUS"},
        },
    } | attributes


def as_bytes(content: Any) -> bytes:
    """Write an object as JSON bytes."""
    return json.dumps(content).encode()


class House:
    """One test's virtual host and folder."""

    def __init__(self, node: PrivateNode, folder: Path, vhost: str) -> None:
        self.node, self.folder, self.vhost = node, folder, vhost
        self.settings = Settings.model_validate(
            NETWORK
            | {
                "node": {"name": "test", "state_dir": folder},
                "rabbitmq": {"vhost": vhost},
                "limits": {"retry_min_s": 0.05, "retry_max_s": 0.5},
            }
        )
        self._brokers: list[tuple[Broker, asyncio.Task[None], Ledger]] = []

    @property
    def place(self) -> Place:
        """The session's RabbitMQ, at this test's virtual host."""
        return Place(self.node.url.rpartition("/")[0] + f"/{self.vhost}", self.node.management)

    async def build(self) -> None:
        """Make the virtual host and what stands in it."""
        management = self.node.management
        await management.put(f"vhosts/{quoted(self.vhost)}", {})
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        await management.put(f"permissions/{quoted(self.vhost)}/{BROKER_USER}", everything)
        await self.provision()

    async def provision(self) -> None:
        """Bring the virtual host to what the settings want."""
        # Users are the node's, not the virtual host's: all tests share the passwords.
        shared = Credentials(self.node.folder.parent)
        mine = Credentials(self.folder)
        mine.folder.mkdir(parents=True, exist_ok=True)
        for agency in self.settings.agency:
            (mine.folder / agency.id).write_text(shared.get_or_make(agency.id))
        session = await Session.open(self.place.url, name="test")
        await provision(self.settings, self.place, session)
        await session.close()

    async def tear_down(self) -> None:
        """Stop the brokers and drop the virtual host."""
        for broker, _, _ in list(self._brokers):
            await self.stop(broker)
        await self.node.management.delete(f"vhosts/{quoted(self.vhost)}")

    async def start(self, settings: Settings | None = None) -> Broker:
        """Run a broker in this process; returns when it consumes."""
        settings = settings or self.settings
        ledger = Ledger.open(settings)
        broker = Broker(settings, ledger, self.place)
        task = asyncio.create_task(broker.run())
        self._brokers.append((broker, task, ledger))
        serving = asyncio.create_task(broker.serving.wait())
        await asyncio.wait([serving, task], timeout=30 * PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        assert serving.done(), "the broker did not start"
        return broker

    async def stop(self, broker: Broker) -> None:
        """Stop a broker in order."""
        entry = next(e for e in self._brokers if e[0] is broker)
        self._brokers.remove(entry)
        broker.stop()
        await entry[1]
        await entry[2].close()

    def url(self, agency: str) -> str:
        """The AMQP URL of an agency."""
        return self.place.agency_url(agency, Credentials(self.folder).get(agency))

    @asynccontextmanager
    async def client(self, agency: str) -> AsyncIterator[Client]:
        """A client of the library, as an agency."""
        async with connect(self.url(agency)) as client:
            yield client

    async def messages_in(self, queue: str) -> int:
        """How many messages wait in a queue."""
        session = await Session.open(self.place.url, name="test")
        try:
            return (await (await session.channel()).declare_queue(queue, passive=True))[0]
        finally:
            await session.close()


async def until(condition: Any, timeout_s: float = 15.0) -> Any:
    """Await until an async condition is true, and return what it returned; see `PATIENCE`."""
    deadline = asyncio.get_running_loop().time() + timeout_s * PATIENCE
    while not (result := await condition()):
        assert asyncio.get_running_loop().time() < deadline, "what was waited for did not happen"
        await asyncio.sleep(0.05)
    return result
