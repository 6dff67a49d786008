"""docs/CERTIFICATES.md, word for word: an operator's own RabbitMQ and authorities, set up as the page says."""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker.amqp import Session
from broker.authority import Authority
from broker.client import connect
from broker.credentials import BROKER_USER, Bundle
from broker.ledger import Ledger
from broker.management import Management
from broker.node import PrivateNode, _is_free, free_port
from broker.provision import configured_place, provision
from broker.service import Broker
from broker.settings import Settings, load
from schemas import build
from schemas.errors import NotAuthorised, TransportError
from tests import PATIENCE
from tests.harness import BORDER, CUSTOMS, alert
from tests.integration.conftest import forget_processes
from tests.integration.test_certificates import Forgery

PAGE = (Path(__file__).parent.parent.parent / "docs" / "CERTIFICATES.md").read_text()
AGENCIES = "".join(
    f'[[agency]]\nid = "{agency}"\nname = "A"\nsector = "other"\npublishes = ["alert.*"]\ncertificate_only = true\n'
    for agency in (CUSTOMS, BORDER)
)
AGREEMENT = (
    f'[[agreement]]\nid = "alerts"\nfrom = ["{BORDER}"]\nto = ["{CUSTOMS}"]\ntypes = ["alert.*"]\n'
    'purpose = "early warning"\nlegal_basis = "Border Management Act, art. 3"\n'
)


def block(language: str, beginning: str) -> str:
    """Return the page's block of that language with that first line."""
    found = re.search(rf"```{language}\n({re.escape(beginning)}.*?)```", PAGE, re.DOTALL)
    assert found is not None, beginning
    return found[1]


class OperatorsNode(PrivateNode):
    """RabbitMQ with the page's configuration, in a folder and on ports of the test's own."""

    def __init__(self, folder: Path, server: str) -> None:
        super().__init__(folder, server=server, schedulers=1, tls_names=("localhost",))
        self.tls = folder / "tls"
        self.agencies = Authority(folder / "agencies")
        self.management_port = free_port()
        self.tls.mkdir()
        server_side = Authority(folder / "servers").server(["localhost"])
        for source, name in zip(
            (server_side.authority, server_side.certificate, server_side.key),
            ("server-ca.pem", "server.pem", "server.key"),
            strict=True,
        ):
            shutil.copy(source, self.tls / name)
        mine = Forgery(names=(BROKER_USER,)).write(self.agencies, self.tls)
        shutil.copy(self.agencies.certificate_path, self.tls / "agencies-ca.pem")
        mine.certificate.rename(self.tls / "cbm.pem")
        mine.key.rename(self.tls / "cbm.key")

    def _here(self, text: str) -> str:
        assert self.ports is not None
        at = text.replace("/etc/rabbitmq/tls/crls", str(self.agencies.crl_folder))
        at = at.replace("/etc/rabbitmq/tls", str(self.tls)).replace("15671", str(self.management_port))
        at = re.sub(r"\b5671\b", str(self.ports.amqps), at)
        return at.replace("rabbitmq.example", "localhost")

    def _write_files(self) -> None:
        super()._write_files()
        assert self.ports is not None
        conf = self._here(block("ini", "listeners.tcp = none"))
        conf = conf.replace("listeners.ssl.default = ", "listeners.ssl.default = 127.0.0.1:")
        definitions = self.folder / "definitions.json"
        conf += f"management.ssl.ip = 127.0.0.1\nload_definitions = {definitions}\n"
        conf += "log.console = false\nlog.file = rabbit.log\n"
        (self.folder / "rabbitmq.conf").write_text(conf)
        (self.folder / "advanced.config").write_text(self._here(block("erlang", "[{rabbit")))
        (self.tls / "cbm.password").write_text(self._credentials.get(BROKER_USER))

    async def _answers(self) -> bool:
        if self.ports is None or _is_free(self.ports.amqps):
            return False
        try:
            await self.administration.get("vhosts/cbm")
        except (TransportError, NotAuthorised):
            return False
        return True

    @property
    def administration(self) -> Management:
        """The management API, by TLS alone."""
        password = self._credentials.get(BROKER_USER)
        at = f"https://localhost:{self.management_port}"
        return Management(at, BROKER_USER, password, cafile=str(self.tls / "server-ca.pem"))

    def settings(self, *, password: bool) -> Settings:
        """Read the page's cbm.toml, with agencies added."""
        text = self._here(block("toml", "[rabbitmq]\nurl"))
        if password:
            text += f'management_url = "https://localhost:{self.management_port}"\n'
        else:
            text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("password_file"))
        path = self.folder.parent / "cbm.toml"
        path.write_text(f'[node]\nstate_dir = "state"\n{text}{AGENCIES}{AGREEMENT}')
        return load(path, {})


