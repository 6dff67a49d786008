"""What all tests share: one real RabbitMQ for the session, a virtual host for each test."""

import asyncio
import os
import shutil
import signal
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
CLEAN_UP_S, AGAIN_S = 120.0, 30.0


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(item: pytest.Item) -> Iterator[None]:
    """Let a test's alarm ring again: the first may end only a task of it, and what cleans up after it may hang too."""
    done = yield
    left_s, _ = signal.getitimer(signal.ITIMER_REAL)
    if left_s > 0:
        signal.setitimer(signal.ITIMER_REAL, left_s, AGAIN_S)
    return done  # type: ignore[return-value]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Watch over the clean-up of a test that failed: its failure ended the alarm."""
    if signal.getitimer(signal.ITIMER_REAL)[0] > 0:
        return (yield)

    def ring(*_: object) -> None:
        pytest.fail(f"the clean-up took longer than {CLEAN_UP_S:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, CLEAN_UP_S, AGAIN_S)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


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
