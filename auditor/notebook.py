"""How values show themselves in a notebook: small HTML of text and tables, and nothing else.

A run directory may come from a stranger, and a notebook shows what it is given inside the page of
its user. So every text is set as text (the element tree escapes it), control characters are
replaced, long texts and long tables are cut, and there is no script, no link and no style sheet.
Colour repeats what a word says; the tones stand out on light and on dark pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

MOST_ROWS = 30
"""Rows of a table that are shown; a last line says how many more there are."""

MOST_LETTERS = 400
"""Letters of one text that are shown."""

TONES = {"pass": "#1f8a70", "warn": "#b07a00", "fail": "#d1541f", "inconclusive": "#7b8794"}
"""Verdict -> colour of the mark before it, at least 3:1 on white and on black."""

CELL = "text-align: left; vertical-align: top; padding: 0.2em 1em 0.2em 0.4em"
LINE = "border-bottom: 1px solid rgba(127, 127, 127, 0.4)"
BREAKS = "\t\r\n"
KEPT = "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"
"""What `str.isprintable` counts as control although it only sets numbers apart."""


def block(title: str, *parts: Element) -> str:
    """A heading with paragraphs and tables below it, as `_repr_html_` returns it."""
    whole = Element("div", lang="en")
    head = SubElement(whole, "p")
    SubElement(head, "strong").text = plain(title)
    whole.extend(parts)
    return tostring(whole, encoding="unicode", method="html")


def paragraph(text: str) -> Element:
    """One paragraph."""
    element = Element("p")
    element.text = plain(text)
    return element


def facts(values: Mapping[str, str]) -> Element:
    """Names and values, one a line."""
    whole = Element("table", style="border-collapse: collapse")
    for name, value in values.items():
        row = SubElement(whole, "tr", style=LINE)
        SubElement(row, "th", scope="row", style=CELL).text = plain(name)
        SubElement(row, "td", style=cell_style(value)).text = plain(value)
    return whole


def table(
    caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, rest: str = ""
) -> Element:
    """A table with a caption and a head.

    Args:
        caption: What it shows.
        columns: Names of the columns. A cell that is a verdict gets its colour.
        rows: Cells as plain text.
        rest: Where whoever reads it finds the rows that are left out.
    """
    whole = Element("table", style="border-collapse: collapse; margin-bottom: 1em")
    title = SubElement(whole, "caption", style="text-align: left; caption-side: top")
    title.text = plain(caption)
    head = SubElement(SubElement(whole, "thead"), "tr", style=LINE)
    for column in columns:
        SubElement(head, "th", scope="col", style=CELL).text = plain(column)
    body = SubElement(whole, "tbody")
    for cells in rows[:MOST_ROWS]:
        row = SubElement(body, "tr", style=LINE)
        for cell in cells:
            SubElement(row, "td", style=cell_style(cell)).text = plain(cell)
    if len(rows) > MOST_ROWS:
        last = SubElement(SubElement(whole, "tfoot"), "tr")
        more = SubElement(last, "td", colspan=str(len(columns)), style=CELL)
        more.text = plain(f"and {len(rows) - MOST_ROWS} more{rest and '; '}{rest}")
    return whole


def cell_style(text: str) -> str:
    tone = TONES.get(text)
    return CELL if tone is None else f"{CELL}; border-left: 0.3em solid {tone}"


def plain(text: str) -> str:
    """A text of bounded length without control characters."""
    cut = text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"
    return "".join(shown(character) for character in cut)


def shown(character: str) -> str:
    if character.isprintable() or character in KEPT:
        return character
    return " " if character in BREAKS else "\N{REPLACEMENT CHARACTER}"
