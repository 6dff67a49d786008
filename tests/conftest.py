"""What all tests share: one real RabbitMQ for the session, a virtual host for each test."""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from broker.node import PrivateNode
from tests.harness import House

# Shared machines stall for a moment now and then; a deadline would fail what is right.
# What decides over a change looks at the same examples each time; elsewhere each run looks at others.
hypothesis.settings.register_profile(
    "cbm",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("cbm")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def node() -> Iterator[PrivateNode]:
    """A private RabbitMQ of the session; killed by its own process id, since its files go too."""
    folder = Path(tempfile.mkdtemp(prefix="cbm-test-"))
    private = PrivateNode(folder, server=os.environ.get("CBM_TEST_RABBITMQ_SERVER", ""), schedulers=1)
    asyncio.run(private.start())
    # The processes are looked after by id from here on: each test has its own event loop.
    private._process = private._epmd = None
    yield private
    asyncio.run(private.kill())
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def house(node: PrivateNode, tmp_path: Path) -> AsyncIterator[House]:
    """A virtual host of its own, with a configuration of three agencies, and the means to run brokers on it."""
    house = House(node, tmp_path, f"t{uuid.uuid4().hex[:12]}")
    await house.build()
    yield house
    await house.tear_down()
