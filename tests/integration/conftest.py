"""A second RabbitMQ for tests that stop it or raise its alarms: the session's own is everybody's."""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from broker.node import PrivateNode
from tests.harness import House


@pytest.fixture(scope="session")
def own_node() -> Iterator[PrivateNode]:
    """A node that a test may stop and start, and leaves running."""
    folder = Path(tempfile.mkdtemp(prefix="cbm-own-"))
    private = PrivateNode(folder, server=os.environ.get("CBM_TEST_RABBITMQ_SERVER", ""), schedulers=1)
    asyncio.run(private.start())
    forget_processes(private)
    yield private
    asyncio.run(private.kill())
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def own_house(own_node: PrivateNode, tmp_path: Path) -> AsyncIterator[House]:
    """A virtual host on the node that may be stopped."""
    house = House(own_node, tmp_path, f"t{uuid.uuid4().hex[:12]}")
    await house.build()
    yield house
    await house.tear_down()


def forget_processes(node: PrivateNode) -> None:
    """Leave the processes to their ids: each test has its own event loop, and they outlive it."""
    node._process = node._epmd = None


async def control(node: PrivateNode, *arguments: str) -> str:
    """Run rabbitmqctl against a node."""
    server = shutil.which(os.environ.get("CBM_TEST_RABBITMQ_SERVER", "")) or "/usr/lib/rabbitmq/bin/rabbitmq-server"
    # Beside the server that is tested, if it stands there; that of another version does as well.
    beside = Path(server).with_name("rabbitmqctl")
    process = await asyncio.create_subprocess_exec(
        str(beside if beside.exists() else "/usr/lib/rabbitmq/bin/rabbitmqctl"),
        *arguments,
        env=node._environment(),
        cwd=node.folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()
