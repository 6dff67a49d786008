"""What acceptance tests share: a port that runs for all tests of one module, since a start costs seconds."""

import signal
from collections.abc import Iterator

import pytest

from tests.acceptance.seaport import Seaport, port

# A shell that runs the tests in the background has them, and all they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def seaport(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaport]:
    """A port with everything running; its log is `seaport.log`."""
    with port(tmp_path_factory.mktemp("port")) as running:
        running.log = running.up()
        yield running
