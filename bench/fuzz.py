"""`python -m bench.fuzz [FORMAT …] --seconds 600`: coverage-guided fuzzing of the readers, by atheris (libFuzzer).

Each reader runs in a process of its own, from seeds that are documents of its format: those of `examples/`,
what its writer makes of them, and whatever lies in `--seeds`. What must hold for any bytes: no exception but a
refusal, at most a second for each 100 kB, and memory of at most 64 times the document. What breaks that is
kept in `--found`, is measured again without instrumentation, and fails the command.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAX_BYTES = 100_000
SECONDS_PER_100_KB = 1.0
MEMORY_FACTOR = 64
# The allocators' own steps; below this a growth says nothing of the document.
_MEMORY_SLACK_BYTES = 32 * 1024 * 1024
# Instrumented code is several times slower; what is slower than this is measured again without.
_SUSPECT_FACTOR = 3
_SEED_BYTES = 50_000
# What takes e-mails apart is fuzzed under this name, beside the formats.
MAIL = "mail"
_MAILS = 60


class Broken(Exception):
    """A promise that a document broke."""


def read(name: str, content: bytes, slack: float = 1.0) -> None:
    """Read a document by one translator, and hold what that costs against the promises.

    Raises:
        Broken: it took too long or too much memory.
        Exception: whatever the reader raised that is no refusal.
    """
    from adapters.document import Document, Origin
    from adapters.formats import FORMATS, documents_in, read_all
    from adapters.translator import messages
    from schemas.errors import TranslationError

    origin = Origin("kr.customs", datetime(2026, 1, 1, tzinfo=UTC))
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    document = Document(content)
    try:
        if name == MAIL:
            read_all(documents_in(document), lambda _: origin)
        else:
            FORMATS[name].recognise(document)
            messages(FORMATS[name], document, origin)
    except TranslationError as error:
        if not error.faults:
            raise Broken("refused without a reason") from error
    took_s = time.process_time() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    if took_s > slack * SECONDS_PER_100_KB * max(1.0, len(content) / 100_000):
        raise Broken(f"{took_s:.2f} s for {len(content)} bytes")
    if grown > MEMORY_FACTOR * len(content) + _MEMORY_SLACK_BYTES:
        raise Broken(f"{grown} bytes of memory for {len(content)}")


def seeds(name: str, folders: list[Path]) -> list[bytes]:
    """Return documents of a format: those that its reader recognises, and what its writer makes of messages."""
    from adapters.document import Document, Origin
    from adapters.formats import FORMATS, recognise
    from adapters.translator import messages
    from schemas.errors import CbmError

    if name == MAIL:
        return mails([path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()])
    translator = FORMATS[name]
    origin = Origin("kr.customs", datetime(2026, 1, 1, tzinfo=UTC))
    found: dict[bytes, None] = {}
    for path in sorted(p for folder in folders for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        if len(content) > _SEED_BYTES:
            continue
        document = Document(content)
        try:
            best, _ = recognise(document)
            made = messages(best, document, origin)
        except CbmError:
            made = []
        if translator.can_read and translator.recognise(document) >= 0.5:
            found[content] = None
        for message in made[:3]:
            if translator.can_write:
                try:
                    found[translator.write(message)] = None
                except CbmError:
                    continue
    return list(found)


def mails(paths: list[Path]) -> list[bytes]:
    """Return e-mails with documents in them: in the text, attached, and both."""
    found = []
    for number, path in enumerate(path for path in paths if path.stat().st_size < _SEED_BYTES // 4):
        made = EmailMessage()
        made["From"], made["Date"] = "desk@line.example", "Sun, 01 Mar 2026 09:15:00 +0900"
        content = path.read_bytes()
        made.set_content(content.decode(errors="replace") if number % 3 == 0 else "please find it attached")
        if number % 3:
            made.add_attachment(content, maintype="application", subtype="octet-stream", filename=path.name)
        if number % 3 == 2:
            made.add_attachment(content.decode(errors="replace"), subtype="xml")
        found.append(made.as_bytes())
        if len(found) == _MAILS:
            break
    return found


def words(documents: list[bytes]) -> set[bytes]:
    """Return the words that the documents are made of, for the mutator to put where bytes alone do not lead."""
    found: set[bytes] = set()
    for content in documents:
        found.update(re.findall(rb"[A-Za-z][A-Za-z0-9:_.-]{2,40}", content))
        if len(found) > 2000:
            break
    return set(sorted(found)[:2000])


def fuzz(name: str, seconds: int, folders: list[Path], found: Path) -> list[str]:
    """Fuzz one reader; returns what it broke, in words."""
    known = seeds(name, folders)
    with tempfile.TemporaryDirectory() as temporary:
        corpus = Path(temporary) / "corpus"
        corpus.mkdir()
        for number, content in enumerate(known):
            (corpus / f"{number:05}").write_bytes(content)
        dictionary = Path(temporary) / "words"
        dictionary.write_text("".join(f'"{word.decode()}"\n' for word in sorted(words(known))))
        artifacts = found / name
        artifacts.mkdir(parents=True, exist_ok=True)
        before = set(artifacts.iterdir())
        options = [
            f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", "-timeout=20", "-rss_limit_mb=2048",
            f"-artifact_prefix={artifacts}/", "-print_final_stats=1", "-verbosity=1",
        ]  # fmt: skip
        if known:
            options.append(f"-dict={dictionary}")
        command = [sys.executable, "-m", "bench.fuzz", "--child", name, *options, str(corpus)]
        status, processor_s, said = _run(command, Path(temporary) / "said")
        runs = re.search(r"number_of_executed_units: (\d+)", said)
        covered = re.findall(r"cov: (\d+)", said)
        print(
            f"{name}: {len(known)} seeds, {seconds} s, {processor_s:.0f} s of processor, "
            f"{runs[1] if runs else '?'} documents, {covered[-1] if covered else '?'} branches",
            flush=True,
        )
        broken = []
        for path in sorted(set(artifacts.iterdir()) - before):
            again = subprocess.run(
                [sys.executable, "-m", "bench.fuzz", "--replay", str(path), name],
                capture_output=True, text=True, cwd=ROOT, errors="replace",
            )  # fmt: skip
            if again.returncode:
                broken.append(f"{path.name}: {(again.stderr.strip().splitlines() or ['killed'])[-1]}")
            else:
                path.unlink()
        if status and not broken and "Broken" not in said:
            broken.append(f"the run ended with {status}: {(said.strip().splitlines() or ['nothing said'])[-1]}")
        return broken


def _run(command: list[str], log: Path) -> tuple[int, float, str]:
    """Run to the end; (exit status, processor seconds, what it said). Side by side those are less than the clock's."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime, log.read_text(errors="replace")


