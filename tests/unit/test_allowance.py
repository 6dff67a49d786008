"""An agency's share of the quarantine: used up, in debt once, refilled with time."""

from broker.allowance import Allowance


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_what_is_used_up_comes_back_evenly_over_an_hour() -> None:
    clock = Clock()
    allowance = Allowance(3600, 10**9, clock)
    allowance.use(3600, 1)
    assert allowance.wait_s() == 0, "just used up; the next may still go, into debt"
    allowance.use(10, 1)
    assert round(allowance.wait_s(), 3) == 10
    clock.now += 4
    assert round(allowance.wait_s(), 3) == 6
    clock.now += 6.001
    assert allowance.wait_s() == 0


def test_bytes_count_as_much_as_messages_and_the_longer_wait_holds() -> None:
    clock = Clock()
    allowance = Allowance(3600, 3600, clock)
    allowance.use(3605, 3650)
    assert round(allowance.wait_s(), 3) == 50
    clock.now += 50.001
    assert allowance.wait_s() == 0


def test_no_more_than_an_hours_share_is_ever_saved_up() -> None:
    clock = Clock()
    allowance = Allowance(100, 100, clock)
    clock.now += 10**6
    allowance.use(101, 0)
    assert allowance.wait_s() > 0
