"""Datasets: where the images, labels and attribute columns come from. `source` tells the kind."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from auditor.spec.base import Identifier, SpecModel, Text
from auditor.spec.portraits import PlantedPair


class Columns(SpecModel):
    """Which column of a manifest plays which part; a column that is absent is simply not used."""

    id: str = "id"
    """Sample id, unique over the dataset; the row's path or number where the column is absent."""
    path: str = "path"
    """Path of the image file, relative to `root`."""
    image: str = "image"
    """Embedded image: bytes, or a struct of `bytes` and `path` (the Hugging Face layout)."""
    label: str = "label"
    """Class label: a name out of `classes`, or an index."""
    split: str = "split"
    """Name of the split a row belongs to; used where the manifest is one file."""
    prediction: str = "prediction"
    """A prediction made elsewhere, for `model: {source: predictions}`."""
    mask: str = "mask"
    """Path of a mask image, relative to `root`."""
    groups: tuple[str, ...] = ()
    """Columns by which images can be grouped."""


class DatasetBase(SpecModel):
    """What every dataset declares."""

    title: Text = ""
    """The dataset as the report names it."""
    classes: tuple[str, ...] | None = None
    """Class names in output order; needed where labels are names."""


class RegionTables(SpecModel):
    """What the regions of a manifest's images show; `columns.mask` names each image's mask."""

    labels: str | None = None
    """CSV table of the values in mask images: `number`, `name` and optionally `category`; a pixel
    whose value is not listed shows nothing. Masks are grey or palette images, or RGB with the value
    red + 256 · green + 65536 · blue."""
    boxes: str | None = None
    """CSV table of boxes: `id` of the image, `concept`, `x`, `y`, `width`, `height` in pixels and
    optionally `category`."""
    columns: tuple[str, ...] = ()
    """0/1 columns of the manifest that speak of the whole image."""

    @model_validator(mode="after")
    def something(self) -> Self:
        if self.labels is None and self.boxes is None and not self.columns:
            raise ValueError("regions come from `labels`, `boxes` or `columns`")
        return self


class ManifestDataset(DatasetBase):
    """A table of images: one CSV or Parquet file, or one file per split."""

    source: Literal["manifest"]
    """Kind of dataset."""
    path: str | None = None
    """One table for all splits; its `split` column tells them apart."""
    files: dict[Identifier, str] | None = None
    """One table per split instead: split name -> path."""
    root: str | None = None
    """Folder that image paths are relative to and stay inside; the table's folder by default."""
    columns: Columns = Columns()
    """Names of the columns."""
    regions: RegionTables | None = None
    """What regions of the images show, for audits that name filters."""

    @model_validator(mode="after")
    def one_form(self) -> Self:
        if (self.path is None) == (self.files is None):
            raise ValueError("a manifest has either `path` or `files`")
        return self


class ImageFolderDataset(DatasetBase):
    """One folder per class: `root/<split>/<class>/image.jpg`, or `root/<class>/…` for one split."""

    source: Literal["imagefolder"]
    """Kind of dataset."""
    root: str
    """The folder; class folders are sorted by name unless `classes` gives the order."""
    splits: tuple[Identifier, ...] = ()
    """Names of the split folders; none means that the class folders lie directly in `root`."""


class TorchvisionDataset(DatasetBase):
    """A dataset that torchvision reads from a local folder; nothing is downloaded."""

    source: Literal["torchvision"]
    """Kind of dataset."""
    name: Literal["celeba", "cifar10", "cifar100", "fashion_mnist", "imagenet", "mnist", "svhn"]
    """The dataset's name in torchvision, in lower case."""
    root: str
    """Folder that already holds the dataset in torchvision's layout."""


class PortraitsSplit(SpecModel):
    """A range of procedural portraits and the biases planted in it."""

    count: int = Field(ge=1, le=10_000_000)
    """Number of images."""
    start: int = Field(default=0, ge=0)
    """Index of the first image; splits must not overlap."""
    planted: tuple[PlantedPair, ...] = ()
    """Attribute pairs that are made to go together."""


class PortraitsDataset(DatasetBase):
    """The built-in procedural portraits: known attributes, masks, landmarks, biases."""

    source: Literal["portraits"]
    """Kind of dataset."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Everything is drawn from (seed, index) alone."""
    size: int = Field(default=48, ge=48, le=64)
    """Side of the square images in pixels."""
    splits: dict[Identifier, PortraitsSplit] = {
        "train": PortraitsSplit(count=8000),
        "test": PortraitsSplit(count=2000, start=1_000_000),
    }
    """Split name -> range of images."""
    interventions: dict[str, bool] = {}
    """`do(attribute = value)` on every image; the rest of the person stays the same."""


class CocoSplit(SpecModel):
    """One annotation file with its images."""

    images: str
    """Folder of the images."""
    annotations: str
    """JSON file in the layout of COCO: instances or panoptic."""
    panoptic: str | None = None
    """Folder of the PNG files that a panoptic annotation names; a pixel's segment is
    red + 256 · green + 65536 · blue."""


class CocoDataset(DatasetBase):
    """Images with annotations in the layout of COCO; each category is a concept.

    Each category is also a column: 1 where the annotation lists it, 0 elsewhere.
    """

    source: Literal["coco"]
    """Kind of dataset."""
    splits: dict[Identifier, CocoSplit] = Field(min_length=1)
    """Split name -> annotations and images. Categories of the same name are one concept."""
    regions: Literal["masks", "boxes", "image"] = "masks"
    """`masks`: exact outlines; `boxes`: bounding boxes; `image`: the whole image, where only its
    labels count."""
    crowds: Literal["include", "exclude"] = "include"
    """Whether regions marked as crowds show their category; columns count them always."""


class IndexMasksDataset(DatasetBase):
    """Index masks with a label table, in the layout of Broden (Bau et al., CVPR 2017).

    `root/index.csv` lists `image`, `split` and one column per category with mask files or label
    numbers, several divided by `;`. With `ih`, `iw`, `sh`, `sw` it gives the sizes of image and
    masks, which may be smaller. `root/label.csv` lists `number`, `name` and optionally `category`,
    the categories that a label occurs in (`material(36);object(3)`); a name that occurs in two is
    two concepts. Files lie in `root/images`; a mask's value is red + 256 · green.
    """

    source: Literal["index_masks"]
    """Kind of dataset."""
    root: str
    """The folder."""
    categories: tuple[str, ...] = ("object", "part", "scene", "texture", "color", "material")
    """Columns of the index that hold regions; columns that the index lacks are passed over."""


DatasetSpec = Annotated[
    ManifestDataset
    | ImageFolderDataset
    | TorchvisionDataset
    | PortraitsDataset
    | CocoDataset
    | IndexMasksDataset,
    Field(discriminator="source"),
]
