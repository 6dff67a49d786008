"""Client certificates on a real RabbitMQ: who has the right one is its agency; nobody else gets in, or acts as it."""

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker.amqp import Session, properties
from broker.authority import Authority
from broker.client import connect
from broker.credentials import BROKER_USER, Bundle, Credentials
from broker.ledger import Ledger
from broker.management import Management
from broker.node import PrivateNode
from broker.provision import Place, configured_place, provision
from broker.service import Broker
from broker.settings import Agency, Node, RabbitMQ, Settings
from schemas import build
from schemas.errors import NotAuthorised, NotFound, TransportError, Unreachable
from tests import PATIENCE
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
    asyncio.run(private.kill())
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


async def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command as somebody at a terminal does, without the variables of this process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CBM_")}
    command = [sys.executable, "-m", "broker", *map(str, arguments)]
    return await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def configuration(house: House, folder: Path, *, further: str = "") -> Path:
    """Write a configuration of customs alone, on the node with TLS."""
    path = folder / "cbm.toml"
    path.write_text(
        f'[node]\nstate_dir = "{house.node.folder.parent}"\n[rabbitmq]\ntls = true\nvhost = "{house.vhost}"\n'
        f'[[agency]]\nid = "{CUSTOMS}"\nname = "Customs"\nsector = "customs"\n{further}'
    )
    return path


async def refused(address: str) -> None:
    """Under TLS 1.3 a refused client first believes itself let in; RabbitMQ then ends the connection."""
    with pytest.raises(NotAuthorised, match="certificate"):
        await Session.open(address, name="test", timeout_s=10)


