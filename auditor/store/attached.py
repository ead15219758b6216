"""Reads what is attached inside a PDF that may come from a stranger.

The reading is done by pikepdf (the library qpdf, whose parser is fuzzed without pause) in a
process of its own, with limits on time and memory: a file made to hang or break a reader costs
that process and nothing else. Streams are unpacked here, strictly and up to a size, because a
reader that mends damaged data would hide what `auditor verify` is there to find.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TIME_LIMIT = 60.0
"""Seconds after which reading is given up; a report takes less than one."""

MEMORY_LIMIT = 2 << 30
"""Bytes of address space that the reading process may take."""

MAX_FILES = 1000
MAX_TOTAL = 256 << 20
"""How many attachments are read, and how many bytes of them."""


@dataclass(frozen=True)
class Attachments:
    """What a PDF carries.

    Attributes:
        files: Name -> content, for what can be read.
        damaged: Name -> why it cannot be read.
        problem: Why the PDF as a whole cannot be read to its end; None where it can.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    damaged: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """Names of everything attached, damaged or not."""
        return frozenset(self.files) | frozenset(self.damaged)


def read_attachments(content: bytes) -> Attachments:
    """What is attached inside a PDF, read in this process; nothing is raised."""
    import pikepdf  # only the process that reads has to load it

    files: dict[str, bytes] = {}
    damaged: dict[str, str] = {}
    try:
        with pikepdf.open(io.BytesIO(content), suppress_warnings=True) as pdf:
            for number, (key, attached) in enumerate(pdf.attachments.items()):
                name = key.encode(errors="replace").decode()
                room = MAX_TOTAL - sum(map(len, files.values()))
                if number >= MAX_FILES or room <= 0:
                    return Attachments(files, damaged, "more is attached than a report holds")
                try:
                    files[name] = unpack(attached.get_file().obj, room)
                except Exception as error:  # whatever a stranger's stream makes the library throw
                    damaged[name] = reason(error)
    except Exception as error:  # the same for the file as a whole
        return Attachments(files, damaged, reason(error))
    return Attachments(files, damaged)


def unpack(stream: Any, room: int) -> bytes:
    """The content of an attachment, without mending anything.

    Raises:
        ValueError: it is damaged, larger than there is room for, or packed as no report is.
    """
    raw = bytes(stream.read_raw_bytes())
    packed = stream.get("/Filter")
    if packed is None or not raw:  # some writers leave an empty file unpacked all the same
        return raw
    if packed != "/FlateDecode" or "/DecodeParms" in stream:
        raise ValueError("it is packed in a way that no report uses")
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(raw, room)
    except zlib.error as error:
        raise ValueError(f"it cannot be unpacked: {error}") from error
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("it ends early, or is larger than a report's attachments may be")
    return content


def reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


def read_guarded(content: bytes) -> Attachments:
    """What is attached inside a PDF, read in a process of its own that is given up in time."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "auditor.store.attached"],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIME_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Attachments(problem=f"reading it takes longer than {TIME_LIMIT:g} s")
    except OSError as error:
        return Attachments(problem=f"the reader cannot be started: {error.strerror}")
    if done.returncode != 0:
        return Attachments(problem="the reader broke on it, or ran out of memory")
    head, _, body = done.stdout.partition(b"\n")
    told = json.loads(head)
    files = {}
    for name, size in told["files"]:
        files[name], body = body[:size], body[size:]
    return Attachments(files, told["damaged"], told["problem"])


def tell() -> None:
    """The reading process: a PDF on stdin; on stdout one line of JSON, then the contents."""
    limit_memory()
    found = read_attachments(sys.stdin.buffer.read())
    sizes = [(name, len(content)) for name, content in found.files.items()]
    told = {"files": sizes, "damaged": dict(found.damaged), "problem": found.problem}
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")
    for content in found.files.values():
        sys.stdout.buffer.write(content)


def limit_memory() -> None:
    """Bound this process; systems that know no such limit leave it to the time limit."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))


if __name__ == "__main__":
    tell()
