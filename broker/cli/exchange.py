"""Commands of those who publish and subscribe: publish, subscribe, explain, schema."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from broker import explanation
from broker.agreements import Agreements
from broker.cli.common import (
    AsOption,
    ConfigOption,
    JsonOption,
    agency_client,
    check_agency,
    config_path,
    load,
    moment,
    note,
    out,
    print_faults,
    read_input,
    run_async,
    show,
)
from broker.client import Client, Received, new_traceparent
from broker.decision import Arrival, examine
from broker.keys import Keyring, SigningKey
from broker.names import LANES
from broker.signatures import sign_bytes, verify
from schemas import export
from schemas.base import rfc3339
from schemas.envelope import ReceiptMessage, family_of, parse
from schemas.errors import Fault, InvalidMessage, NotFound, TimedOut, Undeliverable
from schemas.receipt import Receipt

FileArgument = Annotated[Path | None, typer.Argument(help="A file with the message; `-` or nothing: stdin.")]

_EXIT_BY_DISPOSITION = {"accepted": 0, "duplicate": 0, "undeliverable": 5}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(publish)
    app.command()(subscribe)
    app.command()(explain)
    app.add_typer(_schema, name="schema")


def publish(
    file: FileArgument = None,
    agency: AsOption = ...,  # type: ignore[assignment]
    config: ConfigOption = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for each receipt.")] = 30.0,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait for receipts, only for the confirm.")] = False,
    unchecked: Annotated[bool, typer.Option("--unchecked", help="Send even what is invalid here already.")] = False,
    sign: Annotated[Path | None, typer.Option(help="Sign with the private key in this file.", metavar="FILE")] = None,
    by_field: Annotated[
        bool, typer.Option("--by-field", help="Sign so that views with parts withheld can be verified too.")
    ] = False,
) -> None:
    """Publish messages, wait until RabbitMQ stored them and the broker decided, and print the receipts.

    The input is one message as JSON, or one a line (NDJSON). What the envelope needs and is not there
    is filled in: id, source, time, specversion, datacontenttype, dataschema. So this is enough:
    {"type": "alert.issued", "subject": "…", "data": {…}}
    """
    check_agency(agency)
    bodies = [_completed(body, agency) for body in _split(read_input(file))]
    if by_field and sign is None:
        raise typer.BadParameter("--by-field says how to sign: name the key with --sign FILE")
    if sign is not None:
        key = SigningKey.read(sign)
        bodies = [sign_bytes(body, key, by_field=by_field) for body in bodies]
    faulty = False
    if not unchecked:
        for number, body in enumerate(bodies, 1):
            try:
                if isinstance(parse(body), ReceiptMessage):
                    raise InvalidMessage(
                        [Fault("broker-only-type", "/type", "receipts are written by the broker only")]
                    )
            except InvalidMessage as error:
                faulty = True
                note(f"cbm: message {number} of {len(bodies)} is invalid, nothing was sent:")
                print_faults(error.faults)
    if faulty:
        raise typer.Exit(4)
    opener = agency_client(config, agency)
    status: list[int] = []

    async def main() -> None:
        async with opener() as client:
            for body in bodies:
                status.append(await _publish_one(client, body, None if no_wait else timeout))

    run_async(main())
    raise typer.Exit(next((code for code in status if code), 0))


def _split(content: bytes) -> list[bytes]:
    """One JSON document is one message; several lines that are each an object are several."""
    lines = [line for line in content.splitlines() if line.strip()]
    if len(lines) > 1 and all(line.lstrip().startswith(b"{") and line.rstrip().endswith(b"}") for line in lines):
        with contextlib.suppress(ValueError):
            for line in lines:
                json.loads(line)
            return lines
    return [content]


def _completed(body: bytes, agency: str) -> bytes:
    """Fill in what can be known; a message that lacks nothing stays the bytes it is."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(content, dict):
        return body
    type_ = content.get("type")
    known: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": agency,
        "time": rfc3339(datetime.now(UTC)),
        "datacontenttype": "application/json",
        "dataschema": f"urn:cbm:{family_of(type_)}:1" if isinstance(type_, str) else None,
    }
    known["traceparent"] = new_traceparent()
    required = known.keys() - {"traceparent"}
    if required <= content.keys():
        return body
    missing = {name: value for name, value in known.items() if name not in content and value is not None}
    return json.dumps(missing | content, ensure_ascii=False).encode()


