"""Which end of a process ends everything, and which is that process's own."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from broker.settings import Settings
from broker.supervisor import Child, Supervisor


class Staged(Supervisor):
    """Its processes end at once with the status that is set for them, or never."""

    statuses: dict[str, int]
    runs: Counter[str]

    async def _run(self, child: Child) -> int:
        self.runs[child.name] += 1
        if child.name not in self.statuses:
            await asyncio.Event().wait()
        return self.statuses[child.name]


async def ended(folder: Path, statuses: dict[str, int]) -> tuple[int | None, Counter[str]]:
    """Return the status that ends everything within a second, None if nothing does, and how often each ran."""
    agency = {"id": "kr.customs", "name": "Customs", "sector": "customs"}
    settings = Settings.model_validate(
        {
            "node": {"state_dir": folder},
            "rabbitmq": {"url": "amqp://rabbitmq.example"},
            "agency": [agency],
            "adapter": [{"agency": "kr.customs", "inbox": "in", "outbox": "out"}],
        }
    )
    staged = Staged(settings, folder / "cbm.toml", logs=None)
    staged.statuses, staged.runs = statuses, Counter()
    await staged.start(lambda _: None)
    try:
        return await asyncio.wait_for(staged.wait(), 1.0), staged.runs
    except TimeoutError:
        return None, staged.runs
    finally:
        await staged.stop(lambda _: None)


@pytest.mark.parametrize("status", [2, 6])
async def test_a_broker_that_is_refused_or_wrongly_configured_ends_everything(tmp_path: Path, status: int) -> None:
    assert (await ended(tmp_path, {"broker": status}))[0] == status


async def test_an_agency_that_is_refused_is_tried_again_and_ends_nobody_else(tmp_path: Path) -> None:
    status, runs = await ended(tmp_path, {"adapter.kr.customs": 6})
    assert status is None
    assert runs["adapter.kr.customs"] >= 2
    assert runs["broker"] == 1


async def test_what_crashes_is_started_again(tmp_path: Path) -> None:
    status, runs = await ended(tmp_path, {"broker": 1})
    assert status is None
    assert runs["broker"] >= 2
