"""The lines of one landing file while it is written: one record each, byte for byte, in blocks that are worth compressing.

What belongs here: records as lines. What does not: the names of files and when they count (`store`).
"""

from __future__ import annotations

from collections.abc import Sequence

import zstandard

from mttr_pipeline.landing.characters import has_mark, is_suspicious, repaired

_NEWLINES = bytes.maketrans(b"\r\n", b"  ")  # JSON newlines outside strings are white space; inside they are escaped
_BLOCK = 1 << 18  # bytes compressed per call: a call per record would cost more than the compression


class LineWriter:
    """Writes one record per call, `many` writes those of a page at once. `flush` is to be called at the end.

    count   the records so far
    marked  those that hold a bad character, or U+FFFD in place of one (see `characters`), as far as they are flushed
    """

    def __init__(self, out: zstandard.ZstdCompressionWriter) -> None:
        self.count = self.marked = 0
        self._out = out
        self._records: list[bytes] = []
        self._size = 0

    def __call__(self, record: bytes) -> None:
        """Write one record. Raises OSError."""
        self._records.append(record)
        self._size += len(record)
        if self._size >= _BLOCK:
            self.flush()

    def many(self, records: Sequence[bytes]) -> None:
        """Write several records. Raises OSError."""
        self._records += records
        self._size += sum(map(len, records))
        if self._size >= _BLOCK:
            self.flush()

    def flush(self) -> None:
        """Hand what was written to the compression. Raises OSError."""
        records = self._records
        self.count += len(records)
        block = b"\n".join([*records, b""])  # looked at as a whole where that is faster than a look at every line
        if any(b"\n" in record for record in records) or b"\r" in block:
            records = [record.translate(_NEWLINES) for record in records]
            block = b"\n".join([*records, b""])
        if is_suspicious(block) or has_mark(block):
            self.marked += sum(repaired(record) is not record or has_mark(record) for record in records)
        self._out.write(block)
        self._records = []
        self._size = 0
