"""Entitlements on a real RabbitMQ: each agency's own view, and agreements that change while messages are under way."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from broker.amqp import Delivery, Session
from broker.management import quoted
from broker.settings import Settings
from schemas.errors import NotAuthorised
from tests.harness import BORDER, CUSTOMS, NETWORK, QUARANTINE, House, alert, shipment, until
from tests.integration.tools import WAIT_S, collecting, dispositions, flood, logged, said

POLICE = "kr.police"
FOUR: dict[str, Any] = {
    "agency": [*NETWORK["agency"], {"id": POLICE, "name": "Police", "sector": "border-security", "publishes": ["*"]}]
}
# Stands nowhere else in the message, and therefore nowhere in what leaves without it.
SECRET, NAME = "QUOKKA-7391", "Zephyr Plants"


def terms(id_: str, *to: str, **changed: Any) -> dict[str, Any]:
    """An agreement about what customs sends."""
    common = {"from": [CUSTOMS], "types": ["shipment.*"], "max_tlp": "RED", "purpose": "p", "legal_basis": "l"}
    return common | {"id": id_, "to": list(to)} | changed


def network(house: House, *agreements: dict[str, Any], agencies: Any = None) -> Settings:
    """The house's configuration with other agreements, and other agencies if any are given."""
    read = Settings.model_validate({"agency": agencies or FOUR["agency"], "agreement": agreements})
    return house.settings.model_copy(update={"agency": read.agency, "agreement": read.agreement})


def sealed(**attributes: Any) -> dict[str, Any]:
    """A shipment event that says its secret in its body, its id, its subject and wherever else it may."""
    content = shipment(id=f"{SECRET}-{uuid.uuid4().hex[:8]}", subject=SECRET, correlationid=f"re {SECRET}", note=SECRET)
    content["data"] |= {
        "identifiers": [{"scheme": "other", "value": SECRET}],
        "parties": [{"role": "importer", "name": NAME}],
        "goods": [{"item": 1, "hs": "060290", "description": f"roses for {NAME}, seal {SECRET}"}],
    }
    return content | attributes


async def first(house: House, agency: str, kind: str = "shipment", count: int = 1) -> list[Delivery]:
    """What arrived in an agency's inbox, once so much did."""
    async with collecting(house, f"inbox.{agency}.{kind}") as inbox:
        await inbox.until(count)
        return inbox.deliveries


def everything(delivery: Delivery) -> str:
    """All that a recipient can read of a delivery: body, properties, headers, key."""
    return f"{delivery.key} {vars(delivery._properties)} {delivery.body.decode()}"


async def ledger(house: House, *columns: str) -> list[Any]:
    """The ledger's lines, as they are stored."""
    with sqlite3.connect(house.folder / "ledger.sqlite") as connection:
        return connection.execute(f"SELECT {', '.join(columns)} FROM disposition ORDER BY seq").fetchall()


@asynccontextmanager
async def served(house: House, *agreements: dict[str, Any]) -> AsyncIterator[Any]:
    """A broker with four agencies and these agreements."""
    house.settings = network(house, *agreements)
    await house.provision()
    yield await house.start(house.settings)


async def test_each_entitlement_has_its_own_bytes_and_who_is_owed_everything_the_very_bytes_sent(house: House) -> None:
    agreements = (
        terms("whole", QUARANTINE),
        terms("less", BORDER, withhold=["/data/identifiers/*/value"]),
        terms("tokens", POLICE, pseudonymise=["/data/parties/*/name"]),
    )
    async with served(house, *agreements):
        content = sealed()
        # Blanks that no writer of cbm's would make.
        body = json.dumps(content, separators=(" , ", " :  ")).encode()
        assert await dispositions(house, CUSTOMS, [body]) == ["accepted"]
        (whole,), (less,), (tokens,) = [await first(house, agency) for agency in (QUARANTINE, BORDER, POLICE)]
        assert whole.body == body
        assert SECRET.lower() not in everything(less).lower()
        assert NAME in less.body.decode()
        assert json.loads(less.body)["data"]["goods"][0]["description"] == f"roses for {NAME}, seal [withheld]"
        assert NAME not in everything(tokens)
        assert SECRET in tokens.body.decode()
        assert json.loads(tokens.body)["data"]["parties"][0]["name"].startswith("PSN-")
        # What was accepted is kept as it came, whoever sees what of it.
        assert [kept.body for kept in await journalled(house, 1)] == [body]
        # The ledger has keys and outcomes, of nobody's parties or goods.
        assert NAME not in str(await ledger(house, "*"))


