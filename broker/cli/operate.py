"""Commands of operators: up, serve, check, status, trace."""

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker import explanation
from broker.agreements import Agreements
from broker.amqp import Session
from broker.cli.common import (
    ConfigOption,
    JsonOption,
    SupervisedOption,
    config_path,
    end_logged,
    load,
    note,
    out,
    run_async,
    show,
    until_signal,
)
from broker.client import connect
from broker.credentials import write_private
from broker.logs import configure, log
from broker.names import LANES, QUARANTINE, inbox_queue, ingress_queue
from broker.narration import sentence
from broker.node import PrivateNode
from broker.provision import Place, agency_address, configured_place, private_node
from broker.settings import Settings
from broker.supervisor import Supervisor
from schemas import ReceiptMessage
from schemas.errors import (
    CbmError,
    ConfigError,
    Fault,
    InvalidMessage,
    NotFound,
    TimedOut,
    TransportError,
    Unreachable,
)

# The ledger and the service are imported where they are used: SQLAlchemy alone is a third of the time that
# `cbm --help` or `cbm publish` take to start.
if TYPE_CHECKING:
    from broker.ledger import Record
    from broker.service import Broker

# Where a running broker leaves its process id and the version of its agreements, under state_dir.
RUNNING = "broker.json"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, serve, check, reload, status, trace):
        app.command()(command)
    app.add_typer(_agreements, name="agreements")


def _checked(settings: Settings) -> Settings:
    """Let further packages look at the configuration: the adapters know which formats there are.

    Raises:
        ConfigError: with every fault they find.
    """
    faults: list[Fault] = []
    for entry in entry_points(group="cbm.checks"):
        faults.extend(entry.load()(settings))
    if faults:
        raise ConfigError(faults)
    return settings


def serve(config: ConfigOption = None, supervised: SupervisedOption = False) -> None:
    """Run the broker alone, until SIGTERM or Ctrl-C. Logs go to stdout."""
    with end_logged():
        settings = load(config)
        configure(level=settings.logs.level, form=settings.logs.form)
        run_async(_serve(settings, config, supervised))


async def _serve(settings: Settings, config: Path | None, supervised: bool) -> None:
    from broker.ledger import Ledger
    from broker.service import Broker, tune_collector

    node: PrivateNode | None = None
    if not settings.rabbitmq.url:
        node = private_node(settings)
        if await node.start():
            log.info("node.started", amqp_port=node.ports.amqp if node.ports else None)
        else:
            # Somebody else's to stop.
            log.info("node.adopted", amqp_port=node.ports.amqp if node.ports else None)
            node = None
    try:
        ledger = Ledger.open(settings)
        tune_collector()
        broker = Broker(settings, ledger, configured_place(settings))
        running = settings.state_dir / RUNNING
        _say_running(running, broker)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _reload, broker, config, running)
        stopper = asyncio.create_task(until_signal(broker.stop, supervised=supervised))
        try:
            await broker.run()
        finally:
            stopper.cancel()
            running.unlink(missing_ok=True)
            await ledger.close()
    finally:
        if node is not None:
            await node.stop()
            log.info("node.stopped")


def _say_running(path: Path, broker: "Broker") -> None:
    """Leave word of the process and of the agreements by which it decides, for `cbm reload`."""
    write_private(path, json.dumps({"pid": os.getpid(), "agreements": broker.agreements_version}))


def _reload(broker: "Broker", config: Path | None, running: Path) -> None:
    """Take over an edited configuration whole, or, where it has a fault, not at all."""
    try:
        settings = _checked(load(config))
    except ConfigError as error:
        log.error("agreements.refused", faults=[f"{fault.pointer}: {fault.detail}" for fault in error.faults])
        return
    broker.apply(settings)
    _say_running(running, broker)


def reload(
    config: ConfigOption = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait until the broker has taken it over.")] = 10.0,
) -> None:
    """Have the running broker take over an edited configuration: all of it, or none if it has a fault.

    What a running broker cannot change is where RabbitMQ and the ledger are, and the adapters.
    """
    settings = _checked(load(config))
    wanted = Agreements.of(settings).version
    path = settings.state_dir / RUNNING

    def state() -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            raise NotFound(f"no broker runs under {settings.state_dir}") from None
        return found

    try:
        os.kill(int(state()["pid"]), signal.SIGHUP)
    except (ProcessLookupError, KeyError):
        raise NotFound(f"no broker runs under {settings.state_dir}") from None
    deadline = time.monotonic() + timeout
    while state().get("agreements") != wanted:
        if time.monotonic() > deadline:
            raise TimedOut(f"the broker did not take it over within {timeout:g} s; its log says why")
        time.sleep(0.05)
    note(f"the broker decides by version {wanted} now")


