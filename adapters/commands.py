"""What the adapters add to the command line: `cbm adapter`, `cbm convert`; and their part of `cbm check`."""

import asyncio
import contextlib
import ipaddress
import json
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from adapters.codelists import CODES_FOLDER, NAMES, built_in, import_list, keep, kept
from adapters.document import Document, Origin
from adapters.formats import FORMATS, by_name, recognise
from adapters.profile import chosen
from adapters.runner import FALLBACK_FORMAT, Runner
from adapters.translator import Translator, messages
from broker.cli.common import (
    ConfigOption,
    JsonOption,
    SupervisedOption,
    agency_url,
    check_agency,
    end_logged,
    load,
    note,
    out,
    print_faults,
    read_input,
    run_async,
    show,
    until_signal,
    write,
)
from broker.client import connect
from broker.credentials import Credentials, http_token
from broker.keys import SigningKey
from broker.logs import configure, log
from broker.settings import Adapter, Http, Settings
from schemas import Message, parse
from schemas.errors import CbmError, ConfigError, Fault, InvalidMessage, NotFound, TransportError

# The agency in whose name `cbm convert` writes messages where none is given: nobody's.
_NOBODY = "xx.convert"


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
            await asyncio.wait_for(stopping.wait(), wait_s)
        wait_s = min(wait_s * 1.5, 3)
    return None


def convert(
    file: Annotated[Path | None, typer.Argument(help="A document or a message; `-` or nothing: stdin.")] = None,
    to: Annotated[str, typer.Option(help="The format to write; without it, a document becomes messages.")] = "",
    from_: Annotated[str, typer.Option("--from", help="The document's format; else it is found by content.")] = "",
    agency: Annotated[str, typer.Option("--as", help="The agency whose document it is.")] = _NOBODY,
    zone: Annotated[str, typer.Option(help="The zone of times that name none, e.g. Asia/Seoul.")] = "UTC",
    profile: Annotated[str, typer.Option(help="What codes mean: neutral, uk, or a folder such as ./kr.")] = "neutral",
    lists: Annotated[Path | None, typer.Option("--codes", help="A folder of imported code lists.")] = None,
) -> None:
    """Translate offline: a document to its messages (NDJSON), or a message to a document. Sends nothing.

    Without --to, messages come out. With --to, each message is written in that format, one document
    after the other; for several use one message at a time.
    """
    check_agency(agency)
    content = read_input(file)
    received = datetime.now(UTC).replace(microsecond=0)
    if file is not None and str(file) != "-":
        received = datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
    meaning = chosen(profile)
    origin = Origin(agency, received, _zone(zone), meaning, kept(lists) if lists is not None else built_in())
    found = list(_messages_of(content, from_, origin))
    if not to:
        for message in found:
            out(message.to_bytes())
        return
    writer = _format(to)
    if not writer.can_write:
        raise NotFound(f"{to} can be read, not written")
    for message in found:
        write(writer.write(message, meaning))


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


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        raise typer.BadParameter(f"{name!r} is no IANA time zone") from None


def _format(name: str) -> Translator:
    if name not in FORMATS:
        raise NotFound(f"there is no format {name}; known are {', '.join(sorted(FORMATS))}")
    return by_name(name)


def _messages_of(content: bytes, from_: str, origin: Origin) -> Iterable[Message]:
    document = Document(content)
    if from_:
        translator, sure = _format(from_), 1.0
    else:
        translator, sure = recognise(document)
    note(f"{translator.title} ({translator.name}), {sure:.0%} sure")
    if translator.name == FALLBACK_FORMAT:
        yield from _events(content)
        return
    found = messages(translator, document, origin)
    for message in found[:1]:
        native = getattr(message.data, "native", None)
        warnings = native.warnings if native is not None else None
        print_faults(Fault(w.code, w.pointer, w.detail) for w in warnings or ())
    yield from found


def _events(content: bytes) -> Iterable[Message]:
    """Messages already: read as they are, whoever their source is.

    Raises:
        InvalidMessage: with every fault of the first that has one.
    """
    with contextlib.suppress(InvalidMessage):
        yield parse(content)
        return
    try:
        whole = json.loads(content)
        events = whole if isinstance(whole, list) else [whole]
    except ValueError:
        events = [json.loads(line) for line in content.splitlines() if line.strip()]
    for event in events:
        yield parse(json.dumps(event).encode())
