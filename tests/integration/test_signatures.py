"""Signatures through a real RabbitMQ: refused where they arrive, verified where they are delivered."""

import asyncio
import contextlib
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.runner import Runner
from broker.client import Client, connect
from broker.keys import Keyring, PublicKey, SigningKey
from broker.service import Broker
from broker.settings import Adapter, Settings
from broker.signatures import sign_bytes, verify
from schemas.errors import InvalidMessage
from tests.harness import BORDER, CUSTOMS, NETWORK, QUARANTINE, House, as_bytes, shipment, until
from tests.integration.tools import WAIT_S

KEY, NEXT = SigningKey("2026", bytes(range(32))), SigningKey("2027", bytes(range(1, 33)))
# The days at the edge are what the unit tests look at: here a midnight may pass meanwhile.
TODAY, DAY = datetime.now(UTC).date(), timedelta(days=1)
CBM = Path(sys.executable).with_name("cbm")


def public(key: SigningKey, **term: Any) -> PublicKey:
    return PublicKey(id=key.id, public=key.public, **term)


RING = Keyring({CUSTOMS: [public(KEY)]})


def network(*keys: PublicKey, signatures: str = "required", **more: Any) -> dict[str, Any]:
    """Customs signs; quarantine sees all of its shipments, border not the traders."""
    customs, *others = NETWORK["agency"]
    restricted = NETWORK["agreement"][0] | {
        "id": "customs-to-border",
        "to": [BORDER],
        "withhold": ["/data/parties/*/name"],
        "pseudonymise": ["/data/identifiers/*/value"],
    }
    entry = customs | {"key": [key.model_dump(exclude_none=True) for key in keys], "signatures": signatures}
    return {"agency": [entry, *others], "agreement": [*NETWORK["agreement"], restricted]} | more


def changed(house: House, *keys: PublicKey, **how: Any) -> Settings:
    return Settings.model_validate(house.settings.model_dump(by_alias=True) | network(*keys, **how))


async def started(house: House, *keys: PublicKey, **how: Any) -> Broker:
    return await house.start(changed(house, *keys, **how))


@asynccontextmanager
async def signing(house: House, key: SigningKey, *, by_field: bool = False) -> AsyncIterator[Client]:
    async with connect(house.url(CUSTOMS), signing_key=key, sign_by_field=by_field) as client:
        yield client


def traded(**attributes: Any) -> dict[str, Any]:
    content = shipment(CUSTOMS, **attributes)
    content["data"]["parties"] = [{"role": "importer", "name": "Quokka Trading", "country": "AU"}]
    return content


async def told(client: Client, body: bytes) -> tuple[str, list[tuple[str, str]]]:
    content = json.loads(body)
    receipt = await (await client.publish_bytes(body, content["id"], content["type"])).receipt(WAIT_S)
    return receipt.disposition, [(fault.code, fault.pointer) for fault in receipt.faults or ()]


@pytest.mark.parametrize("by_field", [False, True], ids=["whole", "by field"])
async def test_a_recipient_verifies_what_the_library_signed_and_a_view_only_where_it_is_signed_by_field(
    house: House, by_field: bool
) -> None:
    await started(house, public(KEY))
    async with (
        signing(house, KEY, by_field=by_field) as customs,
        house.client(QUARANTINE) as quarantine,
        house.client(BORDER) as border,
    ):
        content = traded()
        message = customs.compose(content["type"], content["subject"], content["data"], id=content["id"])
        assert (await (await customs.publish(message)).receipt(WAIT_S)).disposition == "accepted"
        assert (await (await customs.publish(message)).receipt(WAIT_S)).disposition == "duplicate"
        whole = await asyncio.wait_for(anext(quarantine.inbox("shipment")), WAIT_S)
        verified = whole.verify(RING)
        assert (verified.sender, verified.key, verified.unsigned) == (CUSTOMS, KEY.id, ())
        sent = json.loads(message.to_bytes())
        assert {name: value for name, value in verified.event.items() if name in sent} == sent
        view = await asyncio.wait_for(anext(border.inbox("shipment")), WAIT_S)
        assert b"uokka" not in view.body
        if by_field:
            verified = view.verify(RING)
            assert set(verified.unsigned) == {"/subject", "/data/identifiers/0/value"}
            assert verified.event["data"]["parties"] == [{"role": "importer", "country": "AU"}]
        else:
            assert b'"signature"' not in view.body
            with pytest.raises(InvalidMessage, match="over the whole"):
                view.verify(RING)
        whole.ack()
        view.ack()