def up(
    config: ConfigOption = None,
    drop: Annotated[
        Path | None,
        typer.Option(help="Example documents, a folder for each agency: put into the inboxes once.", metavar="FOLDER"),
    ] = None,
    story: Annotated[
        bool | None,
        typer.Option("--story/--logs", help="Say in words what each agency receives, or show the logs as they are."),
    ] = None,
) -> None:
    """Run everything on this machine: RabbitMQ (unless one is configured), the broker, the adapters.

    Ctrl-C finishes what is under way and stops all that was started.
    """
    settings = _checked(load(config))
    told = sys.stdout.isatty() if story is None else story
    folder = settings.state_dir / "logs"
    if told:
        folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context((folder / "up.ndjson").open("ab", buffering=0)) if told else sys.stdout.buffer
        configure(level=settings.logs.level, form="json" if told else settings.logs.form, stream=stream)
        run_async(_up(settings, config_path(config).resolve(), drop, folder if told else None))


async def _up(settings: Settings, config: Path, drop: Path | None, logs: Path | None) -> None:
    asked = asyncio.Event()
    signals = asyncio.create_task(until_signal(asked.set, supervised=False))
    supervisor = Supervisor(settings, config, logs=logs)
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(asked.wait())]
    status: int | None = None
    try:
        await supervisor.start(note)
        if logs is not None:
            names = {agency.id: agency.name for agency in settings.agency}
            tasks += [asyncio.create_task(_narrate(settings, agency, names)) for agency in names]
            note(f"logs: {logs}")
        if drop is not None:
            tasks.append(asyncio.create_task(_drop(settings, drop)))
        note("up; Ctrl-C stops everything")
        ended = asyncio.create_task(supervisor.wait())
        tasks.append(ended)
        await asyncio.wait([tasks[0], ended], return_when=asyncio.FIRST_COMPLETED)
        if ended.done() and not asked.is_set():
            status = ended.result()
            where = f"its log is in {logs}" if logs is not None else "its log says why"
            note(f"cbm: a process ended for good with status {status}; {where}")
    finally:
        for task in (signals, *tasks):
            task.cancel()
        await asyncio.gather(signals, *tasks, return_exceptions=True)
        await supervisor.stop(note)
        note("stopped")
    if status:
        raise typer.Exit(status)


async def _narrate(settings: Settings, agency: str, names: dict[str, str]) -> None:
    """Tell what an agency receives from now on, by reading its log as the agency itself would."""
    agreements = Agreements.of(settings)
    since = datetime.now(UTC)
    while True:
        try:
            async with connect(agency_address(settings, agency)) as client:
                async for received in client.replay(since=since):
                    try:
                        message = received.message
                    except InvalidMessage:
                        continue
                    if isinstance(message, ReceiptMessage) and message.time < since:
                        continue
                    # What is withheld may be what an agreement's conditions were about: all in force are named.
                    rules = dict(agreements.considered(message.source, message.type)).get(agency, ())
                    today = datetime.now(UTC).date()
                    under = [rule.agreement for rule in rules if rule.first <= today <= rule.last]
                    out(f"{datetime.now().astimezone():%H:%M:%S}  {sentence(message, agency, names, under)}")
        except (CbmError, OSError):
            await asyncio.sleep(0.3)


async def _drop(settings: Settings, source: Path) -> None:
    """Put example documents into the inboxes, by atomic renames, unless it was done before."""
    done = settings.state_dir / "examples-dropped"
    if done.exists():
        note("the example documents were dropped before; put your own into the agencies' inboxes")
        return
    count = 0
    for adapter in settings.adapter:
        adapter.inbox.mkdir(parents=True, exist_ok=True)
        for document in sorted((source / adapter.agency).glob("*")):
            hidden = adapter.inbox / f".{document.name}.part"
            shutil.copyfile(document, hidden)
            hidden.rename(adapter.inbox / document.name)
            count += 1
    done.write_text(datetime.now(UTC).isoformat() + "\n")
    note(f"{count} example documents dropped into the inboxes under {settings.state_dir / 'agencies'}")


