"""Topic patterns match keys as RabbitMQ matches them."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.names import key_matcher


@cache
def as_the_standard_says(pattern: tuple[str, ...], key: tuple[str, ...]) -> bool:
    """AMQP 0-9-1, section 3.1.3.3, written down word by word."""
    if not pattern:
        return not key
    if pattern[0] == "#":
        return as_the_standard_says(pattern[1:], key) or (bool(key) and as_the_standard_says(pattern, key[1:]))
    return bool(key) and pattern[0] in ("*", key[0]) and as_the_standard_says(pattern[1:], key[1:])


words = st.sampled_from(["shipment", "held", "KR", "-", "a+b"])


@given(st.lists(words | st.sampled_from("*#"), min_size=1, max_size=6), st.lists(words, min_size=1, max_size=6))
def test_patterns_match_as_the_standard_says(pattern: list[str], key: list[str]) -> None:
    assert key_matcher(".".join(pattern))(".".join(key)) == as_the_standard_says(tuple(pattern), tuple(key))


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("shipment.held.KR.KRPUS", True),
        ("shipment.#", True),
        ("#", True),
        ("#.KRPUS", True),
        ("shipment.*.KR.*", True),
        ("#.#.#", True),
        ("shipment.*", False),
        ("shipment.held.KR.KRPUS.#.*", False),
        ("ship.#", False),
        ("shipmentXheld.KR.KRPUS", False),
    ],
)
def test_what_a_pattern_takes_of_a_hold_at_busan(pattern: str, matched: bool) -> None:
    assert key_matcher(pattern)("shipment.held.KR.KRPUS") is matched


def test_a_pattern_of_many_hashes_is_not_slow() -> None:
    # Without folding them the search would take longer than the age of the world.
    assert not key_matcher(".".join(["#"] * 40 + ["end"]))(".".join(["x"] * 40))
