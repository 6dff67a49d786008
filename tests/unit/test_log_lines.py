"""What is logged comes out line by line, whole and in order, however it is written."""

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from broker import logs
from broker.logs import configure, log, together


class Pipe(io.BytesIO):
    """Remembers what came with each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        self.writes.append(data)
        return super().write(data)

    @property
    def ids(self) -> list[str]:
        return [json.loads(line)["message_id"] for line in self.getvalue().splitlines()]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    before, lines = structlog.get_config(), logs._lines
    pipe = Pipe()
    configure(form="json", stream=pipe)
    yield pipe
    structlog.configure(**before)
    logs._lines = lines


def test_a_line_is_written_when_it_is_logged(pipe: Pipe) -> None:
    log.info("message.settled", message_id="1")
    assert pipe.ids == ["1"]


def test_lines_logged_together_are_all_written_in_order_and_none_is_torn(pipe: Pipe) -> None:
    names = [f"{number}{'x' * (number % 700)}" for number in range(200)]
    with together():
        for name in names:
            log.info("message.settled", message_id=name)
    assert pipe.ids == names
    assert len(pipe.writes) < len(names) / 2
    assert all(write.endswith(b"\n") and len(write) <= 4096 for write in pipe.writes)


def test_a_line_longer_than_a_pipe_takes_whole_is_written_all_the_same(pipe: Pipe) -> None:
    with together():
        for name in ("1", "2" * 10_000, "3"):
            log.info("message.settled", message_id=name)
    assert pipe.ids == ["1", "2" * 10_000, "3"]


def test_what_was_logged_before_an_error_is_not_lost(pipe: Pipe) -> None:
    def fail() -> None:
        with together():
            log.info("message.settled", message_id="1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    log.info("message.settled", message_id="2")
    assert pipe.ids == ["1", "2"]


def test_a_full_disk_stops_the_log_and_not_what_is_logged(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(data: bytes, /) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(pipe, "write", full)
        log.info("message.settled", message_id="lost")
        with together():
            log.info("message.settled", message_id="lost too")
    log.info("message.settled", message_id="kept")
    assert pipe.ids == ["kept"]