def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the configuration, offline: every fault at once; then who may see which types of whom."""
    settings = _checked(load(config))
    agreements = Agreements.of(settings)
    columns = {"from": "of", "to": "seen by", "sees": "what", "kept_back": "kept back", "under": "under"}
    rows = explanation.matrix(settings, agreements)
    show(rows, columns, as_json=as_json, title="who may see what", told=explanation.told)
    for warning in explanation.warnings(settings, agreements, datetime.now(UTC).date()):
        note(f"warning: {warning}")
    if settings.rabbitmq.tls:
        from broker.authority import Authority

        for agency, end in Authority(settings.state_dir).ending(agency.id for agency in settings.agency).items():
            way = f"cbm credentials {agency} --certificate FOLDER"
            note(f"warning: the certificate of {agency} ends on {end:%Y-%m-%d}; {way} renews it")
    note(f"{config_path(config)} is right: {len(settings.agency)} agencies, {len(settings.agreement)} agreements")


_agreements = typer.Typer(help="What a change of agreements does.", no_args_is_help=True)


@_agreements.command("diff")
def agreements_diff(
    old: Annotated[Path, typer.Argument(help="A cbm.toml.")],
    new: Annotated[Path, typer.Argument(help="The cbm.toml that shall follow it.")],
    as_json: JsonOption = False,
) -> None:
    """Show whose view of whom widens and whose narrows from one configuration to another."""
    rows = explanation.differences(load(old), load(new))
    columns = {"from": "of", "to": "seen by", "types": "types", "change": "change", "details": "what"}
    show(rows, columns, as_json=as_json)
    if any(row["change"] == "changes" for row in rows):
        note("changes: wider in one way and narrower in another, or by conditions of which neither contains the other")
    note(f"{len(rows)} changes" if rows else "nobody's view changes")


def status(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    ready: Annotated[bool, typer.Option("--ready", help="Say nothing; exit 0 when the broker serves, else 7.")] = False,
) -> None:
    """Show what waits where, who consumes it, and what became of everything so far."""
    settings = load(config)
    place = configured_place(settings)
    rows: list[dict[str, Any]] = []
    run_async(_queues(settings, place, rows))
    serving = all(row["consumers"] for row in rows if row["kind"] == "ingress")
    if ready:
        if not serving:
            raise Unreachable("the broker does not consume every ingress queue")
        return
    show(rows, {"queue": "queue", "waiting": "waiting", "consumers": "consumers"}, as_json=as_json, title="queues")
    counts: list[dict[str, Any]] = []

    async def count() -> None:
        from broker.ledger import Ledger

        ledger = Ledger.open(settings)
        counts.extend({"agency": a, "disposition": d, "messages": n} for a, d, n in await ledger.counts())
        await ledger.close()

    run_async(count())
    columns = {"agency": "agency", "disposition": "disposition", "messages": "messages"}
    show(counts, columns, as_json=as_json, title="dispositions")
    note("the broker serves" if serving else "the broker does not serve: no consumer on some ingress queue")


async def _queues(settings: Settings, place: Place, rows: list[dict[str, Any]]) -> None:
    session = await Session.open(place.url, name="cbm status")
    try:
        names = [("quarantine", QUARANTINE)]
        for agency in settings.agency:
            names += [("ingress", ingress_queue(agency.id, lane)) for lane in LANES]
            names += [("inbox", inbox_queue(agency.id, kind)) for kind in (*LANES, "receipt")]
        for kind, name in names:
            channel = await session.channel()
            try:
                waiting, consumers = await channel.declare_queue(name, passive=True)
            except (NotFound, TransportError):
                waiting, consumers = -1, 0
            else:
                await channel.close()
            there = waiting if waiting >= 0 else None
            rows.append({"queue": name, "kind": kind, "waiting": there, "consumers": consumers})
    finally:
        await session.close()


def trace(
    id_: Annotated[str, typer.Argument(metavar="ID", help="A message's id, or a consignment's key.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the ledger knows of a message, or of all messages of a consignment."""
    from broker.ledger import Ledger

    settings = load(config)
    found: list[Record] = []

    async def main() -> None:
        ledger = Ledger.open(settings)
        found.extend(await ledger.find(id_=id_) or await ledger.find(subject=id_))
        await ledger.close()

    run_async(main())
    if not found:
        raise NotFound(f"the ledger knows no message and no consignment {id_}")
    rows = [dataclasses.asdict(record) for record in found]
    columns = {
        "settled": "settled",
        "source": "from",
        "type": "type",
        "subject": "subject",
        "disposition": "disposition",
        "recipients": "recipients: agreement",
        "faults": "faults",
    }
    show(rows, columns, as_json=as_json)
