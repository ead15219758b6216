"""Models: the network under audit, or its recorded predictions. `source` tells the kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from auditor.spec.base import SpecModel, Text

BuiltinName = Literal[
    "portraits_net",
    "cifar_resnet20",
    "cifar_resnet32",
    "cifar_resnet44",
    "cifar_resnet56",
    "robust_resnet2b",
    "robust_resnet4b",
]


class Preprocess(SpecModel):
    """From a decoded image to the network's input."""

    resize: int | None = Field(default=None, ge=1)
    """Length of the short side in pixels; None keeps the size."""
    crop: int | None = Field(default=None, ge=1)
    """Side of the square centre crop; None keeps the image whole."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Subtracted per channel, for images in [0, 1]."""
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Divides per channel, for images in [0, 1]."""


class BuiltinArchitecture(SpecModel):
    """A small network that ships with the package."""

    source: Literal["builtin"]
    """Kind of model."""
    name: BuiltinName
    """Name of the architecture."""
    num_outputs: int = Field(ge=1)
    """Number of outputs."""
    weights: str | None = None
    """State dict as safetensors or a plain torch file; random initialisation without one."""


class TorchvisionArchitecture(SpecModel):
    """An architecture from torchvision with a local state dict; nothing is downloaded."""

    source: Literal["torchvision"]
    """Kind of model."""
    name: str
    """Name in `torchvision.models`, such as `resnet50`."""
    num_outputs: int = Field(default=1000, ge=1)
    """Number of outputs."""
    weights: str | None = None
    """State dict as safetensors or a plain torch file; random initialisation without one."""


Architecture = Annotated[
    BuiltinArchitecture | TorchvisionArchitecture, Field(discriminator="source")
]
"""A network and nothing about its use: which one, its size, and the weights to start from."""


class ModelBase(SpecModel):
    """What every model declares."""

    title: Text = ""
    """The model as the report names it."""
    head: Literal["multi_label", "multi_class"] = "multi_label"
    """`multi_label`: an attribute is predicted where its logit is positive; `multi_class`: where
    its output is the largest."""
    preprocess: Preprocess = Preprocess()
    """How images are prepared for this network."""


class BuiltinModel(BuiltinArchitecture, ModelBase):
    """A small network that ships with the package."""


class TorchvisionModel(TorchvisionArchitecture, ModelBase):
    """An architecture from torchvision with a local state dict; nothing is downloaded."""


class TorchScriptModel(ModelBase):
    """A TorchScript archive. It executes what it contains, so it needs `--allow-code`."""

    source: Literal["torchscript"]
    """Kind of model."""
    path: str
    """The archive."""


class ExportedModel(ModelBase):
    """A `torch.export` archive (.pt2). It executes what it contains: `--allow-code`."""

    source: Literal["torch_export"]
    """Kind of model."""
    path: str
    """The archive."""


class PythonModel(ModelBase):
    """A function in a Python file that returns a `torch.nn.Module`: `--allow-code`."""

    source: Literal["python"]
    """Kind of model."""
    file: str
    """The Python file."""
    function: str = "build"
    """Name of a function without arguments in that file."""


class PredictionsModel(SpecModel):
    """No network at all: the dataset's prediction column, for audits that need only that."""

    source: Literal["predictions"]
    """Kind of model."""
    title: Text = ""
    """The model as the report names it."""


class AdversarySpec(SpecModel):
    """Projected gradient descent inside an image's ball (Madry et al., ICLR 2018)."""

    norm: Literal["l2", "linf"] = "l2"
    """Norm of the ball."""
    eps: float = Field(gt=0.0)
    """Radius of the ball, for images in [0, 1]."""
    num_steps: int = Field(default=7, ge=1, le=1000)
    """Gradient steps per batch."""
    step_size: float | None = Field(default=None, gt=0.0)
    """Length of a step; 2.5 eps / num_steps by default."""
    random_start: bool = True
    """Start at a random point of the ball."""
    test_steps: int = Field(default=20, ge=1, le=1000)
    """Gradient steps when robust accuracy is measured, each 2.5 eps / test_steps long."""


class TrainRecipe(SpecModel):
    """How a network is fitted. The same recipe, data and device kind give the same weights."""

    epochs: int = Field(ge=1, le=1000)
    """Passes over the training split."""
    batch_size: int = Field(default=128, ge=1)
    """Images per step."""
    learning_rate: float = Field(default=1e-3, gt=0.0, le=1e38)
    """Peak learning rate."""
    weight_decay: float = Field(default=0.0, ge=0.0)
    """Decoupled (adamw) or ordinary (sgd) weight decay."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """The optimiser; sgd uses momentum 0.9."""
    schedule: Literal["constant", "cosine", "one_cycle", "step"] = "one_cycle"
    """Learning rate over the steps; `step` divides it by ten every `step_epochs` epochs."""
    step_epochs: int = Field(default=50, ge=1)
    """Epochs between two divisions of the schedule `step`."""
    loss: Literal["multi_label", "multi_class"] = "multi_label"
    """`multi_label`: logistic loss per attribute; `multi_class`: cross entropy on the label."""
    augment: bool = False
    """Random horizontal flips and shifts by up to an eighth of the side."""
    adversary: AdversarySpec | None = None
    """Fit on perturbed images instead of clean ones; null fits on clean ones."""
    mixed_precision: bool = True
    """Compute in bfloat16 where that is safe, on a GPU only; weights stay float32."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Seed of the initial weights, the order of the images and the augmentation."""


class TrainedModel(ModelBase):
    """A network fitted once from a recipe in the spec, on the spec's dataset, cached by content."""

    source: Literal["train"]
    """Kind of model."""
    network: Architecture
    """The architecture, with weights to start from where it has some."""
    replace_head: str | None = None
    """Module path of a linear layer that is replaced by a new one with one output per target."""
    freeze_backbone: bool = False
    """Fit only the replaced head; the rest of the network stays as its weights are."""
    split: str = "train"
    """Split that the network is fitted on."""
    recipe: TrainRecipe
    """How it is fitted."""


ModelSpec = Annotated[
    BuiltinModel
    | TorchvisionModel
    | TorchScriptModel
    | ExportedModel
    | PythonModel
    | PredictionsModel
    | TrainedModel,
    Field(discriminator="source"),
]