async def test_a_bad_signature_and_a_missing_one_are_refused_with_the_place_and_stand_in_quarantine(
    house: House,
) -> None:
    await started(house, public(KEY))
    async with house.client(CUSTOMS) as customs:
        good = json.loads(sign_bytes(as_bytes(traded()), KEY, by_field=True))
        assert await told(customs, as_bytes(traded())) == ("refused", [("unsigned", "/signature")])
        assert await told(customs, as_bytes(good | {"subject": "OTHER"})) == (
            "refused",
            [("disclosures", "/disclosures")],
        )
        forged = SigningKey(KEY.id, bytes(32))
        bodies = [sign_bytes(as_bytes(traded()), key) for key in (forged, NEXT)]
        assert await told(customs, bodies[0]) == ("refused", [("bad-signature", "/signature")])
        assert await told(customs, bodies[1]) == ("refused", [("unknown-key", "/signature")])
        assert await told(customs, as_bytes(good)) == ("accepted", [])
    assert await house.messages_in("quarantine") == 4
    assert await house.messages_in(f"inbox.{QUARANTINE}.shipment") == 1


async def test_a_key_that_has_ended_verifies_what_came_in_its_term_and_nothing_newer(house: House) -> None:
    broker = await started(house, public(KEY))
    async with house.client(CUSTOMS) as customs, house.client(QUARANTINE) as quarantine:
        assert (await told(customs, sign_bytes(as_bytes(traded(id="old")), KEY)))[0] == "accepted"
        ended = public(KEY, valid_until=TODAY - DAY)
        broker.apply(changed(house, ended, public(NEXT)))
        assert await told(customs, sign_bytes(as_bytes(traded()), KEY)) == ("refused", [("key-term", "/signature")])
        assert (await told(customs, sign_bytes(as_bytes(traded(id="new")), NEXT)))[0] == "accepted"
        found = {}
        async with contextlib.aclosing(quarantine.replay(since=datetime.now(UTC) - timedelta(hours=1))) as log:
            async with asyncio.timeout(WAIT_S):
                async for received in log:
                    found[json.loads(received.body)["id"]] = received
                    if len(found) == 2:
                        break
        ring = Keyring({CUSTOMS: [public(KEY, valid_until=TODAY + DAY), public(NEXT, valid_from=TODAY - DAY)]})
        assert [found[id_].verify(ring).key for id_ in ("old", "new")] == ["2026", "2027"]
        with pytest.raises(InvalidMessage, match="was good until"):
            found["old"].verify(Keyring({CUSTOMS: [ended]}))


async def test_an_adapter_signs_and_what_another_writes_is_verified_as_it_lies_there(
    house: House, tmp_path: Path
) -> None:
    await started(house, public(KEY))
    sends, takes = (
        Adapter(agency=agency, inbox=tmp_path / agency / "in", outbox=tmp_path / agency / "out", poll_s=0.1, **how)
        for agency, how in ((CUSTOMS, {"reads": ("cloudevents",), "sign_by_field": True}), (QUARANTINE, {}))
    )
    async with house.client(CUSTOMS) as customs, house.client(QUARANTINE) as quarantine:
        runners = Runner(house.settings, sends, customs, KEY), Runner(house.settings, takes, quarantine)
        running = [asyncio.create_task(runner.run()) for runner in runners]
        runners[0].folders.make()
        content = as_bytes(traded(id="doc"))
        # Read again, as after a crash, a document makes the same message to the last byte.
        for disposition in ("accepted", "duplicate"):
            (sends.inbox.parent / "event.json").write_bytes(content)
            (sends.inbox.parent / "event.json").rename(sends.inbox / "event.json")

            async def came(wanted: str = disposition) -> bool:
                return any(wanted in path.name for path in runners[0].folders.receipts.glob("*.json"))

            await until(came)

        # Times as this agency writes them, not as cbm would.
        await told(customs, sign_bytes(as_bytes(traded(id="raw")), KEY))

        async def written() -> list[Path]:
            found = list(takes.outbox.glob("*.json"))
            return found if len(found) > 1 else []

        documents = await until(written)
        for runner in runners:
            runner.stop()
        await asyncio.gather(*running)
        assert {verify(one.read_bytes(), RING, at=TODAY).event["id"] for one in documents} == {"doc", "raw"}


