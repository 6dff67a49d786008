"""The ports of a private node: free, and left alone by everybody else between two runs."""

import socket

import pytest

from broker import node
from schemas.errors import Unreachable


def test_the_ports_drawn_differ_and_lie_below_those_that_systems_hand_out() -> None:
    drawn = node.free_ports(200)
    assert len(set(drawn)) == 200
    assert min(drawn) > 1024
    assert max(drawn) < 32768


def test_a_port_that_somebody_listens_on_or_that_is_ours_already_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, other = node.free_ports(2)
    monkeypatch.setattr(node, "_PORTS", (taken, other))
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", taken))
        somebody.listen()
        assert node.free_ports(1) == [other]
        with pytest.raises(Unreachable):
            node.free_ports(1, but=[other])
