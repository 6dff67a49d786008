"""Client certificates on a real RabbitMQ: who has the right one is its agency; nobody else gets in, or acts as it."""

import asyncio
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.amqp import Session, properties
from broker.authority import Authority, Bundle
from broker.client import connect
from broker.node import PrivateNode
from broker.provision import Place
from schemas import build
from schemas.errors import NotAuthorised, TransportError, Unreachable
from tests.harness import BORDER, CUSTOMS, QUARANTINE, House, alert, until
from tests.integration.conftest import forget_processes

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def tls_node() -> Iterator[PrivateNode]:
    """A node that takes client certificates."""
    folder = Path(tempfile.mkdtemp(prefix="cbm-tls-"))
    server = os.environ.get("CBM_TEST_RABBITMQ_SERVER", "")
    private = PrivateNode(folder, server=server, schedulers=1, tls_names=("localhost", "127.0.0.1", "kr-busan"))
    asyncio.run(private.start())
    forget_processes(private)
    yield private
    asyncio.run(private.stop())
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def tls_house(tls_node: PrivateNode, tmp_path: Path) -> AsyncIterator[House]:
    house = House(tls_node, tmp_path, f"t{uuid.uuid4().hex[:12]}")
    await house.build()
    yield house
    await house.tear_down()


def authority(house: House, age: timedelta = timedelta()) -> Authority:
    return Authority(house.node.folder.parent, clock=lambda: datetime.now(UTC) - age)


def url(house: House, agency: str, bundle: Bundle) -> str:
    assert house.node.ports is not None
    return Place(house.place.url, None, house.node.ports.amqps).certificate_url(agency, bundle)


async def refused(address: str) -> None:
    """Under TLS 1.3 a refused client first believes itself let in; RabbitMQ then ends the connection."""
    with pytest.raises(NotAuthorised, match="certificate"):
        await Session.open(address, name="test", timeout_s=10)


async def test_with_its_certificate_an_agency_publishes_and_receives_as_itself(
    tls_house: House, tmp_path: Path
) -> None:
    await tls_house.start()
    bundle = authority(tls_house).agency(BORDER, tmp_path / "border")
    async with connect(url(tls_house, BORDER, bundle)) as client:
        assert client.agency == BORDER
        receipt = await (await client.publish(build(**alert(BORDER)))).receipt()
        assert (receipt.disposition, receipt.recipients) == ("accepted", 2)

        async def listed() -> set[tuple[str, str]]:
            found = await tls_house.node.management.get("connections")
            ours = (c for c in found if c.get("vhost") == tls_house.vhost and c.get("ssl"))
            return {(c["user"], c["auth_mechanism"]) for c in ours}

        assert await until(listed) == {(BORDER, "EXTERNAL")}


async def test_another_authoritys_certificate_of_that_name_does_not_get_in(tls_house: House, tmp_path: Path) -> None:
    forged = Authority(tmp_path / "elsewhere").agency(CUSTOMS, tmp_path / "forged")
    genuine = authority(tls_house).certificate_path
    await refused(url(tls_house, CUSTOMS, Bundle(genuine, forged.certificate, forged.key)))


async def test_a_certificate_whose_term_is_over_does_not_get_in(tls_house: House, tmp_path: Path) -> None:
    bundle = authority(tls_house, age=timedelta(days=40)).agency(CUSTOMS, tmp_path / "old", days=30)
    await refused(url(tls_house, CUSTOMS, bundle))


async def test_without_a_certificate_not_even_the_right_password_gets_in_by_tls(tls_house: House) -> None:
    assert tls_house.node.ports is not None
    plain = tls_house.url(CUSTOMS)
    address = plain.replace("amqp://", "amqps://").replace("127.0.0.1", "localhost")
    address = address.replace(f":{tls_house.node.ports.amqp}/", f":{tls_house.node.ports.amqps}/")
    await refused(f"{address}?cacertfile={authority(tls_house).certificate_path}")
    await (await Session.open(plain, name="test")).close()


