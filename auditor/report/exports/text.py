"""Text of a run, made safe for the format it goes into.

Claims, titles, names and comments may come from a stranger. Every format gets them as one line
without control characters, and without the marks that turn the direction of writing around: with
those a text can read differently from what it says (CVE-2021-42574).
"""

from __future__ import annotations

import html
import re

from auditor.wording import plain

DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")

FORMULA = frozenset("=+-@＝＋－＠")
"""First letters that make a spreadsheet calculate a cell (OWASP, CSV injection)."""

MARKDOWN = re.compile(r"[\\`*_\[\]#|~$!]")
"""Letters that mean something inside a line of GitHub's Markdown."""

LEADING = re.compile(r"^([-+=](?=[-+=\s]|$)|\d+(?=[.)](?:\s|$)))")
"""What would begin a list, a rule or a heading at the start of a line."""

LINKED = re.compile(r"(@|(?<=\w):(?=//)|\bwww(?=\.)|\\#(?=\w))", re.IGNORECASE)
"""After these, bare text becomes a link or calls a person: mentions, addresses, issue numbers."""

UNESCAPED_BAR = re.compile(r"(?<!\\)\|")

JOINER = "\N{WORD JOINER}"


def one_line(text: str) -> str:
    """One line without control characters and without marks that turn it around."""
    return DIRECTION.sub("\N{REPLACEMENT CHARACTER}", plain(text))


def cell(text: str) -> str:
    """Text for a cell of a spreadsheet: never a formula."""
    line = one_line(text)
    return f"'{line}" if line[:1] in FORMULA else line


def markdown(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no link, nobody mentioned."""
    line = html.escape(one_line(text), quote=False)
    line = MARKDOWN.sub(r"\\\g<0>", line)
    line = LEADING.sub(lambda found: marked(found.group()), line)
    return LINKED.sub(rf"\1{JOINER}", line)


def marked(start: str) -> str:
    """The start of a line that begins no list: an escaped sign, or a joiner behind the number."""
    return f"{start}{JOINER}" if start.isdigit() else f"\\{start}"


def code(text: str) -> str:
    """Text as code, whatever backticks it holds."""
    line = one_line(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}" if line else ""


def table_row(*cells: str) -> str:
    """A row of a table; what stands in a cell, code included, does not end it."""
    return "| " + " | ".join(UNESCAPED_BAR.sub(r"\\|", one) for one in cells) + " |"
