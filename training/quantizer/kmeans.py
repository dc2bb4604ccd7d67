"""K-means: nearest vectors of a codebook, means of clusters, Lloyd's algorithm."""

from __future__ import annotations

import torch
from torch import Tensor


def nearest(points: Tensor, codebook: Tensor) -> Tensor:
    """Return the index [M] of the nearest row of `codebook` [N, D] to each of `points` [M, D]."""
    return torch.addmm(codebook.square().sum(1), points, codebook.T, alpha=-2).argmin(1)


def cluster_means(points: Tensor, codes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the mean [size, D] and the number [size] of the points [M, D] with each code.

    `codes` [M] are the points' codes. The mean of no points is zero.
    """
    counts = torch.bincount(codes, minlength=size).to(points)
    sums = points.new_zeros(size, points.shape[1]).index_add_(0, codes, points)
    return sums / counts.clamp_min(1).unsqueeze(1), counts


def kmeans(points: Tensor, size: int, rounds: int = 10) -> tuple[Tensor, Tensor]:
    """Return the centres [size, D] of points [M, D] and the number of points of each [size].

    Lloyd's algorithm; centres without points restart at random points.
    """
    centres = points[torch.randperm(len(points))[:size]].clone()
    for _ in range(rounds):
        centres, counts = cluster_means(points, nearest(points, centres), size)
        empty = counts == 0
        centres[empty] = points[torch.randint(len(points), (int(empty.sum()),))]
    return centres, counts
