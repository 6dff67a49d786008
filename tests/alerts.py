"""Alerts for property tests: clean ones, that CAP can say to the last letter, and wild ones, that it cannot."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from adapters import cap_codes as codes
from adapters import cap_words as words
from adapters.profile import NEUTRAL
from schemas import Message, build
from schemas.base import present
from schemas.codes import container_check_digit
from schemas.envelope import is_text

AGENCIES = ("kr.customs", "kr.quarantine", "kr.border")
_LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn", "Zl", "Zp"))

lines = st.text(_LETTERS, min_size=1, max_size=30).map(lambda text: " ".join(text.split())).filter(bool)
paragraphs = st.lists(lines, min_size=1, max_size=3).map("\n".join)
# Whatever JSON can carry, what XML cannot hold included.
wild = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).flatmap(  # noqa: DTZ001 (the zone is drawn next)
    lambda moment: offsets.map(lambda zone: moment.replace(microsecond=0, tzinfo=zone))
)
_codes = st.from_regex(r"[A-Z0-9]{1,12}", fullmatch=True)
_names = lines.filter(lambda name: not name.startswith("cbm:") and codes.reference(NEUTRAL, name) is None)
_items = lines.map(lambda text: text.replace('"', "")).map(lambda text: " ".join(text.split())).filter(bool)
_unmarked = paragraphs.filter(lambda text: words.marking_in(text) is None)
_references = st.builds("{},{},2026-03-01T08:00:00+09:00".format, _codes, _codes)
_containers = st.from_regex(r"[A-Z]{3}U[0-9]{6}", fullmatch=True).map(lambda n: f"{n}{container_check_digit(n)}")
_numbers = st.integers(-(10**6), 10**6).map(lambda hundredths: hundredths / 100)
_degrees = st.tuples(st.integers(-90, 90), st.integers(-180, 180))


def _absent(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def _pairs(names: st.SearchStrategy[str] = _names) -> st.SearchStrategy[list[dict[str, str]]]:
    return st.lists(st.fixed_dictionaries({"value_name": names, "value": paragraphs}), max_size=3)


_polygons = st.lists(_degrees, min_size=3, max_size=5).map(
    lambda points: " ".join(f"{latitude},{longitude}" for latitude, longitude in [*points, points[0]])
)
_circles = st.builds("{},{} {}".format, st.integers(-90, 90), st.integers(-180, 180), st.integers(0, 500))
_areas = st.builds(
    present,
    area_desc=paragraphs,
    polygon=st.lists(_polygons, max_size=2),
    circle=st.lists(_circles, max_size=2),
    geocode=_pairs(),
    altitude=_absent(_numbers),
    ceiling=_absent(_numbers),
)
_identifiers = st.one_of(
    st.builds(present, scheme=st.just("container"), value=_containers),
    st.builds(
        present,
        scheme=st.sampled_from([scheme for scheme in words.SCHEMES if scheme != "container"]),
        value=_codes,
        issuer=_absent(lines),
    ),
)
_places = st.builds(
    present,
    locode=_absent(st.sampled_from(["KRPUS", "KRINC", "NLRTM"])),
    country=_absent(st.sampled_from(["KR", "NL", "XI"])),
    name=_absent(lines),
    facility=_absent(lines),
).filter(bool)
_profiles = st.builds(
    present,
    hs=st.lists(st.from_regex(r"[0-9]{2,10}", fullmatch=True), max_size=2),
    origin=st.lists(st.sampled_from(["TH", "VN", "AR"]), max_size=2),
    party=st.lists(lines, max_size=2),
).filter(bool)


@st.composite
def _infos(draw: st.DrawFn) -> dict[str, Any]:
    language = draw(st.sampled_from([None, "ko-KR", "en-US", "fr"]))
    event = draw(lines)
    others = {"ko-KR", "en-US", "fr", "zh-tw"} - {language or words.DEFAULT_LANGUAGE}
    translations = [
        present(
            language=other,
            event=draw(_absent(lines.filter(lambda text: text != event))),
            headline=draw(_absent(paragraphs)),
            description=draw(_absent(paragraphs)),
            instruction=draw(_absent(paragraphs)),
        )
        for other in sorted(others)
        if draw(st.booleans())
    ]
    return present(
        language=language,
        category=draw(st.lists(st.sampled_from(words.CATEGORIES), min_size=1, max_size=3, unique=True)),
        event=event,
        urgency=draw(st.sampled_from(words.URGENCIES)),
        severity=draw(st.sampled_from(words.SEVERITIES)),
        certainty=draw(st.sampled_from(words.CERTAINTIES)),
        response_type=draw(st.lists(st.sampled_from(words.RESPONSE_TYPES), max_size=2, unique=True)),
        translations=translations,
        **{name: draw(_absent(paragraphs)) for name in ("headline", "description", "instruction", "audience")},
        **{name: draw(_absent(moments)) for name in ("effective", "onset", "expires")},
        **{name: draw(_absent(lines)) for name in ("sender_name", "contact")},
        web=draw(_absent(st.just("https://quarantine.example.org/pests?id=7&lang=ko#map"))),
        event_code=draw(_pairs()),
        parameters=draw(_pairs()),
        areas=draw(st.lists(_areas, max_size=2)),
        about=draw(st.lists(_identifiers, max_size=3, unique_by=lambda one: (one["scheme"], one["value"]))),
        place=draw(_absent(_places)),
        profile=draw(_absent(_profiles)),
        zone_assumed=draw(st.none() | st.just(True)),
    )


@st.composite
def clean_alerts(draw: st.DrawFn) -> Message:
    """Alert messages that hold nothing that CAP 1.2 and cbm's parameters could not say."""
    msg_type = draw(st.sampled_from(words.MSG_TYPES))
    status = draw(st.sampled_from(words.STATUSES))
    scope = draw(st.sampled_from(words.SCOPES))
    named = sorted(draw(st.sets(st.sampled_from(AGENCIES), max_size=3))) if scope == "Private" else []
    marking = {"Public": "CLEAR", "Private": "RED" if named else "AMBER+STRICT"}.get(scope)
    sent = draw(moments)
    data = present(
        status=status,
        msg_type=msg_type,
        scope=scope,
        sender=draw(_absent(lines)),
        source=draw(_absent(lines)),
        restriction=draw(_absent(_unmarked)),
        addresses=named or draw(st.lists(_items.filter(lambda text: "." not in text), max_size=2)),
        code=draw(st.lists(lines.filter(lambda text: words.marking_in(text) is None), max_size=2)),
        note=draw(_absent(paragraphs)),
        references=draw(st.lists(_references, max_size=2)),
        incidents=draw(st.lists(_items, max_size=2)),
    )
    silent = msg_type in ("Cancel", "Ack", "Error") and draw(st.booleans())
    data |= {} if silent else draw(_infos())
    expires = data.get("expires")
    return _message(
        type=words.TYPE_OF_MSG[msg_type],
        subject=draw(st.from_regex(r"[A-Za-z0-9:./_#-]{1,40}", fullmatch=True)),
        time=sent,
        tlp=marking or draw(st.sampled_from(["GREEN", "AMBER", "AMBER+STRICT"])),
        recipients=" ".join(named),
        test=True if status in ("Test", "Exercise", "Draft") else None,
        expires=expires if expires and expires > sent and msg_type in ("Alert", "Update") else None,
        data=data,
    )