def child(name: str, arguments: list[str]) -> None:
    """Run libFuzzer in this process; never returns."""
    import atheris

    with atheris.instrument_imports(include=["adapters", "schemas"]):
        from adapters import formats

        assert name == MAIL or formats.FORMATS[name].can_read
    atheris.Setup([sys.argv[0], *arguments], lambda content: read(name, content, _SUSPECT_FACTOR))
    atheris.Fuzz()


def main() -> int:
    """Fuzz the formats that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help="nothing: every format that can be read")
    parser.add_argument("--seconds", type=int, default=600, help="for each format")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many side by side")
    parser.add_argument("--seeds", type=Path, action="append", default=[], help="a folder of further documents")
    parser.add_argument("--found", type=Path, default=ROOT / "var" / "fuzz", help="where what broke something goes")
    parser.add_argument("--replay", type=Path, help="read this one document, and say what it costs")
    options = parser.parse_args()
    from adapters.formats import FORMATS

    names = options.formats or [*sorted(name for name, one in FORMATS.items() if one.can_read), MAIL]
    if options.replay:
        for name in names:
            began = time.process_time()
            # Once before, so that what is loaded at first use is not the document's.
            read(name, b"", 100)
            read(name, options.replay.read_bytes())
            print(f"{name}: {time.process_time() - began:.3f} s")
        return 0
    folders, found = [ROOT / "examples", *options.seeds], options.found.resolve()
    with ThreadPoolExecutor(options.jobs) as pool:
        ended = pool.map(lambda name: fuzz(name, options.seconds, folders, found), names)
        broken = dict(zip(names, ended, strict=True))
    for name, reasons in broken.items():
        print(f"{name}: {'; '.join(reasons) or 'nothing broken'}")
    return 1 if any(broken.values()) else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3:])
    sys.exit(main())
