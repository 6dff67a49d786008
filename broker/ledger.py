"""The ledger: the durable record of every disposition, and the answer to "seen before?".

The only module that imports SQLAlchemy. Owns the table and its grouped writes. SQLite (WAL) for one
machine, PostgreSQL for several brokers. Never holds a body, and never decides.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from broker.decision import Decision, Earlier, Examined
from broker.settings import Settings
from schemas.errors import ConfigError, Fault, LedgerUnavailable

_metadata = sa.MetaData()
# Times are microseconds since 1970 in UTC: the same in both databases, and cheap to bind.
_table = sa.Table(
    "disposition",
    _metadata,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("id", sa.String(128), nullable=False),
    sa.Column("lane", sa.String(16), nullable=False),
    sa.Column("type", sa.String(64)),
    sa.Column("subject", sa.String(256)),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("disposition", sa.String(16), nullable=False),
    sa.Column("recipients", sa.Text, nullable=False),
    sa.Column("faults", sa.Text),
    sa.Column("agreements", sa.String(16), nullable=False),
    sa.Column("correlation_id", sa.String(256)),
    sa.Column("traceparent", sa.String(64)),
    sa.Column("received_us", sa.BigInteger, nullable=False),
    sa.Column("settled_us", sa.BigInteger, nullable=False),
)
_accepted = _table.c.disposition == "accepted"
sa.Index(
    "disposition_accepted",
    _table.c.id,
    _table.c.source,
    unique=True,
    sqlite_where=_accepted,
    postgresql_where=_accepted,
)
sa.Index("disposition_other", _table.c.id, sqlite_where=~_accepted, postgresql_where=~_accepted)
sa.Index("disposition_subject", _table.c.subject)

# SQLite takes at most 32,766 variables a statement; two a key.
_KEYS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the ledger, as people ask for it."""

    source: str
    id: str
    lane: str
    type: str | None
    subject: str | None
    digest: str
    size_bytes: int
    disposition: str
    recipients: dict[str, str]
    faults: list[dict[str, str]]
    agreements: str
    correlation_id: str | None
    traceparent: str | None
    received: datetime
    settled: datetime


