"""Realises what audits describe, each thing once: drawings as SVG, tiles as data URIs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from markupsafe import Markup
from PIL import Image

from auditor.drawing import Drawing, Tile
from auditor.report.charts import to_svg
from auditor.report.images import (
    ImageMode,
    blurred,
    digest,
    heat_uri,
    jpeg_uri,
    open_photo,
    outline_uri,
)
from auditor.store.reader import Run


@dataclass(frozen=True)
class Shown:
    """A tile as the page shows it: a source, or words in its place."""

    source: str
    words: str
    alt: str
    caption: str


@dataclass
class Plates:
    """The figures and pictures of one report.

    Attributes:
        run: Where pictures come from.
        mode: How far pictures may be shown.
        key: Secret of the run, which the digests of withheld pictures are keyed with.
        figures: (audit, name) -> SVG of every drawing drawn so far.
    """

    run: Run
    mode: ImageMode
    key: str
    figures: dict[tuple[str, str], str] = field(default_factory=dict)
    photos: dict[tuple[str, str], tuple[str, Image.Image | None]] = field(default_factory=dict)
    sources: dict[tuple[str, str], str] = field(default_factory=dict)

    def draw(self, audit: str, drawing: Drawing) -> Markup:
        """The drawing as an `<svg>` element; safe, because its text was escaped as XML."""
        key = (audit, drawing.name)
        if key not in self.figures:
            prefix = "f" + hashlib.sha256("/".join(key).encode()).hexdigest()[:8]
            self.figures[key] = to_svg(drawing, prefix)
        return Markup(self.figures[key])

    def show(self, audit: str, tile: Tile) -> Shown:
        """The tile, as far as the mode allows."""
        fingerprint, photo = self.photo(audit, tile.image)
        if photo is None:
            return Shown("", f"unreadable picture {fingerprint[:12]}", tile.alt, tile.caption)
        drawn = tile.heat is not None or tile.outline is not None
        if self.mode == "withheld" or (self.mode == "heatmap_only" and not drawn):
            return Shown("", f"withheld (digest {fingerprint[:10]})", tile.alt, tile.caption)
        backdrop = None if self.mode == "heatmap_only" else photo
        if tile.heat is not None:
            return Shown(heat_uri(tile.heat, backdrop), "", tile.alt, tile.caption)
        if tile.outline is not None:
            return Shown(outline_uri(tile.outline, backdrop), "", tile.alt, tile.caption)
        if (audit, tile.image) not in self.sources:
            self.sources[audit, tile.image] = jpeg_uri(photo)
        return Shown(self.sources[audit, tile.image], "", tile.alt, tile.caption)

    def photo(self, audit: str, name: str) -> tuple[str, Image.Image | None]:
        key = (audit, name)
        if key not in self.photos:
            encoded = self.run.image(audit, name)
            photo = open_photo(encoded)
            if photo is not None and self.mode == "blurred":
                photo = blurred(photo)
            self.photos[key] = (digest(encoded, self.key), photo)
        return self.photos[key]
