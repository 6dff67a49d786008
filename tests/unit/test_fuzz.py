"""The fuzzing's own check: what breaks a promise is told, and a refusal is none."""

import time
from typing import Any

import pytest

from adapters.formats import FORMATS
from bench.fuzz import ROOT, Broken, read, seeds, words
from schemas.errors import Fault, TranslationError


class Reader:
    """A reader that does one thing to every document."""

    name, title, suffix = "reader", "A reader", ".txt"
    can_read, can_write = True, False

    def __init__(self, act: Any) -> None:
        self._act = act

    def recognise(self, _: Any) -> float:
        return 0.0

    def read(self, *_: Any) -> Any:
        return self._act()


def work(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    raise TranslationError([Fault("slow", "", "refused at last")])


def refuse(*faults: Fault) -> None:
    raise TranslationError(list(faults))


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda: {}["x"], KeyError),
        (lambda: work(0.05), Broken),
        (lambda: refuse(), Broken),
    ],
)
def test_an_exception_slowness_and_a_refusal_without_a_reason_are_told(
    monkeypatch: pytest.MonkeyPatch, act: Any, expected: type[Exception]
) -> None:
    monkeypatch.setitem(FORMATS, "reader", Reader(act))  # type: ignore[arg-type]
    monkeypatch.setattr("bench.fuzz.SECONDS_PER_100_KB", 0.02)
    with pytest.raises(expected):
        read("reader", b"x")


def test_a_refusal_with_a_reason_is_what_is_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    act = lambda: refuse(Fault("a", "b", "c"))  # noqa: E731
    monkeypatch.setitem(FORMATS, "reader", Reader(act))  # type: ignore[arg-type]
    read("reader", b"x")


def test_the_examples_are_seeds_of_every_reader_and_their_words_the_dictionary() -> None:
    folders = [ROOT / "examples"]
    found = {name: seeds(name, folders) for name, one in FORMATS.items() if one.can_read}
    assert [name for name, documents in found.items() if not documents] == []
    assert b"SPSConsignment" in b" ".join(words(found["sps-certificate"]))