@pytest.fixture(scope="module")
def operators() -> Iterator[OperatorsNode]:
    folder = Path(tempfile.mkdtemp(prefix="cbm-operators-"))
    node = OperatorsNode(folder, os.environ.get("CBM_TEST_RABBITMQ_SERVER", ""))

    async def start() -> None:
        await node.start()
        settings = node.settings(password=True)
        place = configured_place(settings)
        session = await Session.open(place.url, name="test")
        await provision(settings, place, session)
        await session.close()

    asyncio.run(start())
    forget_processes(node)
    yield node
    asyncio.run(node.kill())
    shutil.rmtree(folder, ignore_errors=True)


def test_nothing_listens_in_plain_text(operators: OperatorsNode) -> None:
    assert operators.ports is not None
    assert _is_free(operators.ports.amqp)
    assert _is_free(operators.ports.management)


@pytest.mark.parametrize("password", [True, False])
async def test_the_broker_serves_with_its_password_or_by_its_certificate_alone(
    operators: OperatorsNode, tmp_path: Path, password: bool
) -> None:
    settings = operators.settings(password=password)
    place = configured_place(settings)
    assert (place.management is not None) is password
    assert (urlsplit(place.url).password is not None) is password
    ledger = Ledger.open(settings)
    broker = Broker(settings, ledger, place)
    task = asyncio.create_task(broker.run())
    try:
        await asyncio.wait_for(broker.serving.wait(), 30 * PATIENCE)
        bundle = operators.agencies.agency(BORDER, tmp_path)
        async with connect(place.certificate_url(BORDER, bundle)) as client:
            receipt = await (await client.publish(build(**alert(BORDER)))).receipt()
            assert (receipt.disposition, receipt.recipients) == ("accepted", 1)
    finally:
        broker.stop()
        await task
        await ledger.close()


async def test_a_withdrawn_certificate_is_kept_out_and_no_password_gets_in(
    operators: OperatorsNode, tmp_path: Path
) -> None:
    place = configured_place(operators.settings(password=True))
    stolen = operators.agencies.agency(CUSTOMS, tmp_path)
    address = place.certificate_url(CUSTOMS, stolen)
    await (await Session.open(address, name="test")).close()
    for password in ("", "guess"):
        with pytest.raises(NotAuthorised):
            await Session.open(address.replace("@", f":{password}@"), name="test")
    assert operators.agencies.withdraw(CUSTOMS) == 1
    with pytest.raises(NotAuthorised, match="another certificate"):
        await Session.open(address, name="test")
    renewed = operators.agencies.agency(CUSTOMS, tmp_path / "next")
    await (await Session.open(place.certificate_url(CUSTOMS, renewed), name="test")).close()


async def test_a_certificate_of_the_servers_authority_is_no_agencys(operators: OperatorsNode, tmp_path: Path) -> None:
    place = configured_place(operators.settings(password=True))
    other = Authority(operators.folder.parent / "servers").agency(CUSTOMS, tmp_path)
    with pytest.raises(NotAuthorised):
        await Session.open(
            place.certificate_url(CUSTOMS, Bundle(other.authority, other.certificate, other.key)), name="t"
        )


async def test_without_a_list_that_is_up_to_date_nobody_gets_in(operators: OperatorsNode, tmp_path: Path) -> None:
    place = configured_place(operators.settings(password=True))
    address = place.certificate_url(BORDER, operators.agencies.agency(BORDER, tmp_path))
    (path,) = operators.agencies.crl_folder.iterdir()
    kept = path.read_bytes()
    issuer = x509.load_pem_x509_certificate(operators.agencies.certificate_path.read_bytes()).subject
    key = serialization.load_pem_private_key((operators.agencies.folder / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    now = datetime.now(UTC)
    ended = x509.CertificateRevocationListBuilder(issuer, now - timedelta(days=2), now - timedelta(days=1))
    for content in (None, ended.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(NotAuthorised):
            await Session.open(address, name="test")
        path.write_bytes(kept)
        await (await Session.open(address, name="test")).close()