def _us(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def row_of(decision: Decision, agreements: str, settled: datetime) -> dict[str, Any]:
    """Return the ledger's line for a decision."""
    examined = decision.examined
    message = examined.message
    return {
        "source": examined.arrival.agency,
        "id": examined.id,
        "lane": examined.arrival.lane,
        "type": examined.type,
        "subject": message.subject if message is not None else None,
        "digest": examined.digest,
        "size_bytes": len(examined.arrival.body),
        "disposition": decision.disposition,
        "recipients": json.dumps(dict(decision.recipients)) if decision.recipients else "{}",
        "faults": json.dumps([fault.as_json() for fault in decision.faults]) if decision.faults else None,
        "agreements": agreements,
        "correlation_id": message.correlationid if message is not None else None,
        "traceparent": message.traceparent if message is not None else None,
        "received_us": _us(examined.arrival.received),
        "settled_us": _us(settled),
    }


class Ledger:
    """The ledger's database. Calls run in threads; writes of all lanes are grouped into one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._queue: list[tuple[list[dict[str, Any]], asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        dialect = engine.dialect.name
        if dialect == "sqlite":
            from sqlalchemy.dialects.sqlite import insert as sqlite_insert

            self._insert: Any = sqlite_insert(_table).on_conflict_do_nothing()
        else:
            from sqlalchemy.dialects.postgresql import insert as postgresql_insert

            self._insert = postgresql_insert(_table).on_conflict_do_nothing()

    @classmethod
    def open(cls, settings: Settings) -> "Ledger":
        """Open the configured ledger and make its table where there is none.

        Raises:
            ConfigError: the URL is none that SQLAlchemy knows.
            LedgerUnavailable: the database does not answer.
        """
        if not settings.ledger.url:
            settings.state_dir.mkdir(parents=True, exist_ok=True)
            return cls._open(sa.URL.create("sqlite", database=str(settings.state_dir / "ledger.sqlite")))
        try:
            url = sa.make_url(settings.ledger.url)
        except sa.exc.ArgumentError:
            raise ConfigError([Fault("not-a-url", "ledger.url", "not a database URL")]) from None
        if url.get_backend_name() not in ("sqlite", "postgresql"):
            raise ConfigError([Fault("unknown-database", "ledger.url", "the ledger is SQLite or PostgreSQL")])
        if settings.ledger.password is not None:
            url = url.set(password=settings.ledger.password.get_secret_value())
        return cls._open(url)

    @classmethod
    def at(cls, path: Path) -> "Ledger":
        """Open an SQLite ledger in a file of its own."""
        return cls._open(sa.URL.create("sqlite", database=str(path)))

    @classmethod
    def _open(cls, url: sa.URL) -> "Ledger":
        try:
            if url.get_backend_name() == "sqlite":
                engine = sa.create_engine(url, connect_args={"timeout": 30})
                sa.event.listen(engine, "connect", _tune_sqlite)
            else:
                engine = sa.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 10})
            _metadata.create_all(engine)
        except (SQLAlchemyError, ImportError) as error:
            raise LedgerUnavailable(f"the ledger cannot be opened: {_reason(error)}") from None
        return cls(engine)

    async def earlier(self, examined: Sequence[Examined]) -> dict[tuple[str, str], Earlier]:
        """Return what is known of these (agency, id): see `decision.decide`.

        Raises:
            LedgerUnavailable: the database does not answer.
        """
        if not examined:
            return {}
        return await asyncio.to_thread(self._earlier, examined)

    def _earlier(self, examined: Sequence[Examined]) -> dict[tuple[str, str], Earlier]:
        columns = (_table.c.source, _table.c.id, _table.c.digest, _table.c.disposition, _table.c.recipients)
        found: dict[tuple[str, str], Earlier] = {}
        try:
            with self._engine.connect() as connection:
                ids = list({one.id for one in examined})
                for start in range(0, len(ids), _KEYS_AT_ONCE):
                    some = ids[start : start + _KEYS_AT_ONCE]
                    _collect(found, connection.execute(sa.select(*columns).where(_accepted, _table.c.id.in_(some))))
                for one in examined:
                    known = found.get(one.key)
                    if one.arrival.redelivered and (known is None or known.digest != one.digest):
                        same = (_table.c.source == one.arrival.agency) & (_table.c.id == one.id)
                        # A duplicate's line proves nothing of the message it repeats: that one may still have
                        # been under way when the broker fell, and unrecorded.
                        ended = (_table.c.digest == one.digest) & (_table.c.disposition != "duplicate")
                        _collect(found, connection.execute(sa.select(*columns).where(same, ended).limit(1)))
        except SQLAlchemyError as error:
            raise LedgerUnavailable(f"the ledger does not answer: {_reason(error)}") from None
        return found

    async def record(self, rows: list[dict[str, Any]]) -> None:
        """Write lines durably. What several lanes write at the same time goes into one transaction.

        A second accepted line of the same source and id (two brokers at once) is left out.

        Raises:
            LedgerUnavailable: nothing of it was written.
        """
        if not rows:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((rows, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_queued(), name="ledger writer")
        await done

    async def _write_queued(self) -> None:
        while self._queue:
            taken, self._queue = self._queue, []
            error: Exception | None = None
            try:
                await asyncio.to_thread(self._write, [row for rows, _ in taken for row in rows])
            except SQLAlchemyError as failure:
                error = LedgerUnavailable(f"the ledger cannot write: {_reason(failure)}")
            except Exception as failure:
                # A bug; whoever waits must hear of it, or would wait for good.
                error = failure
            for _, done in taken:
                if not done.done():
                    if error is None:
                        done.set_result(None)
                    else:
                        done.set_exception(error)

    def _write(self, rows: list[dict[str, Any]]) -> None:
        with self._engine.begin() as connection:
            connection.execute(self._insert, rows)

    async def find(self, *, id_: str | None = None, subject: str | None = None, limit: int = 1000) -> list[Record]:
        """Return the lines of an id or of a consignment's key, oldest first."""
        condition = _table.c.id == id_ if subject is None else _table.c.subject == subject
        return await asyncio.to_thread(self._select, condition, limit)

    async def counts(self) -> list[tuple[str, str, int]]:
        """Return (agency, disposition, how many) over all that is recorded."""
        columns = (_table.c.source, _table.c.disposition, sa.func.count())
        query = sa.select(*columns).group_by(_table.c.source, _table.c.disposition).order_by(*columns[:2])

        def run() -> list[tuple[str, str, int]]:
            with self._engine.connect() as connection:
                return [(row[0], row[1], row[2]) for row in connection.execute(query)]

        try:
            return await asyncio.to_thread(run)
        except SQLAlchemyError as error:
            raise LedgerUnavailable(f"the ledger does not answer: {_reason(error)}") from None

    def _select(self, condition: sa.ColumnElement[bool], limit: int) -> list[Record]:
        query = sa.select(_table).where(condition).order_by(_table.c.seq).limit(limit)
        try:
            with self._engine.connect() as connection:
                rows = connection.execute(query).mappings().all()
        except SQLAlchemyError as error:
            raise LedgerUnavailable(f"the ledger does not answer: {_reason(error)}") from None
        return [_record(dict(row)) for row in rows]

    async def close(self) -> None:
        """Finish writing and let the database go."""
        if self._writer is not None:
            await asyncio.wait([self._writer])
        await asyncio.to_thread(self._engine.dispose)


def _collect(found: dict[tuple[str, str], Earlier], rows: Iterable[Any]) -> None:
    for source, id_, digest, disposition, recipients in rows:
        found[(source, id_)] = Earlier(digest, disposition, recipients.count(":"))


def _record(row: dict[str, Any]) -> Record:
    del row["seq"]
    received, settled = row.pop("received_us"), row.pop("settled_us")
    return Record(
        **row
        | {
            "recipients": json.loads(row["recipients"]),
            "faults": json.loads(row["faults"]) if row["faults"] else [],
            "received": datetime.fromtimestamp(received / 1_000_000, UTC),
            "settled": datetime.fromtimestamp(settled / 1_000_000, UTC),
        }
    )


def _reason(error: BaseException) -> str:
    """The driver's words only: SQLAlchemy's own text repeats the statement and its parameters."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(cause).split())[:300]


def _tune_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    # FULL: a commit is on the disk before anything is acknowledged; groups share its cost.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "temp_store=MEMORY"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