async def _publish_one(client: Client, body: bytes, timeout: float | None) -> int:
    try:
        message = parse(body)
        id_, type_ = message.id, str(message.type)
    except InvalidMessage:
        # Sent unchecked: the lane is guessed, the broker names the faults.
        content = _object(body)
        id_, type_ = str(content.get("id", uuid.uuid4()))[:128], str(content.get("type", "shipment."))
    type_ = type_ if family_of(type_) in LANES else f"{LANES[-1]}."
    published = await client.publish_bytes(body, id_, type_)
    if timeout is None:
        out(json.dumps({"id": id_, "disposition": None}))
        return 0
    receipt = await published.receipt(timeout)
    out(json.dumps({"id": id_} | receipt.model_dump(mode="json", exclude_none=True)))
    _say(receipt)
    return _EXIT_BY_DISPOSITION.get(receipt.disposition, 4)


def _object(body: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        content = json.loads(body)
        if isinstance(content, dict):
            return content
    return {}


def _say(receipt: Receipt) -> None:
    if receipt.disposition == "accepted":
        one = receipt.recipients == 1
        note(f"accepted: {receipt.recipients} {'agency receives' if one else 'agencies receive'} it")
    else:
        note(receipt.disposition + (":" if receipt.faults else ""))
    print_faults(Fault(f.code, f.pointer, f.detail) for f in (*(receipt.faults or ()), *(receipt.warnings or ())))


def subscribe(
    pattern: Annotated[str, typer.Argument(help="A topic pattern: shipment.held.# or '#'.")] = "#",
    agency: AsOption = ...,  # type: ignore[assignment]
    config: ConfigOption = None,
    since: Annotated[str, typer.Option(help="Replay first: an age such as 1h, or a time (RFC 3339).")] = "",
    name: Annotated[str, typer.Option(help="Keep a queue of this name that collects while nobody listens.")] = "",
    count: Annotated[int | None, typer.Option(min=1, help="End after so many messages.")] = None,
    timeout: Annotated[float | None, typer.Option(min=0.1, help="End after so many seconds.")] = None,
    full: Annotated[bool, typer.Option("--keys", help="Print {key, event} instead of the event alone.")] = False,
    verified: Annotated[
        bool, typer.Option("--verify", help="Print {verified, event}: only what its sender signed is shown.")
    ] = False,
) -> None:
    """Print what an agency receives, one JSON event a line, until Ctrl-C, --count or --timeout.

    --verify checks each signature by the agencies' keys in the configuration file; instead of an event whose
    signature is missing or bad the faults are printed. Receipts, which the broker writes, are not signed.

    Exit status 8: --timeout passed before --count messages came; 4: some signature was not good.
    """
    start = moment(since) if since else None
    printer = _Printer(full, Keyring.read(config_path(config)) if verified else None)
    opener = agency_client(config, agency)

    async def main() -> None:
        async with opener() as client:
            ready = asyncio.Event()
            if start:
                source = client.replay(pattern, since=start)
                ready.set()
            else:
                source = client.subscribe(pattern, name=name or None, ready=ready)
            saying = asyncio.create_task(_say_listening(ready, f"listening as {agency} for {pattern}; Ctrl-C ends"))
            seen = 0
            limit = asyncio.timeout(timeout)
            try:
                async with limit:
                    seen = await printer.print_all(source, count)
            except TimeoutError:
                if count:
                    raise TimedOut(f"fewer than {count} messages within {timeout:g} s") from None
            finally:
                saying.cancel()
            if seen:
                note(f"{seen} messages")

    with contextlib.suppress(KeyboardInterrupt):
        run_async(main())
    if printer.refused:
        raise InvalidMessage([Fault("signature", "", f"{printer.refused} messages are not shown: not verified")])


async def _say_listening(ready: asyncio.Event, text: str) -> None:
    await ready.wait()
    note(text)


class _Printer:
    """Prints what is received, a line each."""

    def __init__(self, full: bool, keys: Keyring | None) -> None:
        self._full, self._keys = full, keys
        self.refused = 0

    async def print_all(self, source: AsyncIterator[Received], count: int | None) -> int:
        """Print until the end or the count; returns how many came."""
        seen = 0
        async for received in source:
            out(self._line(received))
            received.ack()
            seen += 1
            if seen == count:
                break
        return seen

    def _line(self, received: Received) -> bytes:
        body = received.body
        if not self._full and self._keys is None:
            broken = b"\n" in body or b"\r" in body
            return json.dumps(json.loads(body), ensure_ascii=False).encode() if broken else body
        event = json.loads(body)
        line: dict[str, Any] = {"key": received.key, "offset": received.offset} if self._full else {}
        if self._keys is not None and family_of(str(event.get("type"))) == "receipt":
            # The broker's own.
            line["verified"] = None
        elif self._keys is not None:
            try:
                verified = verify(body, self._keys, at=received.received)
            except InvalidMessage as error:
                self.refused += 1
                faults = [fault.as_json() for fault in error.faults]
                return json.dumps(line | {"verified": None, "id": event.get("id"), "faults": faults}).encode()
            line["verified"] = {"sender": verified.sender, "key": verified.key, "unsigned": verified.unsigned}
        return json.dumps(line | {"event": event}).encode()


# Of several agreements that hold together, in one cell.
_JOINTS = {"agreement": " + ", "purpose": "; ", "legal_basis": "; ", "why": "; "}


def explain(
    file: FileArgument = None,
    agency: AsOption = ...,  # type: ignore[assignment]
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who would receive a message, under which agreement, and why everybody else would not. Sends nothing."""
    check_agency(agency)
    settings = load(config)
    if settings.find_agency(agency) is None:
        raise NotFound(f"there is no agency {agency} in the configuration")
    agreements = Agreements.of(settings)
    now = datetime.now(UTC)
    body = _completed(read_input(file), agency)
    type_ = _object(body).get("type")
    lane = family_of(type_) if isinstance(type_, str) else ""
    examined = examine(Arrival(body, agency, lane, now), agreements, settings.limits, now)
    message = examined.message
    if message is None or [fault for fault in examined.faults if fault.code != "unsigned" or message.digests]:
        raise InvalidMessage(examined.faults)
    if examined.faults:
        # A draft is explained before it is signed.
        note("as it is it would be refused: it is not signed, which this agency's entry asks for")
    if message.expires is not None and message.expires <= now:
        raise InvalidMessage([Fault("expired", "/expires", "it has expired: nobody would receive it")])
    rows = explanation.recipients(settings, agreements, message, body, now.date())
    for row in rows:
        row |= {name: joint.join(row[name]) for name, joint in _JOINTS.items() if name in row}
    columns = {
        "agency": "agency",
        "receives": "receives",
        "under": "under",
        "withheld": "missing or changed",
        "why": "why",
    }
    title = f"{message.type} of {agency}, TLP:{message.marking}"
    show(rows, columns, as_json=as_json, title=title, told=_explained)
    if not any(row["receives"] for row in rows):
        raise Undeliverable([Fault("no-recipient", "", "nobody would receive it")])


def _explained(row: dict[str, Any]) -> dict[str, Any]:
    under = [row["agreement"], row["purpose"], row["legal_basis"]] if row["receives"] else []
    return row | {"under": under, "why": row["why"].replace("; ", "\n")}


_schema = typer.Typer(help="The JSON Schemas of the wire contract.", no_args_is_help=True)


@_schema.command("ls")
def schema_ls(as_json: JsonOption = False) -> None:
    """List the schemas."""
    rows = [
        {"name": name, "id": document.get("$id"), "title": document.get("title", name)}
        for name, document in export.documents().items()
    ]
    show(rows, {"name": "name", "id": "id", "title": "title"}, as_json=as_json)


@_schema.command("show")
def schema_show(name: Annotated[str, typer.Argument(help="As `cbm schema ls` names it.")]) -> None:
    """Print one schema."""
    document = export.documents().get(name.removesuffix(".json"))
    if document is None:
        raise NotFound(f"there is no schema {name}; known are {', '.join(export.documents())}")
    out(json.dumps(document, indent=2))


@_schema.command("export")
def schema_export(folder: Annotated[Path, typer.Argument(help="Where to write them.")]) -> None:
    """Write all schemas into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in export.documents().items():
        (folder / f"{name}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        note(f"{folder / name}.json")
