"""The text of a file as blocks of whole lines in UTF-8, checked on the way."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from backtesting.price_files.archives import Source, Unpacked
from backtesting.price_files.errors import UnreadableFileError
from backtesting.price_files.signatures import kind_of

BLOCK_BYTES = 8 << 20
LONGEST_LINE = 1 << 20
HEAD_BYTES = 4096
MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
# In UTF-16 every second byte of Latin text is zero.
ZEROS_OF_UTF16 = 0.3
MOST_CONTROLS = 0.05
CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1a"))


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a file, ended by LF each; `first_line` counts from 1, `last` says that nothing follows."""

    first_line: int
    text: bytes
    last: bool


class Text:
    """A text file; `encoding` and `mark` are found in its first bytes, UnreadableFileError where it is no text."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name = source.name
        with source.open() as stream:
            self.encoding, self._mark = self._encoding(stream.read(HEAD_BYTES))
        self.has_latin = False

    def blocks(self, size: int = BLOCK_BYTES) -> Iterator[Block]:
        """Yield the lines in blocks of about this many bytes, of which only an only one is shorter."""
        with self._source.open() as stream:
            stream.read(len(self._mark))
            held, line = b"", 1
            for lines in self._lines(stream, size):
                if held:
                    yield Block(line, held, last=False)
                    line += held.count(b"\n")
                held = lines
            yield Block(line, held, last=True)

    def _lines(self, stream: Unpacked, size: int) -> Iterator[bytes]:
        """Yield whole lines; what is left at the end goes with the lines before it."""
        decoder = codecs.getincrementaldecoder(self.encoding)("replace") if self.encoding != "utf-8" else None
        rest, ready, line = b"", b"", 1
        while piece := stream.read(size):
            text = rest + (decoder.decode(piece).encode() if decoder else piece)
            body, rest = whole_lines(text)
            self._check(body or rest, line)
            line += body.count(b"\n")
            if ready and body:
                yield self._unified(ready)
            ready = body or ready
        yield self._unified(ready + (rest + b"\n" if rest.strip() else b""))

    def _check(self, text: bytes, line: int) -> None:
        """Refuse zero bytes and lines without an end."""
        if (zero := text.find(b"\0")) >= 0:
            line += text.count(b"\n", 0, zero)
            raise UnreadableFileError(f"{self.name}: line {line} holds a zero byte; the file is damaged or no text")
        for start in range(0, len(text) - LONGEST_LINE, LONGEST_LINE // 2):
            if text.find(b"\n", start, start + LONGEST_LINE) < 0:
                line += text.count(b"\n", 0, start)
                raise UnreadableFileError(
                    f"{self.name}: line {line} is longer than {LONGEST_LINE:,} bytes;"
                    " a price table has one short line a bar"
                )

    def _unified(self, text: bytes) -> bytes:
        """Return the lines in UTF-8; bytes that are none are read as Windows-1252, of which Latin-1 is a part."""
        if text.isascii():
            return text
        try:
            text.decode()
        except UnicodeDecodeError:
            self.has_latin = True
            return text.decode("cp1252", "replace").encode()
        return text

    def _encoding(self, head: bytes) -> tuple[str, bytes]:
        if not head.strip(b" \t\r\n\0"):
            raise UnreadableFileError(f"{self.name}: is empty; a price file has a row for each bar")
        for mark, encoding in MARKS:
            if head.startswith(mark):
                return encoding, mark
        if kind := kind_of(head):
            raise UnreadableFileError(f"{self.name}: is {kind[0]}, not a price table; {kind[1]}")
        for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
            if zeros.count(0) > ZEROS_OF_UTF16 * len(head) and head.count(0) == zeros.count(0):
                return encoding, b""
        if len(head) - len(head.translate(None, CONTROLS)) > MOST_CONTROLS * len(head):
            raise UnreadableFileError(f"{self.name}: is binary and of no known kind; give CSV, Parquet or Feather")
        return "utf-8", b""


def whole_lines(text: bytes) -> tuple[bytes, bytes]:
    """Return the lines that have their end, which becomes LF, and the rest; CR LF is one end, CR alone is one too."""
    held = b"\r" if text.endswith(b"\r") else b""
    if b"\r" in text:
        text = text[: len(text) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    end = text.rfind(b"\n") + 1
    return text[:end], text[end:] + held
