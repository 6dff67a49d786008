"""Splits UN/EDIFACT (ISO 9735, syntax versions 1 to 4) into segments, piece by piece, in constant memory.

Owns service characters and the limits of a segment; decoding is that of edifact_characters. Never knows an
envelope or a message: what stands around an interchange (a teletype heading, a disclaimer) is passed over, the
rest comes out in order.
"""

import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.document import Findings
from adapters.edifact_characters import texts
from schemas.errors import Fault, TranslationError

CHUNK_BYTES = 64 * 1024
# An interchange begins within this; mail headers and teletype headings before it are far shorter.
HEAD_BYTES = 64 * 1024
# The longest segment of the directories (FTX: five texts of 512) stays below 3000 characters; airline
# messages run longer. What goes beyond this lacks its terminator.
MAX_SEGMENT_CHARACTERS = 64 * 1024
# Of an interchange's beginning this much shows its service characters.
HEAD_CHARACTERS = 2048
# Separators and service characters are looked for anew at each UNA; real files hold one or two.
MAX_ADVICES = 200

# Released characters are held in noncharacters of Unicode while the text is split; documents cannot have
# them: whatever comes in as one of these becomes a replacement character.
_HELD = "\ufdd0\ufdd1\ufdd2\ufdd3\ufdd4"
_NONE_HELD = {ord(one): "\ufffd" for one in _HELD}
_ANY_HELD = re.compile(f"[{_HELD}]")
# What may stand around a segment and belongs to none: blanks, line ends, teletype controls. Not IS1 to IS4
# (0x1C to 0x1F), which syntax level B separates with.
_AROUND = " \t\r\n\x00\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\ufeff"
_TAG = re.compile(r"[A-Z][A-Z0-9]{2}(?![A-Za-z0-9])|[A-Z]{3,4}(?![A-Za-z0-9])")
_NAMED = re.compile(r"[A-Z]{3}")
_OPENING = re.compile(r"UNA[^\w \t\r\n](?s:.{5})|UN[BGH](?=[^\w \t\r\n]|\s[^\w \t\r\n])|UN\s?[BGH][^\w \t\r\n]")
_ADVICE = re.compile(r"UNA(?P<c>.)(?P<e>.)(?P<d>.)(?P<r>.)(?P<p>.)(?P<t>.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Advice:
    """The service characters (UNA, or the defaults of ISO 9735)."""

    component: str = ":"
    element: str = "+"
    decimal: str = "."
    release: str = "?"
    repetition: str = ""
    """Empty where the interchange does not say one."""
    terminator: str = "'"


# Level B as ISO 9735 version 1 has it: information separators of the seven-bit code.
LEVEL_B = Advice(component="\x1f", element="\x1d", terminator="\x1c")


class Segment:
    """One segment: its tag, its data elements, each a list of components, and its place."""

    __slots__ = ("advice", "elements", "extra", "line", "message", "number", "tag")

    def __init__(self, elements: list[list[str]], number: int, line: int, advice: Advice) -> None:
        self.elements = elements
        self.tag = elements[0][0]
        self.number = number
        """Counted from 1 in what the tokeniser was given; the envelope counts it anew in each message."""
        self.line = line
        self.advice = advice
        self.message = ""
        """The reference of the message that it stands in (0062), once the envelope knows it."""
        self.extra: dict[int, list[list[str]]] | None = None
        """The further repetitions of repeated elements, by index."""

    def get(self, element: int, component: int = 0) -> str:
        """Return a component, blanks around it taken away; empty where the segment does not hold it.

        Elements count from 1, as the directories number them after the tag; components from 0.
        """
        try:
            return self.elements[element][component].strip()
        except IndexError:
            return ""

    def repeats(self, element: int) -> list[list[str]]:
        """Return every repetition of an element (syntax version 4), each a list of its components.

        Without a UNA the default `*` only separates where a repetition is asked for: airlines and versions
        before 4 have it in their texts.
        """
        if element >= len(self.elements):
            return []
        if self.extra is not None:
            return [self.elements[element], *self.extra.get(element, [])]
        whole = self.advice.component.join(self.elements[element])
        return [one.split(self.advice.component) for one in whole.split(self.advice.repetition or "*")]

    @property
    def place(self) -> str:
        """Where it stands: segment, tag, line."""
        within = f" of message {self.message}" if self.message else ""
        # What is no tag may be anything, a person's name too.
        tag = self.tag if _NAMED.fullmatch(self.tag) else "?"
        return f"segment {self.number} ({tag}){within}, line {self.line}"

    def __repr__(self) -> str:
        return f"Segment({self.tag} {self.number}, line {self.line})"


def chunks_of(content: bytes) -> Iterator[bytes]:
    """Cut bytes that are already here into the pieces that the tokeniser works on."""
    for start in range(0, len(content), CHUNK_BYTES):
        yield content[start : start + CHUNK_BYTES]


def segments(chunks: Iterable[bytes], findings: Findings, charsets: Mapping[str, Any]) -> Iterator[Segment]:
    """Split an interchange, or several, into segments.

    `charsets` gives the Python codec of each syntax identifier (0001). Of each repair the first is warned of.

    Raises:
        TranslationError: nothing in its beginning opens an interchange or a message, or a segment never ends.
    """
    return _Tokeniser(findings, charsets).run(texts(chunks, findings, charsets))


def opening(text: str) -> int:
    """Return where UNA, UNB, UNG or UNH opens the text; -1 where none does."""
    for match in _OPENING.finditer(text):
        # In the middle of a word it is none.
        if match.start() == 0 or not text[match.start() - 1].isalnum():
            return match.start()
    return -1


def read_advice(text: str, findings: Findings) -> tuple[Advice, int]:
    """Find out the service characters of a text that opens an interchange; and where its first segment begins."""
    match = _ADVICE.match(text)
    if match is None:
        advice = _inferred(text)
        if advice.terminator == "\n":
            findings.warn("service-characters", "line 1", "segments end at line ends, without a terminator")
        return advice, 0
    component, element, decimal, release, repetition, terminator = match.groups()
    advice = Advice(
        component, element, decimal, "" if release == " " else release,
        "" if repetition in " " + component + element + terminator + release else repetition, terminator,
    )  # fmt: skip
    rest = text[match.end() : match.end() + HEAD_CHARACTERS]
    if len({component, element, terminator}) < 3:
        findings.warn("service-characters", "UNA", "two of its characters are the same; the segments show others")
        return _inferred(rest.lstrip(_AROUND)), match.end()
    shown = re.match(r"UN[BGH]([^\w \t\r\n])", rest.lstrip(_AROUND))
    if shown is not None and shown[1] != element:
        findings.warn("service-characters", "UNA", "the first segment shows another separator than it names")
        found = _inferred(rest.lstrip(_AROUND))
        taken = (found.component, found.element, found.terminator)
        kept = "" if advice.release in taken else advice.release
        return Advice(found.component, found.element, decimal, kept, "", found.terminator), match.end()
    if not re.search(re.escape(terminator) + r"\s*U\s*N\s*[BGH]\b", rest) and re.search(r"'\s*UN[GH]\+", rest):
        findings.warn("service-characters", "UNA", "the terminator it names is not in use; read with the default one")
        advice = Advice(component, element, decimal, advice.release, advice.repetition)
    return advice, match.end()


def _inferred(text: str) -> Advice:
    """Service characters as the first segments show them: a dialect without UNA, else the defaults."""
    text = text[:HEAD_CHARACTERS]
    element = text[3:4]
    if not element or element.isalnum() or element == "+":
        lines = "'" not in text and re.search(r"\n(?:UN[GHT]|BGM)\+", text)
        return Advice(terminator="\n") if lines else Advice()
    if element == LEVEL_B.element:
        return LEVEL_B
    # UNB*UNOA:1*… or UNH*1*CUSCAR:D:95B:UN
    component = re.match(r"UN[BH]" + re.escape(element) + r"[^\W_]{1,35}([^\w \t\r\n])", text)
    typed = re.search(r"UNH" + re.escape(element) + r"[^\W_]+" + re.escape(element) + r"\w{6}([^\w \t\r\n])", text)
    mark = (typed or component).group(1) if typed or component else ":"  # type: ignore[union-attr]
    end = re.search(r"([^\w \t\r\n])\s*UN[GH]" + re.escape(element), text[4:]) or re.search(
        r"([^\w \t\r\n])\s*BGM" + re.escape(element), text
    )
    return Advice(
        component=mark if mark != element else ":",
        element=element,
        repetition="",
        terminator=end.group(1) if end else "'",
    )


class _Tokeniser:
    """The state between two pieces of text."""

    def __init__(self, findings: Findings, charsets: Mapping[str, Any]) -> None:
        self._findings = findings
        self._warned: set[str] = set()
        self._line = 1
        self._number = 0
        self._advices = 0
        self._advice = Advice()
        self._una = ""
        # Set once an interchange is open; cleared at UNZ.
        self._open = False
        self._held = False

    def run(self, texts: Iterator[str]) -> Iterator[Segment]:
        """Yield every segment."""
        buffer: str | None = self._begin(texts)
        pending = carry = ""
        while buffer is not None or self._opens(pending, 0):
            if buffer is None:
                buffer = self._again(self._unhold(pending) + carry, texts)
                pending = carry = ""
            text = carry + buffer
            carry = self._odd_release(text)
            parts = (pending + self._hold(text[:-1] if carry else text)).split(self._advice.terminator)
            pending = parts.pop()
            restart = yield from self._parts(parts)
            if restart is not None:
                # What follows has service characters of its own.
                rest = self._unhold(self._advice.terminator.join([*parts[restart:], pending]))
                buffer = self._again(rest + carry, texts)
                pending = carry = ""
                continue
            if self._opens(pending, HEAD_CHARACTERS):
                buffer = self._again(self._unhold(pending) + carry, texts)
                pending = carry = ""
                continue
            if len(pending) > MAX_SEGMENT_CHARACTERS:
                if self._open:
                    raise TranslationError([Fault("segment-too-long", f"line {self._line}", _TOO_LONG)])
                # The end may open an interchange whose rest is still to come.
                self._line += _lines(pending[:-16])
                pending = pending[-16:]
            buffer = next(texts, None)
        yield from self._last(pending + carry)

    def _opens(self, pending: str, characters: int) -> bool:
        """Whether, between interchanges, what has no terminator of the last one opens another."""
        if self._open:
            return False
        start = opening(pending)
        return start >= 0 and len(pending) - start >= characters

    def _begin(self, texts: Iterator[str]) -> str:
        head = ""
        for text in texts:
            head += text
            start = opening(head)
            if start >= 0 and len(head) - start >= HEAD_CHARACTERS:
                break
            if len(head) > HEAD_BYTES:
                break
        start = opening(head)
        if start < 0:
            raise TranslationError([Fault("no-interchange", "line 1", "nothing in it opens with UNA, UNB, UNG or UNH")])
        if head[:start].strip(_AROUND):
            self._warn("noise", "line 1", "text before the interchange is passed over")
        self._line += _lines(head[:start])
        return self._advised(head[start:])

    def _advised(self, text: str) -> str:
        self._advice, end = read_advice(text, self._findings)
        self._una = text[:end][3:8]
        self._line += _lines(text[:end])
        self._open = True
        return text[end:]

    def _again(self, text: str, texts: Iterator[str]) -> str:
        """Begin another interchange; what stands before it is noise."""
        self._advices += 1
        if self._advices > MAX_ADVICES:
            detail = f"more than {MAX_ADVICES} interchanges with service characters of their own"
            raise TranslationError([Fault("too-many-interchanges", f"line {self._line}", detail)])
        while len(text) < HEAD_CHARACTERS and (more := next(texts, None)) is not None:
            text += more
        start = max(opening(text), 0)
        self._line += _lines(text[:start])
        return self._advised(text[start:])

    def _parts(self, parts: list[str]) -> Generator[Segment, None, int | None]:
        """Yield the segments of these parts; return the index of one that opens an interchange with another UNA."""
        advice = self._advice
        element, component, repetition = advice.element, advice.component, advice.repetition
        by_lines = advice.terminator == "\n"
        line, number = self._line, self._number
        for index, part in enumerate(parts):
            text = part.lstrip(_AROUND)
            lines = 0
            if by_lines:
                text = text.rstrip("\r")
                lines = 1
            elif "\n" in part or "\r" in part:
                if "\n" in text or "\r" in text:
                    line += _lines(part[: len(part) - len(text)])
                    lines = _lines(text)
                    text = self._joined(text, line)
                else:
                    line += _lines(part)
            if not self._open or not text or text.startswith("UNA"):
                start = 0 if self._open else opening(text + advice.terminator)
                if not text or start < 0 or text[start + 3 :] == self._una:
                    if text and start < 0:
                        self._warn("noise", f"line {line}", "text between or after interchanges is passed over")
                    line += lines
                    self._open = self._open or start >= 0
                    continue
                text = text[start:]
                if text.startswith("UNA"):
                    self._line, self._number = line, number
                    return index
                self._open = True
            number += 1
            elements = [one.split(component) for one in text.split(element)]
            segment = Segment(elements, number, line, advice)
            if repetition and repetition in text:
                segment.extra = _repeated(elements, repetition)
            if self._held and not text.isascii() and _ANY_HELD.search(text):
                segment.elements = self._released(elements)
                for composites in (segment.extra or {}).values():
                    composites[:] = self._released(composites)
            line += lines
            if elements[0][0] == "UNZ":
                self._open = False
            yield segment
        self._line, self._number = line, number
        return None

    def _joined(self, text: str, line: int) -> str:
        """A segment that was wrapped into lines, without their ends."""
        self._warn("wrapped", f"line {line}", "line ends within segments are taken out")
        return text.replace("\r", "").replace("\n", "")

    def _last(self, pending: str) -> Iterator[Segment]:
        """What stands after the last terminator: a segment without one, or noise."""
        text = pending.strip(_AROUND)
        if not text:
            return
        if not self._open or _TAG.match(text) is None:
            self._warn("noise", f"line {self._line}", "text after the interchange is passed over")
            return
        self._warn("terminator-missing", f"line {self._line}", "the last segment has no terminator")
        yield from self._parts([pending.rstrip(_AROUND)])

    def _odd_release(self, text: str) -> str:
        """The release character at the end of a piece, if what it releases is still to come."""
        release = self._advice.release
        if not release or not text.endswith(release):
            return ""
        run = len(text) - len(text.rstrip(release))
        return release if run % 2 else ""

    def _hold(self, text: str) -> str:
        """Put noncharacters in the place of released characters."""
        if not text.isascii():
            text = text.translate(_NONE_HELD)
            if "\ufffd" in text:
                self._warn("character", f"line {self._line}", "characters that its encoding does not have")
        advice = self._advice
        release = advice.release
        if not release or release not in text:
            return text
        self._held = True
        text = text.replace(release * 2, _HELD[0])
        if release + "\n" in text or release + "\r" in text:
            text = re.sub(re.escape(release) + r"([\r\n]+)", lambda found: found[1] + release, text)
        text = text.replace(release + advice.terminator, _HELD[1]).replace(release + advice.element, _HELD[2])
        text = text.replace(release + advice.component, _HELD[3])
        if advice.repetition:
            text = text.replace(release + advice.repetition, _HELD[4])
        return text

    def _released(self, composites: list[list[str]]) -> list[list[str]]:
        return [[one if one.isascii() else self._unheld(one) for one in composite] for composite in composites]

    def _unheld(self, text: str) -> str:
        """The characters themselves."""
        advice = self._advice
        marks = (advice.release, advice.terminator, advice.element, advice.component, advice.repetition)
        for held, mark in zip(_HELD, marks, strict=True):
            text = text.replace(held, mark)
        return text

    def _unhold(self, text: str) -> str:
        """The text as it came."""
        advice = self._advice
        marks = (advice.release, advice.terminator, advice.element, advice.component, advice.repetition)
        for held, mark in zip(_HELD, marks, strict=True):
            text = text.replace(held, advice.release + mark)
        return text

    def _warn(self, code: str, place: str, detail: str) -> None:
        if code not in self._warned:
            self._warned.add(code)
            self._findings.warn(code, place, detail)


_TOO_LONG = f"a segment of more than {MAX_SEGMENT_CHARACTERS} characters: its terminator is missing"


def _lines(text: str) -> int:
    return text.count("\n") or text.count("\r")


def _repeated(elements: list[list[str]], mark: str) -> dict[int, list[list[str]]]:
    """Cut repetitions off the elements, which keep the first; return the further ones by index."""
    extra: dict[int, list[list[str]]] = {}
    for index, composite in enumerate(elements):
        if any(mark in one for one in composite):
            found: list[list[str]] = [[]]
            for component in composite:
                first, *rest = component.split(mark)
                found[-1].append(first)
                found += [[one] for one in rest]
            elements[index], extra[index] = found[0], found[1:]
    return extra
