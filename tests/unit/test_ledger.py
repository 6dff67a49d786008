"""The ledger over SQLite: durable, one accepted line a message, writes grouped, errors without content.

Uses files and threads, no socket: the same promises over PostgreSQL are an integration test.
"""

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.decision import Decision, Earlier, Examined, examine
from broker.ledger import Ledger, row_of
from broker.settings import Settings
from schemas.errors import ConfigError, LedgerUnavailable
from tests.harness import BORDER, CUSTOMS, QUARANTINE, as_bytes
from tests.unit.strategies import NOW
from tests.unit.test_decision import AGREEMENTS, LIMITS, arrival, decided, held

SECRET = "s3cr3t-subject"


def row(decision: Decision) -> dict[str, Any]:
    return row_of(decision, AGREEMENTS.version, NOW)


def seen(body: bytes, *, agency: str = CUSTOMS, redelivered: bool = False) -> Examined:
    return examine(arrival(body, agency, redelivered=redelivered), AGREEMENTS, LIMITS, NOW)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = Ledger.at(tmp_path / "ledger.sqlite")
    yield opened
    await opened.close()


async def test_what_was_recorded_is_there_after_opening_again(tmp_path: Path) -> None:
    body = as_bytes(held(id="1"))
    first = Ledger.at(tmp_path / "ledger.sqlite")
    await first.record([row(decided(arrival(body)))])
    await first.close()
    second = Ledger.at(tmp_path / "ledger.sqlite")
    found = await second.find(id_="1")
    assert [(r.source, r.disposition, r.recipients) for r in found] == [
        (CUSTOMS, "accepted", {QUARANTINE: "customs-to-quarantine"})
    ]
    assert (found[0].digest, found[0].size_bytes) == (hashlib.sha256(body).hexdigest(), len(body))
    assert (found[0].received, found[0].agreements) == (NOW, AGREEMENTS.version)
    assert await second.earlier([seen(body)]) == {(CUSTOMS, "1"): Earlier(found[0].digest, "accepted", 1)}
    await second.close()


async def test_a_commit_is_on_the_disk_before_record_returns(ledger: Ledger, tmp_path: Path) -> None:
    await ledger.record([row(decided(arrival(held(id="1"))))])
    other = sqlite3.connect(f"file:{tmp_path / 'ledger.sqlite'}?mode=ro", uri=True)
    assert other.execute("SELECT count(*) FROM disposition").fetchone() == (1,)
    other.close()
    with ledger._engine.connect() as connection:
        # 2 is FULL: written through at each commit.
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


async def test_what_many_write_at_once_goes_into_few_transactions(ledger: Ledger) -> None:
    transactions = 0
    write = ledger._write

    def counted(rows: list[dict[str, Any]]) -> None:
        nonlocal transactions
        transactions += 1
        write(rows)

    ledger._write = counted  # type: ignore[method-assign]
    await asyncio.gather(*(ledger.record([row(decided(arrival(held(id=str(n)))))]) for n in range(200)))
    assert await ledger.counts() == [(CUSTOMS, "accepted", 200)]
    assert transactions <= 3


async def test_a_message_is_accepted_once_and_the_first_line_stays(ledger: Ledger) -> None:
    one, other = decided(arrival(held(id="1"))), decided(arrival(held(id="1", subject="other")))
    await ledger.record([row(one)])
    await ledger.record([row(other)])
    assert [r.digest for r in await ledger.find(id_="1")] == [one.examined.digest]


async def test_the_same_id_of_two_agencies_is_two_messages(ledger: Ledger) -> None:
    await ledger.record([row(decided(arrival(held(id="1"))))])
    of_other = as_bytes(held(id="1", source=BORDER))
    assert await ledger.earlier([seen(of_other, agency=BORDER)]) == {
        (CUSTOMS, "1"): Earlier((await ledger.find(id_="1"))[0].digest, "accepted", 1)
    }


async def test_what_was_refused_is_known_again_only_for_the_same_delivery(ledger: Ledger) -> None:
    body = as_bytes(held(id="1", tlp="PINK"))
    await ledger.record([row(decided(arrival(body)))])
    assert await ledger.earlier([seen(body)]) == {}
    digest = hashlib.sha256(body).hexdigest()
    assert await ledger.earlier([seen(body, redelivered=True)]) == {(CUSTOMS, "1"): Earlier(digest, "refused", 0)}
    assert await ledger.earlier([seen(as_bytes(held(id="1", tlp="BLUE")), redelivered=True)]) == {}


