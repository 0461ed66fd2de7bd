"""The bytes of a file as UTF-8: decompressed, without a byte order mark, from whatever encoding it has.

UTF-8 is assumed. A byte order mark of UTF-16 is believed. Any other encoding must be named. What cannot be decoded stays as
bytes that are no UTF-8, so that it is found again in the record that holds it (`lines`).
"""

from __future__ import annotations

import gzip
import io
import re
from codecs import lookup
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import zstandard

from mttr_pipeline.landing.lines import FileProblem

#: A small file may become large: below this many bytes nothing is refused. Exports shrink to a fifth or, full of repetitions, to a
#: fiftieth; a file made to fill disks shrinks to a thirty-thousandth.
MANY_BYTES, MANY_TIMES = 64 << 20, 200
_HALF = re.compile("[\ud800-\udfff]")
_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@contextmanager
def opened(path: Path, encoding: str | None = None) -> Iterator[io.BufferedReader[Any]]:
    """The text of a file as a stream of UTF-8. `encoding` is that of the setting, None without one. Raises FileProblem where the
    file says otherwise."""
    with path.open("rb", buffering=0) as raw:
        wrap = {".gz": lambda: gzip.GzipFile(fileobj=raw), ".zst": lambda: _Zstd(raw)}.get(path.suffix.lower())
        plain = _Bounded(cast(io.RawIOBase, wrap()), path.stat().st_size) if wrap else raw
        stream = io.BufferedReader(cast(io.RawIOBase, plain), buffer_size=1 << 18)
        start = stream.peek(64)[:64]
        marked = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
        named = lookup(encoding).name if encoding else None
        if named and marked and not named.startswith(marked):
            raise FileProblem(
                f"begins with the byte order mark of {marked.upper()}, so its encoding is not {encoding}; take the encoding "
                "out of the preset."
            )
        if named and named.startswith("utf-16") and not marked and b"\0" not in start:
            raise FileProblem(f"is not in {encoding}: it has no byte order mark and no zero bytes; name its encoding.")
        if not named and not marked and b"\0" in (start[0:1], start[1:2]) and start.count(b"\0") * 3 > len(start):
            raise FileProblem(
                "seems to be UTF-16 without a byte order mark; save it as UTF-8, or name the encoding in a preset of your own "
                '(encoding = "utf-16-le" or "utf-16-be").'
            )
        if marked == "utf-8":
            stream.read(3)
        codec = named or marked
        if codec and not codec.startswith("utf-8"):
            stream = io.BufferedReader(_Recoded(stream, codec), buffer_size=1 << 18)
        yield stream


def most_bytes(size: int) -> int:
    """The most bytes that a file of this size may become, decompressed or as records."""
    return max(MANY_BYTES, MANY_TIMES * size)


class _Bounded(io.RawIOBase):
    """What is decompressed from a file of `size` bytes; a FileProblem as soon as it is more than any export has."""

    def __init__(self, plain: io.RawIOBase, size: int) -> None:
        self._plain = plain
        self._left = most_bytes(size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._plain.readinto(buffer) or 0
        self._left -= count
        if self._left < 0:
            raise FileProblem(
                f"decompresses to more than {MANY_TIMES} times its size, as no export does, and was not read further; if what it "
                "holds is right, decompress it and give the plain file."
            )
        return count

    def close(self) -> None:
        self._plain.close()
        super().close()


class _Recoded(io.RawIOBase):
    """A stream in another encoding as UTF-8. What cannot be decoded becomes bytes that are no UTF-8."""

    def __init__(self, stream: io.BufferedReader[Any], encoding: str) -> None:
        errors = "surrogatepass" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
        self._text = io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline="")
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            try:
                text = _HALF.sub("\udcff", self._text.read(1 << 16))
                self._rest = text.encode("utf-8", "surrogateescape")
            except UnicodeError as error:  # UTF-16 that ends within a character
                raise FileProblem(f"is damaged: {error}; export it again.") from error
        n = min(len(buffer), len(self._rest))
        buffer[:n], self._rest = self._rest[:n], self._rest[n:]
        return n


class _Zstd(io.RawIOBase):
    """A zstd file that reports a truncated end; the library's reader takes it for the end of the file."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._chunks = self._decompressed(raw)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        n = min(len(buffer), len(self._rest))
        buffer[:n], self._rest = self._rest[:n], self._rest[n:]
        return n

    @staticmethod
    def _decompressed(raw: io.RawIOBase) -> Iterator[bytes]:
        frame = zstandard.ZstdDecompressor().decompressobj()
        begun = False
        compressed = io.BufferedReader(raw)
        while chunk := compressed.read(1 << 10):  # four bytes may stand for 128 KB
            while chunk:
                if frame.eof:
                    frame, begun = zstandard.ZstdDecompressor().decompressobj(), False
                if text := frame.decompress(chunk):
                    yield text
                begun, chunk = True, frame.unused_data if frame.eof else b""
        if begun and not frame.eof:
            raise EOFError("it ends early")
