"""What goes onto the wire of a publish, held to pika's own bytes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import frame, spec

from broker.amqp import properties
from broker.frames import publish_frames

_BODY_MAX = 131_064
_short = st.text(max_size=60)
_maybe = st.none() | _short
_headers = st.none() | st.dictionaries(_short, st.text() | st.lists(st.text()))


def as_pika_writes_it(
    channel: int, exchange: str, key: str, body: bytes, props: Any, body_max: int, mandatory: bool = True
) -> bytes:
    method = spec.Basic.Publish(exchange=exchange, routing_key=key, mandatory=mandatory)
    parts = [frame.Method(channel, method), frame.Header(channel, len(body), props)]
    parts += [frame.Body(channel, body[start : start + body_max]) for start in range(0, len(body), body_max)]
    return b"".join(part.marshal() for part in parts)


@given(
    channel=st.integers(1, 65_535),
    exchange=_short,
    key=_short,
    body=st.binary(max_size=100),
    body_max=st.integers(1, 40),
    headers=_headers,
    values=st.fixed_dictionaries(dict.fromkeys(("message_id", "type_", "app_id", "correlation_id", "user_id"), _maybe)),
    mandatory=st.booleans(),
)
def test_a_publish_is_written_as_pika_writes_it(
    channel: int,
    exchange: str,
    key: str,
    body: bytes,
    body_max: int,
    headers: dict[str, Any] | None,
    values: dict[str, str | None],
    mandatory: bool,
) -> None:
    props = properties(content_type="application/cloudevents+json", headers=headers, **values)
    ours = b"".join(publish_frames(channel, exchange, key, body, props, body_max, mandatory=mandatory))
    assert ours == as_pika_writes_it(channel, exchange, key, body, props, body_max, mandatory)


@pytest.mark.parametrize("size", [0, 1, _BODY_MAX - 1, _BODY_MAX, _BODY_MAX + 1, 1024 * 1024])
def test_a_body_is_cut_into_frames_where_pika_cuts_it(size: int) -> None:
    body, props = bytes(size), properties(content_type="text/plain")
    ours = b"".join(publish_frames(3, "deliver", "key", body, props, _BODY_MAX))
    assert ours == as_pika_writes_it(3, "deliver", "key", body, props, _BODY_MAX)


@pytest.mark.parametrize(
    "headers",
    [{"n": 1}, {"n": True}, {"n": None}, {"n": 1.5}, {"n": {"m": "o"}}, {"n": [1]}, {"n": b"m"}, {"x" * 256: "m"}],
)
def test_a_header_that_is_not_known_here_is_left_to_pika(headers: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        publish_frames(1, "deliver", "key", b"", properties(content_type="text/plain", headers=headers), _BODY_MAX)


@pytest.mark.parametrize("key", ["k" * 256, "\ud800"])
def test_a_key_that_amqp_cannot_hold_is_left_to_pika_to_refuse(key: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        publish_frames(1, "deliver", key, b"", properties(content_type="text/plain"), _BODY_MAX)
