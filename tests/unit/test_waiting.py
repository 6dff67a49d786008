"""What waits for RabbitMQ ends when it should: not at the first doubt, and at once when it is told to."""

import asyncio
from typing import Any

import pytest

from broker import client
from broker.amqp import Confirmations
from schemas.errors import NotAuthorised, Unreachable


class Opened:
    """A session that is open."""

    is_open = True


def answering(monkeypatch: pytest.MonkeyPatch, answers: list[Any]) -> None:
    """Have RabbitMQ answer so, the last answer again and again."""

    async def open_(*_: Any, **__: Any) -> Any:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(client.Session, "open", open_)
    monkeypatch.setattr(client, "_WAIT_MAX_S", 0.02)


async def test_one_refusal_after_a_long_absence_is_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_REFUSED_FOR_S", 0.1)
    opened = Opened()
    answering(monkeypatch, [*[Unreachable("away")] * 20, NotAuthorised("going down while it greets"), opened])
    assert await client.Link("amqp://rabbitmq.example", "test").session() is opened


async def test_a_refusal_that_lasts_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_REFUSED_FOR_S", 0.1)
    answering(monkeypatch, [Unreachable("away"), NotAuthorised("no")])
    async with asyncio.timeout(20):
        with pytest.raises(NotAuthorised):
            await client.Link("amqp://rabbitmq.example", "test").session()


async def test_a_cancellation_that_comes_with_the_last_confirm_is_not_forgotten() -> None:
    group = Confirmations()
    group.expect()
    waiting = asyncio.create_task(group.wait(20))
    await asyncio.sleep(0)
    group.settle(0, None)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