@dataclass
class Forgery:
    """What somebody might show: by default a certificate of the node's own authority that is good."""

    names: tuple[str, ...] = (CUSTOMS,)
    alternative: tuple[str, ...] = ()
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH
    begins_days: float = -1
    ends_days: float = 1
    signed_by: str = "the authority"

    def write(self, genuine: Authority, folder: Path) -> Bundle:
        """Write the certificate, its key, and whoever issued it."""
        bundle = Bundle(genuine.certificate_path, folder / "forged.crt", folder / "forged.key")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in self.names])
        issuer, signer, further = subject, key, b""
        if self.signed_by != "itself":
            other = genuine.agency(QUARANTINE, folder)
            if self.signed_by == "the authority":
                other = Bundle(genuine.certificate_path, genuine.certificate_path, genuine.folder / "ca.key")
            else:
                further = other.certificate.read_bytes()
            above = x509.load_pem_x509_certificate(other.certificate.read_bytes())
            loaded = serialization.load_pem_private_key(other.key.read_bytes(), None)
            assert isinstance(loaded, ec.EllipticCurvePrivateKey)
            issuer, signer = above.subject, loaded
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now + timedelta(days=self.begins_days))
            .not_valid_after(now + timedelta(days=self.ends_days))
            .add_extension(x509.ExtendedKeyUsage([self.usage]), critical=False)
        )
        if self.alternative:
            alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in self.alternative])
            builder = builder.add_extension(alternative, critical=False)
        certificate = builder.sign(signer, hashes.SHA256())
        bundle.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + further)
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        bundle.key.write_bytes(key.private_bytes(*form))
        return bundle


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
        "an agency": lambda: Forgery(("localhost",), ("localhost",)).write(ours, tmp_path),
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
    config = configuration(tls_house, tmp_path)
    command = ("credentials", CUSTOMS, "--config", config)
    done = await run(*command, "--certificate", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["ca.crt", f"{CUSTOMS}.crt", f"{CUSTOMS}.key"]
    session = await Session.open(done.stdout.strip(), name="test")
    await session.close()
    # Without a password there is one of its own for processes of this machine.
    configuration(tls_house, tmp_path, further="certificate_only = true\n")
    done = await run(*command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"amqps://{CUSTOMS}@localhost:")
    session = await Session.open(done.stdout.strip(), name="test")
    await session.close()


async def test_without_a_node_that_has_tls_no_certificate_is_written(tls_house: House, tmp_path: Path) -> None:
    config = configuration(tls_house, tmp_path)
    config.write_text(config.read_text().replace(str(tls_house.node.folder.parent), str(tmp_path)))
    done = await run("credentials", CUSTOMS, "--config", config, "--certificate", tmp_path / "out")
    assert (done.returncode, (tmp_path / "out").exists()) == (3, False)


async def test_a_certificate_made_by_hand_is_as_good_where_nothing_is_wrong_with_it(
    tls_house: House, tmp_path: Path
) -> None:
    bundle = Forgery().write(authority(tls_house), tmp_path)
    await (await Session.open(url(tls_house, CUSTOMS, bundle), name="test")).close()


@pytest.mark.parametrize(
    "forgery",
    [
        pytest.param(Forgery(names=(CUSTOMS, QUARANTINE)), id="two common names"),
        pytest.param(Forgery(names=("kr.stranger", CUSTOMS)), id="a stranger's name first"),
        pytest.param(Forgery(names=(CUSTOMS, CUSTOMS)), id="the name twice"),
        pytest.param(Forgery(names=(), alternative=(CUSTOMS,)), id="an alternative name alone"),
        pytest.param(Forgery(names=("kr.stranger",), alternative=(CUSTOMS,)), id="an alternative name besides"),
        pytest.param(Forgery(names=("*",)), id="a wildcard"),
        pytest.param(Forgery(names=("kr.*",)), id="a wildcard of a country"),
        pytest.param(Forgery(names=(CUSTOMS.upper(),)), id="upper case"),
        pytest.param(Forgery(names=(f"{CUSTOMS} ",)), id="a blank after it"),
        pytest.param(Forgery(names=(f"{CUSTOMS}\x00.example",)), id="a NUL after it"),
        pytest.param(Forgery(begins_days=0.5), id="not yet valid"),
        pytest.param(Forgery(ends_days=-0.5), id="not valid any more"),
        pytest.param(Forgery(usage=ExtendedKeyUsageOID.SERVER_AUTH), id="for servers"),
        pytest.param(Forgery(signed_by="itself"), id="signed by itself"),
        pytest.param(Forgery(signed_by="an agency"), id="signed by an agency"),
    ],
)
async def test_nobody_becomes_an_agency_by_a_certificate_that_only_resembles_its_own(
    tls_house: House, tmp_path: Path, forgery: Forgery
) -> None:
    await refused(url(tls_house, CUSTOMS, forgery.write(authority(tls_house), tmp_path)))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_the_listener_speaks_no_tls_below_1_2(tls_house: House, tmp_path: Path) -> None:
    bundle = authority(tls_house).agency(CUSTOMS, tmp_path)
    assert tls_house.node.ports is not None
    port = tls_house.node.ports.amqps

    async def version(highest: ssl.TLSVersion) -> str | None:
        context = ssl.create_default_context(cafile=bundle.authority)
        context.load_cert_chain(bundle.certificate, bundle.key)
        # The oldest need OpenSSL's leave, without which the client's refusal would be what is tested.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, highest
        _, writer = await asyncio.open_connection("localhost", port, ssl=context)
        found: str | None = writer.get_extra_info("ssl_object").version()
        writer.close()
        return found

    assert await version(ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    assert await version(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    with pytest.raises(ssl.SSLError, match=r"(?i)version|protocol"):
        await version(ssl.TLSVersion.TLSv1_1)


async def test_an_agency_with_a_certificate_only_gets_in_by_it_and_by_no_password(
    tls_house: House, tmp_path: Path
) -> None:
    """Not by an empty password either, nor by the one it had before."""
    agency = "kr.sealed"
    entry = {"id": agency, "name": "Sealed", "sector": "other", "publishes": ["alert.*"]}

    async def configured(**further: object) -> str:
        tls_house.settings = Settings.model_validate(
            tls_house.settings.model_dump(by_alias=True, exclude={"agency"})
            | {"agency": [*(a.model_dump() for a in tls_house.settings.agency if a.id != agency), entry | further]}
            | {"rabbitmq": {"vhost": tls_house.vhost, "tls": True}}
        )
        await provision(tls_house.settings, tls_house.place, session)
        return tls_house.place.agency_url(agency, "%s")

    session = await Session.open(tls_house.place.url, name="test")
    address = await configured()
    password = Credentials(tls_house.folder).get(agency)
    await (await Session.open(address.replace("%25s", password), name="test")).close()
    await configured(certificate_only=True)
    await session.close()
    with pytest.raises(NotFound):
        Credentials(tls_house.folder).get(agency)
    for tried in (password, "", "%00", agency):
        with pytest.raises(NotAuthorised):
            await Session.open(address.replace("%25s", tried), name="test")
    bundle = authority(tls_house).agency(agency, tmp_path)
    await (await Session.open(url(tls_house, agency, bundle), name="test")).close()
    await tls_house.node.management.delete(f"users/{agency}")
    await refused(url(tls_house, agency, bundle))


async def test_an_agency_that_leaves_is_cut_off_and_its_certificate_is_not_good_for_who_comes_after(
    tls_house: House, tmp_path: Path
) -> None:
    state = tls_house.node.folder.parent
    stay = tls_house.settings.model_copy(update={"node": Node(name="test", state_dir=state)})
    newcomer = Agency.model_validate({"id": "kr.gone", "name": "Gone", "sector": "other", "publishes": ["alert.*"]})
    come = stay.model_copy(update={"agency": (*stay.agency, newcomer)})
    broker = await Session.open(tls_house.place.url, name="test")
    await provision(come, tls_house.place, broker)
    bundle, own = authority(tls_house).agency("kr.gone", tmp_path), authority(tls_house).local("kr.gone")
    session = await Session.open(url(tls_house, "kr.gone", bundle), name="test")
    await provision(stay, tls_house.place, broker)
    await asyncio.wait_for(session.lost, 15 * PATIENCE)
    await refused(url(tls_house, "kr.gone", bundle))
    assert not own.key.exists()
    await provision(come, tls_house.place, broker)
    await broker.close()
    await refused(url(tls_house, "kr.gone", bundle))
    renewed = authority(tls_house).agency("kr.gone", tmp_path)
    await (await Session.open(url(tls_house, "kr.gone", renewed), name="test")).close()


async def test_nobody_resumes_a_session_past_the_look_at_the_certificate(tls_house: House, tmp_path: Path) -> None:
    """Below TLS 1.3 a resumed session shows none: one withdrawn meanwhile would still let in."""
    bundle = authority(tls_house).agency(CUSTOMS, tmp_path)
    assert tls_house.node.ports is not None
    port = tls_house.node.ports.amqps

    def resumed() -> bool | None:
        context = ssl.create_default_context(cafile=bundle.authority)
        context.load_cert_chain(bundle.certificate, bundle.key)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with context.wrap_socket(socket.create_connection(("localhost", port)), server_hostname="localhost") as first:
            session = first.session
        again = socket.create_connection(("localhost", port))
        with context.wrap_socket(again, server_hostname="localhost", session=session) as second:
            return second.session_reused

    assert await asyncio.to_thread(resumed) is False


async def test_what_was_issued_is_withdrawn_at_once_and_nothing_else_is(tls_house: House, tmp_path: Path) -> None:
    """Without a restart, of who is in already too; the agency's next certificate and others' serve on."""
    others = authority(tls_house).agency(QUARANTINE, tmp_path / "quarantine")
    stolen = authority(tls_house).agency(CUSTOMS, tmp_path / "stolen")
    inside = await Session.open(url(tls_house, CUSTOMS, stolen), name="test")

    async def listed() -> bool:
        found = await tls_house.node.management.get("connections")
        return any(c.get("user") == CUSTOMS for c in found)

    # RabbitMQ closes what it lists, and lists a connection some moments after it was made.
    await until(listed)
    config = configuration(tls_house, tmp_path)
    done = await run("credentials", CUSTOMS, "--config", config, "--withdraw", "--certificate", tmp_path / "next")
    assert done.returncode == 0, done.stderr
    await asyncio.wait_for(inside.lost, 15 * PATIENCE)
    await refused(url(tls_house, CUSTOMS, stolen))
    for address in (done.stdout.strip(), url(tls_house, QUARANTINE, others)):
        await (await Session.open(address, name="test")).close()


@pytest.mark.parametrize(
    ("further", "said"),
    [
        ("verify=verify_none", "always verified"),
        ("server_name_indication=elsewhere.example", "TLS"),
        ("ssl_options={}", "not an AMQP URL"),
    ],
)
async def test_no_url_turns_off_that_the_server_is_checked(
    tls_house: House, tmp_path: Path, further: str, said: str
) -> None:
    address = url(tls_house, CUSTOMS, authority(tls_house).agency(CUSTOMS, tmp_path))
    await (await Session.open(f"{address}&verify=verify_peer&server_name_indication=kr-busan", name="test")).close()
    with pytest.raises(Unreachable, match=said):
        await Session.open(f"{address}&{further}", name="test")


async def test_a_broker_without_a_password_serves_by_its_own_certificate(tls_house: House, tmp_path: Path) -> None:
    """As with a RabbitMQ that an operator runs: amqps:// everywhere, no management API, no password."""
    mine = Forgery(names=(BROKER_USER,)).write(authority(tls_house), tmp_path)
    assert tls_house.node.ports is not None
    files = f"cacertfile={mine.authority}&certfile={mine.certificate}&keyfile={mine.key}"
    at = f"amqps://{BROKER_USER}@localhost:{tls_house.node.ports.amqps}/{tls_house.vhost}?{files}"
    settings = tls_house.settings.model_copy(update={"rabbitmq": RabbitMQ(url=at)})
    place = configured_place(settings)
    ledger = Ledger.open(settings)
    broker = Broker(settings, ledger, place)
    task = asyncio.create_task(broker.run())
    try:
        await asyncio.wait_for(broker.serving.wait(), 30 * PATIENCE)
        bundle = authority(tls_house).agency(BORDER, tmp_path)
        async with connect(place.certificate_url(BORDER, bundle)) as client:
            receipt = await (await client.publish(build(**alert(BORDER)))).receipt()
            assert (receipt.disposition, receipt.recipients) == ("accepted", 2)
    finally:
        broker.stop()
        await task
        await ledger.close()


async def test_the_management_api_is_spoken_to_by_tls_with_who_is_trusted_and_nobody_else(tmp_path: Path) -> None:
    bundle = Authority(tmp_path).server(["localhost"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(bundle.certificate, bundle.key)
    heard = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    try:
        at = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        assert await Management(at, "u", "p", cafile=str(bundle.authority)).get("overview") == {}
        assert len(heard) == 1
        elsewhere = Authority(tmp_path / "elsewhere").server(["localhost"]).authority
        for cafile in ("", str(elsewhere), str(tmp_path / "missing.pem")):
            with pytest.raises(Unreachable):
                await Management(at, "u", "p", cafile=cafile).get("overview")
        assert len(heard) == 1
    finally:
        server.close()