@st.composite
def wild_alerts(draw: st.DrawFn) -> Message:
    """Alert messages that another system may have published: any text anywhere, fields at odds with each other."""
    lists = {name: draw(st.lists(wild, max_size=2)) for name in ("addresses", "code", "references", "incidents")}
    texts = {
        name: draw(_absent(wild))
        for name in ("sender", "source", "restriction", "note", "sender_name", "contact", "web", "headline", "language")
    }
    pair = st.fixed_dictionaries({"value_name": wild, "value": wild})
    area = st.fixed_dictionaries({"area_desc": wild, "geocode": st.lists(pair, max_size=2)})
    named = draw(st.sampled_from(AGENCIES))
    data = present(
        status=draw(st.sampled_from(words.STATUSES)),
        msg_type=draw(st.sampled_from(words.MSG_TYPES)),
        scope=draw(st.sampled_from(words.SCOPES)),
        category=draw(st.sampled_from(words.CATEGORIES)),
        event=draw(wild),
        urgency="Unknown",
        severity="Severe",
        certainty="Observed",
        response_type=draw(st.lists(wild, max_size=2)),
        areas=draw(st.lists(area, max_size=2)),
        parameters=draw(st.lists(pair, max_size=2)),
        place=draw(_absent(st.fixed_dictionaries({"name": wild}))),
        translations=draw(st.lists(st.fixed_dictionaries({"language": wild, "headline": wild}), max_size=2)),
        effective=draw(_absent(st.datetimes(timezones=st.timezones()))),
        **lists,
        **texts,
    )
    return _message(
        type=draw(st.sampled_from(["alert.issued", "alert.updated", "alert.cancelled", "alert.acknowledged"])),
        subject=draw(wild.filter(is_text)),
        time=draw(st.datetimes(timezones=st.just(UTC))),
        tlp=draw(st.sampled_from([None, "CLEAR", "WHITE", "GREEN", "RED"])),
        recipients=named,
        data=data,
    )


def _message(**attributes: Any) -> Message:
    return build(
        specversion="1.0",
        id="a-1",
        source="kr.border",
        datacontenttype="application/json",
        dataschema="urn:cbm:alert:1",
        **present(**attributes),
    )
