"""Documents over HTTP, to a running adapter: the answer holds the receipts, and nothing half-taken stays behind."""

import asyncio
import json
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.intake import Intake
from adapters.runner import Runner
from broker.settings import Adapter, Http
from tests.harness import CUSTOMS, QUARANTINE, House, alert, as_bytes, shipment, until
from tests.integration.tools import limited

TOKEN = "a-token-of-this-test"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@asynccontextmanager
async def adapter(
    house: House, *, limits: dict[str, Any] | None = None, **http: Any
) -> AsyncIterator[tuple[str, Path]]:
    """An adapter that takes documents over HTTP; its address and its inbox."""
    folder = house.folder / "agency"
    entry = Adapter(
        agency=CUSTOMS, reads=("cloudevents", "cap"), inbox=folder / "inbox", outbox=folder / "outbox", poll_s=5,
    )  # fmt: skip
    settings = limited(house.settings, **(limits or {}))
    async with house.client(CUSTOMS) as client:
        runner = Runner(settings, entry, client)
        runner.folders.make()
        wish = Http(**({"listen": "127.0.0.1:0"} | http))
        intake = Intake(wish, runner.limit_bytes, runner.folders, runner.watch, TOKEN, runner.nudge)
        async with intake.listening():
            running = asyncio.create_task(runner.run())
            try:
                yield f"http://127.0.0.1:{intake.port}/documents", folder / "inbox"
            finally:
                runner.stop()
                await running


async def post(url: str, body: Any, **options: Any) -> tuple[int, dict[str, Any]]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, **{"headers": HEADERS, **options}) as got,
    ):
        return got.status, json.loads(await got.read())


async def files(inbox: Path, *, there: bool) -> None:
    async def so() -> bool:
        return bool(list(inbox.iterdir())) is there

    await until(so)


async def test_the_answer_to_a_document_holds_the_receipt_of_each_message(house: House) -> None:
    await house.start()
    events = [shipment(type="shipment.arrived"), shipment(type="shipment.departed")]
    async with adapter(house) as (url, inbox):
        status, told = await post(url, json.dumps(events).encode())
        assert status == 200, told
        assert [one["receipt"]["disposition"] for one in told["messages"]] == ["accepted", "accepted"]
        assert [one["id"] for one in told["messages"]] == [one["id"] for one in events]
        assert told["format"] == "cloudevents"
        again, told = await post(url, json.dumps(events).encode())
        assert (again, {one["receipt"]["disposition"] for one in told["messages"]}) == (200, {"duplicate"})
        assert list(inbox.iterdir()) == []
    assert await house.messages_in(f"inbox.{QUARANTINE}.shipment") == 2


async def test_what_cannot_be_read_or_is_refused_is_told_at_once_with_every_fault(house: House) -> None:
    await house.start()
    async with adapter(house) as (url, inbox):
        status, told = await asyncio.wait_for(post(url, b"<alert xmlns='urn:oasis:names:tc:emergency:cap:1.2'/>"), 10)
        assert status == 422
        assert len(told["faults"]) == 3
        status, told = await post(url, as_bytes(shipment(tlp="RED", recipients="kr.nobody")))
        assert status == 422
        assert told["messages"][0]["receipt"]["disposition"] == "undeliverable"
        status, told = await post(url, b"")
        assert (status, told["faults"][0]["code"]) == (422, "empty")
        assert list(inbox.iterdir()) == []


async def test_nobody_without_the_token_leaves_anything_behind(house: House) -> None:
    await house.start()
    async with adapter(house) as (url, inbox):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": "Bearer ü"}):
            status, told = await post(url, as_bytes(shipment()), headers=headers)
            assert (status, told["faults"][0]["code"]) == (401, "not-authorised")
            assert TOKEN not in json.dumps(told)
        assert list(inbox.iterdir()) == []
    assert await house.messages_in(f"inbox.{QUARANTINE}.shipment") == 0


async def pieces(count: int, size: int = 1000) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


async def test_a_document_beyond_the_limit_is_refused_whether_it_says_its_size_or_not(house: House) -> None:
    await house.start()
    async with adapter(house, limits={"document_bytes": 10_000}) as (url, inbox):
        for body in (b"x" * 10_001, pieces(11)):
            status, told = await post(url, body)
            assert (status, told["faults"][0]["code"]) == (413, "too-large")
        assert list(inbox.iterdir()) == []


async def test_a_sender_that_breaks_off_leaves_nothing_and_others_go_on(house: House) -> None:
    await house.start()
    async with adapter(house) as (url, inbox):
        port = int(url.split(":")[2].split("/")[0])
        cut = socket.create_connection(("127.0.0.1", port))
        head = f"POST /documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 500\r\n\r\n"
        cut.sendall(head.encode() + b"x" * 100)
        await files(inbox, there=True)
        cut.close()
        status, _ = await post(url, as_bytes(shipment()))
        assert status == 200
        await files(inbox, there=False)


async def test_more_documents_at_once_than_the_limit_are_told_to_come_again(house: House) -> None:
    # No broker: the first waits for its receipt.
    async with adapter(house, requests=1, wait_s=2) as (url, _):
        first = asyncio.create_task(post(url, as_bytes(shipment())))
        await asyncio.sleep(0.3)
        status, told = await post(url, as_bytes(alert(CUSTOMS)))
        assert (status, told["faults"][0]["code"]) == (503, "busy")
        status, told = await first
        assert status == 202, "stored; the receipt will come to the receipts folder"
        assert "receipt" not in told["messages"][0]


async def test_a_stop_of_the_adapter_does_not_wait_for_receipts_that_do_not_come(house: House) -> None:
    async with adapter(house, wait_s=60) as (url, _):
        waiting = asyncio.create_task(post(url, as_bytes(shipment())))
        await asyncio.sleep(0.3)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 10
    with pytest.raises(aiohttp.ClientError):
        await waiting


async def test_beyond_this_machine_documents_come_over_tls(house: House, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    await house.start()
    async with adapter(house, certificate=certificate, key=key) as (url, _):
        trust = ssl.create_default_context(cafile=str(certificate))
        status, _ = await post(url.replace("http:", "https:"), as_bytes(shipment()), ssl=trust)
        assert status == 200
        with pytest.raises(aiohttp.ClientError):
            await post(url, as_bytes(shipment()))


def self_signed(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "server.pem", folder / "server.key"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    further = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *further], check=True, capture_output=True)
    return certificate, key