async def test_another_agencys_certificate_cannot_act_as_this_agency(tls_house: House, tmp_path: Path) -> None:
    bundle = authority(tls_house).agency(QUARANTINE, tmp_path / "quarantine")
    # The URL says customs; RabbitMQ goes by the certificate.
    session = await Session.open(url(tls_house, CUSTOMS, bundle), name="test")
    try:
        for exchange, user in ((f"in.{CUSTOMS}", None), (f"in.{QUARANTINE}", CUSTOMS)):
            publisher = await session.publisher()
            props = properties(content_type="application/json", user_id=user)
            with pytest.raises((NotAuthorised, TransportError), match=r"403|ACCESS_REFUSED|406|user_id"):
                await publisher.publish_confirmed(exchange, "alert", b"{}", props, 10)
        with pytest.raises(NotAuthorised):
            await session.consumer(f"inbox.{CUSTOMS}.alert", prefetch=1)
    finally:
        await session.close()


async def test_a_certificate_of_nobody_in_the_configuration_does_not_get_in(tls_house: House, tmp_path: Path) -> None:
    bundle = authority(tls_house).agency("kr.stranger", tmp_path / "stranger")
    with pytest.raises(NotAuthorised, match="certificate"):
        await Session.open(url(tls_house, "kr.stranger", bundle), name="test")


async def test_the_plain_listener_takes_no_certificate_for_a_password(tls_house: House, tmp_path: Path) -> None:
    bundle = authority(tls_house).agency(CUSTOMS, tmp_path / "customs")
    assert tls_house.node.ports is not None
    address = url(tls_house, CUSTOMS, bundle).replace(
        f":{tls_house.node.ports.amqps}/", f":{tls_house.node.ports.amqp}/"
    )
    with pytest.raises(Unreachable):
        await Session.open(address, name="test", timeout_s=5)


@pytest.mark.parametrize("impostor", ["another authority", "another name", "an agency"])
async def test_a_client_speaks_to_no_server_but_the_one_it_asked_for(tmp_path: Path, impostor: str) -> None:
    """The certificate of an agency, or of a host of another name, must not do for RabbitMQ's."""
    ours = Authority(tmp_path / "ours")
    mine = ours.agency(CUSTOMS, tmp_path / "mine")
    shown = {
        "another authority": lambda: Authority(tmp_path / "theirs").server(["localhost"]),
        "another name": lambda: ours.server(["elsewhere.example"]),
        "an agency": lambda: ours.agency("localhost", tmp_path / "posing"),
    }[impostor]()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(shown.certificate, shown.key)
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context)
    try:
        port = server.sockets[0].getsockname()[1]
        address = Place("amqp://x:y@127.0.0.1/cbm", None, port).certificate_url(CUSTOMS, mine)
        with pytest.raises(Unreachable, match="TLS"):
            await Session.open(address, name="test", timeout_s=10)
    finally:
        server.close()
    assert not heard


async def test_a_key_that_cannot_be_read_is_named_as_such_and_nothing_of_the_url_is_told(tmp_path: Path) -> None:
    bundle = Authority(tmp_path).agency(CUSTOMS, tmp_path / "mine")
    address = Place("amqp://x:y@127.0.0.1/cbm", None, 5671).certificate_url(CUSTOMS, bundle)
    bundle.key.write_text("no key")
    for broken in (address, address.replace("customs.crt", "missing.crt"), address.replace("amqps:", "amqp:")):
        with pytest.raises(Unreachable, match="certificate") as caught:
            await Session.open(broken, name="test")
        assert str(tmp_path) not in str(caught.value)


async def test_the_command_writes_a_certificate_by_which_one_gets_in(tls_house: House, tmp_path: Path) -> None:
    state = tls_house.node.folder.parent
    config = tmp_path / "cbm.toml"
    config.write_text(
        f'[node]\nstate_dir = "{state}"\n[rabbitmq]\ntls = true\nvhost = "{tls_house.vhost}"\n'
        f'[[agency]]\nid = "{CUSTOMS}"\nname = "Customs"\nsector = "customs"\n'
    )
    command = [sys.executable, "-m", "broker", "credentials", CUSTOMS, "--config", str(config), "--certificate"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CBM_")}
    done = await asyncio.to_thread(
        subprocess.run, [*command, str(tmp_path / "out")], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["ca.crt", f"{CUSTOMS}.crt", f"{CUSTOMS}.key"]
    session = await Session.open(done.stdout.strip(), name="test")
    await session.close()
    config.write_text(config.read_text().replace("tls = true", "tls = false"))
    (tmp_path / "fresh").mkdir()
    fresh = config.read_text().replace(str(state), str(tmp_path / "fresh"))
    config.write_text(fresh)
    done = await asyncio.to_thread(
        subprocess.run, [*command, str(tmp_path / "more")], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, (tmp_path / "more").exists()) == (3, False)
