"""Commands of operators who put things right: quarantine ls, show, resend, discard, export."""

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from broker import quarantine
from broker.amqp import Session
from broker.cli.common import ConfigOption, JsonOption, load, note, out, run_async, show
from broker.logs import configure
from broker.provision import configured_place
from broker.quarantine import Held

_app = typer.Typer(help="Refused messages: look, send again, discard.", no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(help="The message's id, or its digest, as `cbm quarantine ls` shows it.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(_app, name="quarantine")


def _with_session(config: Path | None, work: Callable[[Session], Awaitable[Any]]) -> Any:
    settings = load(config)
    configure(level="info", form="json", stream=sys.stderr.buffer)
    place = configured_place(settings)
    result: list[Any] = []

    async def main() -> None:
        session = await Session.open(place.url, name="cbm quarantine")
        try:
            result.append(await work(session))
        finally:
            await session.close()

    run_async(main())
    return result[0]


@_app.command("ls")
def ls(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, oldest first.")] = 1000,
) -> None:
    """List what stands in quarantine, with the reasons; takes nothing."""
    found: list[Held] = _with_session(config, lambda session: quarantine.listing(session, limit))
    columns = {"id": "id", "agency": "agency", "type": "type", "reason": "reason", "received": "received"}
    show([held.as_row() for held in found], columns, as_json=as_json, title=f"{len(found)} in quarantine")


@_app.command("show")
def show_(id_: IdArgument, config: ConfigOption = None) -> None:
    """Show a quarantined message: its reasons, and its content."""
    for held in _with_session(config, lambda session: quarantine.find(session, id_)):
        try:
            content: Any = json.loads(held.body)
        except (ValueError, RecursionError):
            content = held.body.decode(errors="backslashreplace")
        out(json.dumps(held.as_row() | {"content": content}, indent=2, ensure_ascii=False))


@_app.command("resend")
def resend(id_: IdArgument, config: ConfigOption = None) -> None:
    """Send a message again as it is, to be decided anew: after an agreement or an agency's entry was mended."""

    async def work(session: Session) -> int:
        found = await quarantine.find(session, id_)
        for held in found:
            await quarantine.resend(session, held)
        return len(found)

    note(f"{_with_session(config, work)} sent again; cbm trace {id_} shows what became of it")


@_app.command("discard")
def discard(
    id_: IdArgument,
    reason: Annotated[str, typer.Option(help="Why; it is logged.")],
    config: ConfigOption = None,
) -> None:
    """Take a message out of quarantine for good."""

    async def work(session: Session) -> int:
        found = await quarantine.find(session, id_)
        for held in found:
            await quarantine.discard(session, held, reason)
        return len(found)

    note(f"{_with_session(config, work)} discarded")


@_app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Where to write the messages, each with its reasons beside it.")],
    config: ConfigOption = None,
) -> None:
    """Write quarantined messages to files; takes nothing out."""
    folder.mkdir(parents=True, exist_ok=True)
    found: list[Held] = _with_session(config, lambda session: quarantine.listing(session, 2000))
    for held in found:
        name = f"{held.agency}.{held.digest[:16]}"
        (folder / f"{name}.json").write_bytes(held.body)
        (folder / f"{name}.reason.json").write_text(json.dumps(held.as_row(), indent=1) + "\n")
    note(f"{len(found)} written to {folder}")