async def journalled(house: House, count: int) -> list[Delivery]:
    """What the journal holds, from its first message on."""
    session = await Session.open(house.place.url, name="test")
    try:
        consumer = await session.consumer("journal", prefetch=100, arguments={"x-stream-offset": "first"})
        found: list[Delivery] = []
        async with asyncio.timeout(WAIT_S):
            while len(found) < count:
                found += await consumer.batch(100)
        return found
    finally:
        await session.close()


async def test_what_is_withheld_stands_in_no_property_header_key_or_receipt_of_a_recipient(house: House) -> None:
    withhold = ["/data/identifiers/*/value", "/data/place/locode", "/data/place/country"]
    async with served(house, terms("less", BORDER, QUARANTINE, withhold=withhold)):
        content = sealed(traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01")
        assert await dispositions(house, CUSTOMS, [content]) == ["accepted"]
        seen = [(await first(house, agency))[0] for agency in (BORDER, QUARANTINE)]
        for delivery in seen:
            told = everything(delivery).upper()
            assert not [word for word in (SECRET, "KRPUS", BORDER.upper(), QUARANTINE.upper()) if word in told]
            event = json.loads(delivery.body)
            assert delivery.message_id == event["id"] != content["id"]
            assert delivery._properties.correlation_id == event["correlationid"] != content["correlationid"]
            assert delivery.key == "shipment.held.-.-"
        # Both may see the same, so both have the same bytes under the same id.
        assert len({(delivery.body, delivery.message_id) for delivery in seen}) == 1
        for agency in (BORDER, QUARANTINE, POLICE):
            assert await house.messages_in(f"inbox.{agency}.receipt") == 0
        assert await house.messages_in(f"inbox.{POLICE}.shipment") == 0


async def test_recipients_with_the_same_entitlement_share_one_publish(house: House) -> None:
    withhold = {"withhold": ["/data/parties/*/name"]}
    agreements = (terms("a", QUARANTINE, **withhold), terms("b", BORDER, **withhold), terms("c", POLICE))
    async with served(house, *agreements):
        before = await journalled_and_delivered(house)
        assert await dispositions(house, CUSTOMS, [sealed() for _ in range(5)]) == ["accepted"] * 5
        await first(house, QUARANTINE, count=5)
        # One for two, one for the third with the journal's copy, and the receipt.
        await until(lambda: counted(house, before + 5 * 3))


async def journalled_and_delivered(house: House) -> int:
    """How many messages were published to the exchange that delivers."""
    found = await house.node.management.get(f"exchanges/{house.vhost}/deliver")
    return int(found.get("message_stats", {}).get("publish_in", 0))


async def counted(house: House, wanted: int) -> bool:
    count = await journalled_and_delivered(house)
    assert count <= wanted
    return count == wanted


async def test_tokens_join_an_agencys_own_messages_and_never_two_agencies(house: House) -> None:
    async with served(house, terms("tokens", BORDER, POLICE, pseudonymise=["/data/parties/*/name"])):
        assert await dispositions(house, CUSTOMS, [sealed(), sealed()]) == ["accepted"] * 2

        async def tokens(agency: str) -> set[str]:
            return {json.loads(one.body)["data"]["parties"][0]["name"] for one in await first(house, agency, count=2)}

        one, other = await tokens(BORDER), await tokens(POLICE)
        assert len(one) == len(other) == 1
        assert one != other


async def test_what_waits_while_the_ledger_is_away_is_not_delivered_under_an_agreement_withdrawn_meanwhile(
    house: House,
) -> None:
    withdrawn, staying = terms("withdrawn", BORDER), terms("staying", QUARANTINE)
    async with served(house, withdrawn, staying) as broker:
        assert await dispositions(house, CUSTOMS, [shipment(id="before")]) == ["accepted"]
        old = broker.agreements_version
        connection = sqlite3.connect(house.folder / "ledger.sqlite", isolation_level=None)
        connection.execute("ALTER TABLE disposition RENAME TO away")
        async with logged() as entries:
            await flood(house, CUSTOMS, "shipment", [shipment(id=f"w{number}") for number in range(20)])
            await until(said(entries, "ledger.unavailable"))
            broker.apply(network(house, staying))
            connection.execute("ALTER TABLE away RENAME TO disposition")
        connection.close()
        assert len(await first(house, QUARANTINE, count=21)) == 21
        assert await dispositions(house, CUSTOMS, [shipment(id="after")]) == ["accepted"]
        assert [one.message_id for one in await first(house, BORDER)] == ["before"]
        assert await house.messages_in(f"inbox.{BORDER}.shipment") == 0
        # Each line of the ledger says by which version it was decided.
        new = broker.agreements_version
        expected = [("before", old)] + [(f"w{number}", new) for number in range(20)] + [("after", new)]
        assert await ledger(house, "id", "agreements") == expected


async def test_what_waits_for_a_full_queue_is_decided_anew_when_the_agreements_change(house: House) -> None:
    withdrawn, staying = terms("withdrawn", BORDER), terms("staying", QUARANTINE)
    async with served(house, withdrawn, staying) as broker:
        # An operator's policy of his own may make an inbox refuse; what agencies make of theirs cannot.
        policy = f"policies/{quoted(house.vhost)}/full"
        what = {"max-length": 1, "overflow": "reject-publish"}
        wish = {"pattern": rf"^inbox\.{BORDER}\.shipment$", "definition": what, "priority": 9, "apply-to": "queues"}
        await house.node.management.put(policy, wish)
        inbox_of = f"queues/{quoted(house.vhost)}/inbox.{BORDER}.shipment"

        async def in_force() -> bool:
            return bool((await house.node.management.get(inbox_of)).get("policy") == "full")

        await until(in_force)
        async with logged() as entries:
            sent = await flood(house, CUSTOMS, "shipment", [shipment(id=f"w{number}") for number in range(600)])
            await until(said(entries, "message.held"))
            broker.apply(network(house, staying))
            async with collecting(house, f"inbox.{QUARANTINE}.shipment") as inbox:
                await inbox.until_ids(sent)
            await until(lambda: recorded(house, set(sent)))
        rows = await ledger(house, "id", "recipients", "agreements")
        anew = {id_: json.loads(to) for id_, to, version in rows if version == broker.agreements_version}
        assert anew
        assert all(to == {QUARANTINE: "staying"} for to in anew.values())
        # With room again, nothing comes any more.
        await house.node.management.delete(policy)
        waiting = await house.messages_in(f"inbox.{BORDER}.shipment")
        assert await dispositions(house, CUSTOMS, [shipment(id="after")]) == ["accepted"]
        assert await house.messages_in(f"inbox.{BORDER}.shipment") == waiting < len(sent)


async def recorded(house: House, ids: set[str]) -> bool:
    return ids <= {id_ for (id_,) in await ledger(house, "id")}


async def test_a_batch_is_decided_by_one_version_while_agreements_change_all_the_time(house: House) -> None:
    one, other = terms("one", QUARANTINE), terms("other", QUARANTINE, withhold=["/data/parties/*/name"])
    async with served(house, one) as broker:
        settings = [network(house, one), network(house, other)]
        versions = {broker.agreements_version: "one"}
        broker.apply(settings[1])
        versions[broker.agreements_version] = "other"
        sent = [sealed(sequence=number) for number in range(600)]

        async def change() -> None:
            turn = 0
            while True:
                broker.apply(settings[turn % 2])
                turn += 1
                await asyncio.sleep(0.01)

        changing = asyncio.create_task(change())
        await flood(house, CUSTOMS, "shipment", sent)
        deliveries = await first(house, QUARANTINE, count=len(sent))
        await until(lambda: recorded(house, {content["id"] for content in sent}))
        changing.cancel()
        rows = {
            id_: (version, json.loads(to)) for id_, version, to in await ledger(house, "id", "agreements", "recipients")
        }
        decided_by = set()
        for content, delivery in zip(sent, deliveries, strict=True):
            version, recipients = rows[content["id"]]
            assert recipients == {QUARANTINE: versions[version]}
            assert (NAME in delivery.body.decode()) == (versions[version] == "one")
            decided_by.add(versions[version])
        assert decided_by == {"one", "other"}


async def test_agencies_come_and_go_on_a_reload_and_what_waits_for_them_stays(house: House) -> None:
    everybody = terms("all", QUARANTINE, BORDER)
    async with served(house, everybody) as broker:
        assert await dispositions(house, CUSTOMS, [shipment(id="before")]) == ["accepted"]
        police_url = house.url(POLICE)
        connected = await Session.open(police_url, name="police")
        new = {"id": "kr.coastguard", "name": "Coast guard", "sector": "other", "publishes": ["alert.*"]}
        agencies = [one for one in FOUR["agency"] if one["id"] not in (POLICE, BORDER)] + [new]
        async with logged() as entries:
            broker.apply(network(house, terms("all", QUARANTINE, new["id"]), agencies=agencies))
            await until(said(entries, "broker.started"))
            parked = [entry for entry in entries if entry["event"] == "agency.parked"]
        assert {entry["agency"] for entry in parked} == {POLICE, BORDER}
        await asyncio.wait_for(asyncio.shield(connected.lost), WAIT_S)
        with pytest.raises(NotAuthorised):
            await Session.open(police_url, name="police")
        assert await dispositions(house, CUSTOMS, [shipment(id="after")]) == ["accepted"]
        assert await house.messages_in(f"inbox.{BORDER}.shipment") == 1
        async with house.client(new["id"]) as client:
            received = await asyncio.wait_for(anext(client.inbox("shipment")), WAIT_S)
            assert received.message.id == "after"
            received.ack()
        assert await dispositions(house, new["id"], [alert(new["id"])]) == ["undeliverable"]
        # It comes back: its own password is a new one, and what waited is there.
        async with logged() as entries:
            broker.apply(network(house, everybody))
            await until(said(entries, "broker.started"))
        async with house.client(BORDER) as client:
            received = await asyncio.wait_for(anext(client.inbox("shipment")), WAIT_S)
            assert received.message.id == "before"


async def test_a_faulty_file_changes_nothing_at_all_and_says_why_and_a_right_one_all_of_it(house: House) -> None:
    config, agreements = house.folder / "cbm.toml", house.folder / "agreements"
    agreements.mkdir()
    write_toml(config, house, FOUR["agency"])
    write_agreements(agreements / "mine.toml", terms("whole", QUARANTINE))
    async with serving(house, config) as (pid, log):
        assert await dispositions(house, CUSTOMS, [shipment()]) == ["accepted"]
        right = (house.folder / "broker.json").read_text()

        # One file is right and gives more, the other has two faults: nothing of either counts.
        write_agreements(agreements / "more.toml", terms("more", BORDER))
        write_agreements(agreements / "wrong.toml", terms("wrong", "kr.polise", withhold=["/data/goods/*/prise"]))
        done = await cbm(house, "reload", config)
        assert done.returncode == 2, done.stderr
        for words in ("agreements/wrong.toml: agreement[0].to", "kr.police", "/data/goods/*/prise is no field"):
            assert words in " ".join(done.stderr.decode().split())
        os.kill(pid, signal.SIGHUP)
        await until(lambda: event(log, "agreements.refused"))
        (refused,) = await event(log, "agreements.refused")
        assert any("kr.polise" in fault for fault in refused["faults"])
        assert any("agreements/wrong.toml: agreement[0].withhold" in fault for fault in refused["faults"])
        assert (house.folder / "broker.json").read_text() == right
        assert await dispositions(house, CUSTOMS, [shipment()]) == ["accepted"]
        assert await house.messages_in(f"inbox.{BORDER}.shipment") == 0

        (agreements / "wrong.toml").unlink()
        done = await cbm(house, "reload", config)
        assert done.returncode == 0, done.stderr
        assert (house.folder / "broker.json").read_text() != right
        assert await dispositions(house, CUSTOMS, [shipment()]) == ["accepted"]
        assert await house.messages_in(f"inbox.{BORDER}.shipment") == 1
        assert await house.messages_in(f"inbox.{QUARANTINE}.shipment") == 3
        versions = [version for (version,) in await ledger(house, "agreements")]
        assert versions[0] == versions[1] == json.loads(right)["agreements"] != versions[2]


def write_toml(path: Path, house: House, agencies: list[dict[str, Any]]) -> None:
    """Write a cbm.toml over the house's RabbitMQ."""
    url = house.place.url
    where = url.rpartition("@")[2].partition("/")[0]
    lines = [f"[node]\nname = 'test'\nstate_dir = {json.dumps(str(house.folder))}"]
    management = house.node.management
    lines.append(
        f"[rabbitmq]\nurl = 'amqp://cbm@{where}'\nvhost = '{house.vhost}'\nmanagement_url = '{management.url}'"
    )
    lines += ["[[agency]]\n" + pairs(agency) for agency in agencies]
    path.write_text("\n".join(lines))


def write_agreements(path: Path, *agreements: dict[str, Any]) -> None:
    """Write a file of agreements."""
    path.write_text("\n".join("[[agreement]]\n" + pairs(one) for one in agreements))


def pairs(table: dict[str, Any]) -> str:
    # Strings and lists of strings are spelt alike in JSON and TOML.
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items())


def environment(house: House) -> dict[str, str]:
    password = house.place.url.partition("://")[2].partition("@")[0].partition(":")[2]
    return os.environ | {"CBM_RABBITMQ__PASSWORD": password}


@asynccontextmanager
async def serving(house: House, config: Path) -> AsyncIterator[tuple[int, Path]]:
    """Run `cbm serve`, once it consumes; its process id and log."""
    log = house.folder / "serve.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "broker", "serve", "--config", str(config)), env=environment(house), stdout=out
        )
    try:
        await until(lambda: event(log, "broker.started"), WAIT_S)
        yield process.pid, log
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), WAIT_S)


async def event(log: Path, name: str) -> list[dict[str, Any]]:
    """The lines of a log with an event."""
    lines = [json.loads(line) for line in log.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    return [line for line in lines if line["event"] == name]


async def cbm(house: House, command: str, config: Path) -> "subprocess.CompletedProcess[bytes]":
    """Run a command of `cbm` to its end."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "broker", command, "--config", str(config)],
        env=environment(house),
        capture_output=True,
        timeout=WAIT_S,
    )