async def test_the_line_of_a_duplicate_does_not_stand_for_the_message_it_repeats(ledger: Ledger) -> None:
    # The broker fell after the repeat was recorded and before the first one was: that one is still to be delivered.
    body = as_bytes(held(id="1"))
    digest = hashlib.sha256(body).hexdigest()
    await ledger.record([row(decided(arrival(body), Earlier(digest, "accepted", 1)))])
    assert [r.disposition for r in await ledger.find(id_="1")] == ["duplicate"]
    assert await ledger.earlier([seen(body, redelivered=True)]) == {}


async def test_more_ids_than_one_statement_takes_are_looked_up(ledger: Ledger) -> None:
    bodies = [as_bytes(held(id=str(n))) for n in range(1201)]
    await ledger.record([row(decided(arrival(body))) for body in bodies])
    assert len(await ledger.earlier([seen(body) for body in bodies])) == 1201


async def test_lines_are_found_by_the_consignments_key_oldest_first(ledger: Ledger) -> None:
    for number in range(3):
        await ledger.record([row(decided(arrival(held(id=str(number), subject="S"))))])
    await ledger.record([row(decided(arrival(held(id="9", subject="T"))))])
    assert [r.id for r in await ledger.find(subject="S")] == ["0", "1", "2"]
    assert [r.id for r in await ledger.find(subject="S", limit=2)] == ["0", "1"]


async def test_faults_and_times_come_back_as_they_went_in(ledger: Ledger) -> None:
    decision = decided(arrival(held(id="1", tlp="PINK")))
    await ledger.record([row_of(decision, "v", NOW + timedelta(microseconds=1))])
    found = (await ledger.find(id_="1"))[0]
    assert found.faults == [fault.as_json() for fault in decision.faults]
    assert found.settled - found.received == timedelta(microseconds=1)


async def test_an_error_of_the_disk_is_said_without_what_was_to_be_written(ledger: Ledger, tmp_path: Path) -> None:
    rows = [row(decided(arrival(held(id=SECRET, subject=SECRET))))]
    # A read-only database is what a full or broken disk looks like from here.
    with ledger._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=ON")
    with pytest.raises(LedgerUnavailable) as caught:
        await ledger.record(rows)
    said = str(caught.value) + repr(caught.value.__cause__)
    assert "readonly" in said
    assert SECRET not in said
    assert "INSERT" not in said
    with ledger._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=OFF")
    await ledger.record(rows)
    assert len(await ledger.find(id_=SECRET)) == 1


async def test_a_table_that_is_gone_is_unavailable_to_every_question(ledger: Ledger, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "ledger.sqlite")
    other.execute("DROP TABLE disposition")
    other.close()
    questions = [
        ledger.earlier([seen(as_bytes(held(id=SECRET)))]),
        ledger.find(id_=SECRET),
        ledger.counts(),
        ledger.record([row(decided(arrival(held(id=SECRET))))]),
    ]
    for question in questions:
        with pytest.raises(LedgerUnavailable) as caught:
            await question
        assert SECRET not in str(caught.value)


async def test_a_line_that_no_database_takes_fails_for_those_who_wait_and_not_for_later_ones(ledger: Ledger) -> None:
    good = row(decided(arrival(held(id="1"))))
    with pytest.raises(UnicodeEncodeError):
        await asyncio.wait_for(ledger.record([good | {"id": "\ud800"}]), 5)
    await asyncio.wait_for(ledger.record([good]), 5)
    assert len(await ledger.find(id_="1")) == 1


async def test_a_folder_that_is_none_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable):
        Ledger.at(tmp_path / "none" / "ledger.sqlite")


@pytest.mark.parametrize("url", ["mysql://host/db", "no url at all"])
def test_another_database_is_a_fault_of_the_configuration(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Ledger.open(Settings.model_validate({"ledger": {"url": url}}))
    assert caught.value.faults[0].pointer == "ledger.url"


async def test_the_default_ledger_is_a_file_under_the_state_folder(tmp_path: Path) -> None:
    opened = Ledger.open(Settings.model_validate({"node": {"state_dir": tmp_path / "state"}}))
    await opened.close()
    assert (tmp_path / "state" / "ledger.sqlite").is_file()
