"""What the adapters add to the command line: `cbm adapter`, `cbm codes`; and their part of `cbm check`."""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from adapters.codelists import CODES_FOLDER, NAMES, import_list, keep, kept
from adapters.conversion import convert
from adapters.formats import FORMATS
from adapters.profile import chosen
from adapters.runner import Runner
from broker.cli.common import (
    ConfigOption,
    JsonOption,
    SupervisedOption,
    agency_url,
    end_logged,
    load,
    note,
    run_async,
    show,
    until_signal,
)
from broker.client import connect
from broker.credentials import Credentials, http_token
from broker.keys import SigningKey
from broker.logs import configure, log
from broker.settings import Adapter, Http, Settings
from schemas.errors import CbmError, ConfigError, Fault, NotFound, TransportError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(adapter)
    app.command()(convert)
    codes = typer.Typer(help="Code lists: which UN/LOCODEs, HS codes, currencies there are.", no_args_is_help=True)
    codes.command("import")(import_codes)
    codes.command("ls")(list_codes)
    app.add_typer(codes, name="codes")


def faults(settings: Settings) -> Iterable[Fault]:
    """Check what only the adapters know: the names of formats, and profiles."""
    for index, entry in enumerate(settings.adapter):
        try:
            chosen(entry.profile)
        except ConfigError as error:
            yield from (Fault(f.code, f"adapter[{index}].profile: {f.pointer}", f.detail) for f in error.faults)
        answer = FORMATS.get(entry.receipts)
        if entry.receipts and (answer is None or not answer.can_write):
            text = f"{entry.receipts} is no format that can be written"
            yield Fault("unknown-format", f"adapter[{index}].receipts", text)
        if entry.http is not None:
            yield from _faults_of(entry.http, f"adapter[{index}].http")
        for name in entry.reads:
            known = FORMATS.get(name)
            if known is None or not known.can_read:
                readable = sorted(n for n, t in FORMATS.items() if t.can_read)
                text = f"{name} is no format that can be read; known are {', '.join(readable)}"
                yield Fault("unknown-format", f"adapter[{index}].reads", text)
        written = FORMATS.get(entry.writes)
        if written is None or not written.can_write:
            writable = sorted(n for n, t in FORMATS.items() if t.can_write)
            text = f"{entry.writes} is no format that can be written; known are {', '.join(writable)}"
            yield Fault("unknown-format", f"adapter[{index}].writes", text)


def _is_loopback(host: str) -> bool:
    """Tell whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _faults_of(http: Http, place: str) -> Iterable[Fault]:
    host, _ = http.address
    if not host:
        yield Fault("not-an-address", f"{place}.listen", "an address and a port, as 127.0.0.1:8480")
    elif http.certificate is None and not _is_loopback(host):
        text = "beyond this machine documents and the token need TLS: give certificate and key"
        yield Fault("no-tls", f"{place}.certificate", text)
    if (http.certificate is None) != (http.key is None):
        yield Fault("no-tls", f"{place}.key", "a certificate has a key, and a key a certificate")
    for name, path in (("certificate", http.certificate), ("key", http.key)):
        if path is not None and not path.is_file():
            yield Fault("not-found", f"{place}.{name}", "there is no such file")


def adapter(
    agency: Annotated[str, typer.Argument(help="The agency whose folders are watched, e.g. kr.customs.")],
    config: ConfigOption = None,
    supervised: SupervisedOption = False,
) -> None:
    """Run an agency's adapter: its documents in, what it receives out, until SIGTERM or Ctrl-C."""
    with end_logged():
        settings = load(config)
        configure(level=settings.logs.level, form=settings.logs.form)
        entry = next((a for a in settings.adapter if a.agency == agency), None)
        if entry is None:
            raise NotFound(f"there is no [[adapter]] of {agency} in the configuration")
        key = _signing_key(settings, entry)

        async def main() -> None:
            stopping = asyncio.Event()
            runner: list[Runner] = []

            def stop() -> None:
                stopping.set()
                for one in runner:
                    one.stop()

            stopper = asyncio.create_task(until_signal(stop, supervised=supervised))
            try:
                url = await _address(config, agency, stopping)
                if url is None:
                    return
                async with connect(url) as client:
                    runner.append(Runner(settings, entry, client, key))
                    if not stopping.is_set():
                        async with _intake(settings, entry, runner[0]):
                            await runner[0].run()
            finally:
                stopper.cancel()

        run_async(main())


@contextlib.asynccontextmanager
async def _intake(settings: Settings, entry: Adapter, runner: Runner) -> AsyncIterator[None]:
    """Take documents over HTTP while within, where the adapter is told to."""
    if entry.http is None:
        yield
        return
    # Only who listens pays for loading it.
    from adapters.intake import Intake

    token = Credentials(settings.state_dir).get_or_make(http_token(entry.agency))
    runner.folders.make()
    intake = Intake(entry.http, runner.limit_bytes, runner.folders, runner.watch, token, runner.nudge)
    async with intake.listening():
        yield


def _signing_key(settings: Settings, entry: Adapter) -> SigningKey | None:
    """Read the key with which an adapter signs.

    Raises:
        NotFound: there is none in that file.
        ConfigError: the broker would refuse all that is signed with it.
    """
    if entry.signing_key is None:
        return None
    key = SigningKey.read(entry.signing_key)
    agency = settings.find_agency(entry.agency)
    if agency is None or all((one.id, one.public) != (key.id, key.public) for one in agency.key):
        text = f"no [[agency.key]] of {entry.agency} is the public half of its key {key.id}"
        raise ConfigError([Fault("unknown-key", f"adapter.{entry.agency}.signing_key", text)])
    return key


async def _address(config: Path | None, agency: str, stopping: asyncio.Event) -> str | None:
    """Wait for RabbitMQ and for the broker to have made the agency's user; None if asked to stop meanwhile.

    Raises:
        NotAuthorised, NotFound: after a minute it is still refused or unknown.
    """
    began, wait_s, said = asyncio.get_running_loop().time(), 0.2, False
    while not stopping.is_set():
        try:
            url = agency_url(config, agency)
            async with connect(url):
                return url
        except (CbmError, OSError) as error:
            waited_s = asyncio.get_running_loop().time() - began
            if waited_s > 60 and not isinstance(error, TransportError):
                raise
            if waited_s > 5 and not said:
                log.warning("amqp.lost", agency=agency, reason=str(error), wait_s=wait_s)
                said = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await stopping.wait()
        wait_s = min(wait_s * 1.5, 3)
    return None


def import_codes(
    name: Annotated[str, typer.Argument(metavar="LIST", help=f"Which list: {', '.join(NAMES)}.")],
    source: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSON, a folder of CSV files, or a zip.")],
    version: Annotated[str, typer.Option(help="What the list's maintainer calls it, e.g. 2024-2.")] = "",
    config: ConfigOption = None,
) -> None:
    """Take over a code list from the file that its maintainer publishes; adapters use it from then on."""
    settings = load(config)
    found = import_list(name, source, version, datetime.now(UTC).replace(microsecond=0))
    keep(found, settings.state_dir / CODES_FOLDER)
    note(f"{len(found.codes)} codes of {found.title}")


def list_codes(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the code lists that adapters hold codes against, with their versions."""
    lists = kept(load(config).state_dir / CODES_FOLDER).lists
    rows = [
        {"list": one.name, "version": one.version, "codes": len(one.codes), "imported": one.imported or None}
        for one in lists.values()
    ]
    columns = {name: name for name in ("list", "version", "codes", "imported")}
    show(rows, columns, as_json=as_json, title=f"{len(rows)} code lists")