async def cbm(*arguments: str | Path, url: str = "", stdin: bytes = b"") -> tuple[int, list[Any], str]:
    """Run the command; its status, what it printed, what it said."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith("CBM_")} | ({"CBM_URL": url} if url else {})
    process = await asyncio.create_subprocess_exec(
        CBM,
        *map(str, arguments),
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(stdin), WAIT_S)
    lines = [json.loads(line) if line.startswith(b"{") else line.decode() for line in out.splitlines()]
    return process.returncode or 0, lines, err.decode()


async def test_people_make_a_key_sign_with_it_and_verify_by_command(house: House, tmp_path: Path) -> None:
    private, file = tmp_path / "customs.jwk", tmp_path / "keys.toml"
    status, lines, notes = await cbm("credentials", CUSTOMS, "--signing-key", private, "--key-id", "desk-1")
    assert status == 0, notes
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    secret = json.loads(private.read_text())["d"]
    assert secret not in "".join(lines) + notes
    assert (await cbm("credentials", CUSTOMS, "--signing-key", private))[0] == 2
    entry = f'[[agency]]\nid = "{CUSTOMS}"\nname = "Customs"\nsector = "customs"\npublishes = ["shipment.*"]\n'
    file.write_text(entry + "\n".join(lines))
    status, _, notes = await cbm("check", "--config", file)
    assert status == 0, notes
    required = tmp_path / "required.toml"
    required.write_text(entry + 'signatures = "required"\n' + "\n".join(lines))
    draft = as_bytes(traded())
    status, _, notes = await cbm("explain", "--as", CUSTOMS, "--config", required, stdin=draft)
    assert (status, "not signed" in notes) == (5, True), notes
    key = SigningKey.read(private)
    await started(house, public(key), signatures="optional")
    customs, border = house.url(CUSTOMS), house.url(BORDER)
    event = tmp_path / "event.json"
    event.write_bytes(as_bytes(traded(id="signed")))
    status, lines, notes = await cbm("publish", event, "--as", CUSTOMS, "--sign", private, "--by-field", url=customs)
    assert (status, lines[0]["disposition"]) == (0, "accepted"), notes
    status, _, notes = await cbm("publish", "--as", CUSTOMS, url=customs, stdin=as_bytes(traded(id="bare")))
    assert status == 0, notes
    listening = ("subscribe", "shipment.#", "--as", BORDER, "--since", "1h", "--verify", "--config", file)
    (good, first, notes), (bad, both, _) = await asyncio.gather(
        *(cbm(*listening, "--count", count, "--timeout", "20", url=border) for count in ("1", "2"))
    )
    assert (good, bad, first) == (0, 4, both[:1]), notes
    assert (first[0]["verified"]["key"], first[0]["event"]["id"]) == ("desk-1", "signed")
    assert set(first[0]["verified"]["unsigned"]) == {"/subject", "/data/identifiers/0/value"}
    assert (both[1]["verified"], both[1]["id"], "event" in both[1]) == (None, "bare", False)
    assert both[1]["faults"][0]["code"] == "unsigned"
    publish = ("publish", "--as", CUSTOMS)
    wrong = await asyncio.gather(
        cbm(*publish, event, "--sign", tmp_path / "none", url=customs),
        cbm(*publish, "--sign", private, url=customs, stdin=sign_bytes(event.read_bytes(), key)),
        cbm(*publish, event, "--by-field", url=customs),
    )
    assert [status for status, _, _ in wrong] == [3, 4, 2]
