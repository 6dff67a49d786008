"""The same value again: what counts as one, what does not, and that looking for it takes no long time."""

import time

import pytest

from broker.hunt import MARK, MIN_HUNTED_CHARACTERS, Hunt, Numeral, marked, plain


@pytest.mark.parametrize(
    ("hidden", "text"),
    [
        ("ACME Plants Ltd", "for acme plants LTD only"),
        ("ACME Plants Ltd", "ACMEPLANTSLTD-7"),
        ("6KR12345678", "6kr 1234-5678"),
        ("6KR12345678", "XX6KR12345678YY"),
        ("Müller & Söhne", "MULLER SOHNE"),
        ("Müller & Söhne", "mu\u0308ller so\u0308hne"),
        ("Straße 7", "STRASSE 7"),
        ("İzmir Diyarbakır", "izmir DIYARBAKIR"),
        ("ACME", "ＡＣＭＥ"),
        ("ACME", "AC\u200bME"),
        ("김철수상사", "김철수상사가 보낸"),
        ("김철수상사", "\u1100\u1175\u11b7\u110e\u1165\u11af\u1109\u116e\u1109\u1161\u11bc\u1109\u1161"),
        ("1250.50", "1250.5"),
        ("001250", "1,250"),
        (Numeral("1250.50"), "1.250,50 EUR"),
        (Numeral("1.2505e3"), "1250.5"),
        (Numeral("12500.0"), "12500"),
        (12500, "12 500 kg"),
        ("12.5", "at 12.5 metres"),
        ("2026-06-01T12:00:00Z", "2026-06-01T21:00:00+09:00"),
        ("2026-06-01T12:00:00.000Z", "since 2026-06-01 14:00:00+02:00 hours"),
        ("☂☂☂☂", "so: ☂☂ ☂☂"),
        ("2026-06-01", "2026-06-01T12:00:00Z"),
    ],
)
def test_a_value_is_found_in_whatever_way_it_is_written(hidden: str | float, text: str) -> None:
    assert Hunt([hidden]).spans(text)


@pytest.mark.parametrize(
    ("hidden", "text"),
    [
        ("ACME Plants Ltd", "plants of another"),
        ("KR", "KRPUS"),
        ("A-1", "A-1"),
        ("12", "12"),
        ("0.05", "005005"),
        ("2026", "2026-06-01T12:00:00Z"),
        ("2026-06-01T12:00:00Z", "2026-06-01T12:00:00+09:00"),
    ],
)
def test_what_is_another_value_or_a_short_word_is_left(hidden: str, text: str) -> None:
    assert Hunt([hidden]).spans(text) == []


def test_a_number_is_found_as_a_number_however_it_is_spelt() -> None:
    hunt = Hunt(["1250.50", Numeral("7e6")])
    assert hunt.finds(Numeral("1250.5"))
    assert hunt.finds(Numeral("1.2505e3"))
    assert hunt.finds(7_000_000)
    assert not hunt.finds(1251)
    assert [plain(n) for n in (Numeral("12.50"), Numeral("1e3"), 0, -7)] == ["12.5", "1000", "0", "-7"]
    assert plain(Numeral("1e400")) == "1e400"


def test_the_whole_word_goes_that_would_tell_what_is_missing() -> None:
    text = "merchandise of Mr Chan, in Chang's store"
    assert marked(text, Hunt(["Chan"]).spans(text)) == f"{MARK} of Mr {MARK}, in {MARK}'s store"


def test_of_two_values_one_within_the_other_both_go() -> None:
    text = "ACME Trading House and ACME"
    assert marked(text, Hunt(["ACME", "ACME Trading House"]).spans(text)) == f"{MARK} and {MARK}"


def test_a_text_that_is_the_value_leaves_nothing_to_read() -> None:
    assert marked("(acme)", Hunt(["ACME"]).spans("(acme)")) is None


def test_a_value_has_to_be_of_so_many_characters_to_be_hunted() -> None:
    assert MIN_HUNTED_CHARACTERS == 4
    assert [bool(Hunt([value]).spans("x AB CD x")) for value in ("ABC", "ABCD", "A  B")] == [False, True, False]


@pytest.mark.parametrize(
    ("hidden", "text"),
    [
        ([f"{n:08d}" for n in range(30_000)], "x" * 500_000),
        (["A" * n + "B" for n in range(4, 900)], "A" * 500_000),
        ([f"AAAA{n:05d}" for n in range(30_000)], "AAAA0" * 50_000),
        (["ABCD"], "ABCD " * 100_000),
        ([f"{n}-{n}-{n}" for n in range(10)], "1-1-" * 100_000),
    ],
    ids=["many", "alike", "one beginning", "everywhere", "punctuation"],
)
def test_a_message_made_to_be_slow_takes_no_long_time_and_still_tells_nothing(hidden: list[str], text: str) -> None:
    began = time.process_time()
    hunt = Hunt(hidden)
    spans = hunt.spans(text)
    assert time.process_time() - began < 3
    assert not any(value in text and not spans for value in hidden[:100])
    # What could not be looked through counts as found.
    left = marked(text, spans) if spans else text
    assert left is None or not any(value in left for value in hidden[:100])
