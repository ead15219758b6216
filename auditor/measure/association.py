"""What labels and scores say about a pair without looking inside the network: the baselines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from auditor.measure.state import Summed

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NormalEquations:
    """Least squares of every score on all labels, as sums over images.

    Attributes:
        count: Images [].
        inner: Σ u uᵀ of the labels with a leading 1 [A + 1, A + 1].
        cross: Σ u yᵀ [A + 1, n].
        squares: Σ y² [n].
    """

    count: Summed
    inner: Summed
    cross: Summed
    squares: Summed


def cell_counts(labels: Tensor) -> Tensor:
    """Images per pair of attributes and combination of labels.

    Args:
        labels: [B, A], +1 present, -1 absent, 0 unknown; unknown ones count in no cell.

    Returns:
        [A, A, 2, 2], int64; index 1 means present, so [i, j, 1, 0] counts i without j.
    """
    sides = torch.stack([labels < 0, labels > 0], -1).double()
    return torch.einsum("bis,bjt->ijst", sides, sides).long()


def phi_coefficient(cells: ArrayLike) -> float | None:
    """Correlation of two binary labels from their 2×2 counts; None when one is constant."""
    n = np.asarray(cells, dtype=np.float64)
    margins = n.sum(0).prod() * n.sum(1).prod()
    if margins <= 0:
        return None
    return float((n[1, 1] * n[0, 0] - n[1, 0] * n[0, 1]) / np.sqrt(margins))


def three_cell_entropy(cells: ArrayLike) -> float | None:
    """Entropy in nats of (+,+), (+,-), (-,+), with (-,-) ignored; None without such images.

    The baseline of Zhang et al. (AAAI 2018). They take the "top" entropies and do not say whether
    those are the largest or the smallest: rank both ways.
    """
    n = np.asarray(cells, dtype=np.float64)
    counts = np.array([n[1, 1], n[1, 0], n[0, 1]])
    if counts.sum() == 0:
        return None
    p = counts[counts > 0] / counts.sum()
    return float(max(0.0, -(p * np.log(p)).sum()))


def normal_equations(labels: Tensor, scores: Tensor) -> NormalEquations:
    """The state of one batch.

    Args:
        labels: [B, A], +1, -1, or 0 for unknown, which then pulls to neither side.
        scores: [B, n].
    """
    u = torch.cat([torch.ones(len(labels), 1), labels.cpu()], 1).double()
    y = scores.detach().cpu().double()
    return NormalEquations(torch.tensor(len(labels)), u.T @ u, u.T @ y, y.square().sum(0))


def standardised_coefficients(equations: NormalEquations, *, ridge: float = 0.0) -> Floats:
    """How much each label moves each score, others held fixed, in standard deviations of the score.

    Entry [a, i] is the coefficient of label a (sd units of the label) in the regression of score i
    (sd units of the score). Labels that determine each other share their effect (minimum norm).

    Args:
        equations: Merged over all images.
        ridge: Added to the diagonal of the label covariance.

    Returns:
        [A, n]; rows of constant labels and columns of constant scores are 0.
    """
    n = float(equations.count)
    inner, cross = equations.inner.numpy() / n, equations.cross.numpy() / n
    centre_u, centre_y = inner[0, 1:], cross[0]
    covariance = inner[1:, 1:] - np.outer(centre_u, centre_u)
    shared = cross[1:] - np.outer(centre_u, centre_y)
    sd_u = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    variance_y = equations.squares.numpy() / n - centre_y**2
    sd_y = np.sqrt(np.maximum(variance_y, 0.0))
    usable_u = sd_u > 1e-9
    usable_y = sd_y > 1e-9 * np.sqrt(np.maximum(equations.squares.numpy() / n, 1e-300))
    scale = np.outer(np.where(usable_u, sd_u, 1.0), np.where(usable_u, sd_u, 1.0))
    correlation = covariance / scale + ridge * np.eye(len(sd_u))
    target = shared / np.outer(np.where(usable_u, sd_u, 1.0), np.where(usable_y, sd_y, 1.0))
    correlation[~usable_u, :] = 0.0
    correlation[:, ~usable_u] = 0.0
    target[~usable_u, :] = 0.0
    target[:, ~usable_y] = 0.0
    result: Floats = np.linalg.lstsq(correlation, target, rcond=1e-9)[0]
    return result
