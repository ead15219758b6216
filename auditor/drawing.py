"""What an audit wants to be seen, described and not yet drawn.

    Drawing   a vector figure: a function that paints on an empty matplotlib figure
    Tile      a small raster: an example image, a heat map laid over it, or a region outlined in it

Audits describe; the report draws, chooses fonts and colours, and decides what may be shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # matplotlib takes a second to load, and only the report draws
    from matplotlib.figure import Figure

INK, SOFT, FAINT, FOUND, EXPECTED, SECOND, THIRD = (f"C{i}" for i in range(7))
"""Colours by meaning, as positions of the report's colour cycle: text and lines · less of it ·
barely there · what was found and should not be · what was expected · two more, for groups.
They differ in lightness too, so a black and white print keeps them apart."""


@dataclass(frozen=True)
class Drawing:
    """A vector figure.

    Attributes:
        name: File name without suffix, unique inside the audit.
        width: Width in inches at the size it is meant to be read.
        height: Height in inches.
        alt: What the figure shows, for someone who cannot see it.
        caption: What to look for.
        paint: Draws on an empty figure of that size.
    """

    name: str
    width: float
    height: float
    alt: str
    caption: str
    paint: Callable[[Figure], None]


@dataclass(frozen=True, eq=False)
class Tile:
    """An example image, a heat map over it, or a region outlined in it.

    Attributes:
        image: File name in the audit's `images/`.
        alt: What the tile shows.
        caption: A few words below it.
        heat: Heat map [h, w], finite, any scale and sign; None shows the image itself.
        outline: Region [h, w] of the image, drawn as a line around it; a heat map goes before it.
    """

    image: str
    alt: str
    caption: str
    heat: NDArray[np.float32] | None = None
    outline: NDArray[np.bool_] | None = None
