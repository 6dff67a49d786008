"""Bringing RabbitMQ to what cbm.toml says, with the management API and without it."""

import json
import stat

import pytest

from broker.amqp import Session
from broker.credentials import Credentials
from broker.management import quoted
from broker.provision import Place, provision
from broker.service import Broker
from broker.settings import Settings
from broker.topology import topology
from schemas import build
from schemas.errors import CbmError, NotAuthorised, Unreachable
from tests.harness import CUSTOMS, QUARANTINE, House, shipment, until
from tests.integration.tools import dispositions


async def test_provisioning_again_changes_nothing(house: House) -> None:
    vhost = quoted(house.vhost)

    async def standing() -> object:
        names = ("exchanges", "queues", "bindings", "policies")
        found = {what: await house.node.management.get(f"{what}/{vhost}") for what in names}
        return {
            what: sorted(
                json.dumps({k: one.get(k) for k in ("name", "source", "destination", "routing_key", "type")})
                for one in rows
            )
            for what, rows in found.items()
        }

    before = await standing()
    await house.provision()
    assert await standing() == before


async def test_what_an_earlier_version_bound_is_taken_away_and_nobody_receives_twice(house: House) -> None:
    session = await Session.open(house.place.url, name="test")
    channel = await session.channel()
    for binding in topology((CUSTOMS, QUARANTINE), house.place.addresses).former:
        bind = channel.bind_queue if binding.to_queue else channel.bind_exchange
        await bind(binding.destination, binding.source, binding.key)
    await session.close()
    await house.start()
    assert await dispositions(house, CUSTOMS, [shipment()]) == ["accepted"]
    assert await house.messages_in(f"inbox.{QUARANTINE}.shipment") == 1
    assert await house.messages_in(f"inbox.{CUSTOMS}.receipt") == 1


async def test_without_the_management_api_queues_are_declared_and_users_left_to_the_administrator(house: House) -> None:
    await house.node.management.delete(f"vhosts/{quoted(house.vhost)}")
    await house.node.management.put(f"vhosts/{quoted(house.vhost)}", {})
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    await house.node.management.put(f"permissions/{quoted(house.vhost)}/cbm", everything)
    session = await Session.open(house.place.url, name="test")
    await provision(house.settings, Place(house.place.url, None), session)
    channel = await session.channel()
    assert await channel.declare_queue(f"inbox.{QUARANTINE}.alert", passive=True) == (0, 0)
    await session.close()

    file = house.folder / "definitions.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    password = (house.folder / "credentials" / CUSTOMS).read_text().strip()
    assert password not in text
    with pytest.raises(NotAuthorised):
        await Session.open(house.url(CUSTOMS), name="test")

    # The administrator imports the file, and the agencies are in.
    await house.node.management.post("definitions", json.loads(text))
    await (await Session.open(house.url(CUSTOMS), name="test")).close()


async def test_a_deleted_feed_is_made_again_and_what_waited_for_it_is_delivered(house: House) -> None:
    broker: Broker = await house.start()
    await house.node.management.delete(f"exchanges/{quoted(house.vhost)}/deliver")
    async with house.client(CUSTOMS) as customs:
        published = await customs.publish(build(**shipment_object()))
        assert (await published.receipt()).disposition == "accepted"
    assert await house.messages_in(f"inbox.{QUARANTINE}.shipment") == 1
    assert broker.serving.is_set()


def shipment_object() -> dict[str, object]:
    """A shipment event for `build`, which takes what JSON holds."""
    return shipment()


@pytest.mark.parametrize("by_administrator", [False, True])
async def test_an_agency_opens_as_many_connections_and_channels_as_it_may_and_no_more(
    house: House, by_administrator: bool
) -> None:
    agency = f"kr.limited{'-a' if by_administrator else ''}"
    entry = {"id": agency, "name": "Limited", "sector": "other"}
    settings = Settings.model_validate(
        {
            "node": {"name": "test", "state_dir": house.folder},
            "rabbitmq": {"vhost": house.vhost},
            "limits": {"connections_per_agency": 2, "channels_per_agency": 3},
            "agency": [entry],
        }
    )
    session = await Session.open(house.place.url, name="test")
    await provision(settings, Place(house.place.url, None) if by_administrator else house.place, session)
    await session.close()
    if by_administrator:
        await house.node.management.post("definitions", json.loads((house.folder / "definitions.json").read_text()))

    address = house.place.agency_url(agency, Credentials(house.folder).get(agency))
    opened = [await Session.open(address, name="test") for _ in range(2)]
    with pytest.raises(Unreachable, match="limit"):
        await Session.open(address, name="test")
    for _ in range(3):
        await opened[0].channel()
    with pytest.raises(CbmError):
        await opened[0].channel()
    # One that ends makes room for another.
    for one in opened:
        await one.close()

    async def again() -> bool:
        try:
            await (await Session.open(address, name="test")).close()
        except Unreachable:
            return False
        return True

    assert await until(again)
