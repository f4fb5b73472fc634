"""Focal losses with their gradients: Lin et al. 2017, "Focal Loss for Dense Object Detection".

With p the probability given to what is true: -alpha (1 - p)^gamma log p. Targets (N,) are class
numbers. mmcv multiplies by the incoming gradient and reduces; here are the bare terms.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, one_hot

from .precision import kernel, widen


def _class_weights(weight: Tensor, target: Tensor) -> Tensor | float:
    """Weight (N,) of each row's class; rows of background, which has no weight, count once."""
    if weight.numel() == 0:
        return 1.0
    known = (target >= 0) & (target < len(weight))
    of_class = widen(weight)[target.clamp(0, len(weight) - 1)]
    return torch.where(known, of_class, torch.ones_like(of_class))


def _is_target(target: Tensor, classes: int) -> Tensor:
    """Truth (N, classes) of "this column is the target"; a row of background has none."""
    column = torch.where((target >= 0) & (target < classes), target, classes)
    return one_hot(column, classes + 1)[:, :classes].bool()


def _per_row(weights: Tensor | float) -> Tensor | float:
    return weights[:, None] if isinstance(weights, Tensor) else weights


@kernel
def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, *, gamma: float, alpha: float
) -> None:
    """Fill ``output`` (N, C) with the loss of each logit of ``input`` (N, C)."""
    logit = widen(input)
    hit = -alpha * torch.sigmoid(-logit) ** gamma * logsigmoid(logit)
    miss = -(1 - alpha) * torch.sigmoid(logit) ** gamma * logsigmoid(-logit)
    loss = torch.where(_is_target(target, logit.shape[1]), hit, miss)
    output.copy_(loss * _per_row(_class_weights(weight, target)))


@kernel
def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, *, gamma: float, alpha: float
) -> None:
    """Fill ``grad_input`` (N, C) with the derivative of each loss by its logit."""
    logit = widen(input)
    p, q = torch.sigmoid(logit), torch.sigmoid(-logit)  # 1 - p would lose the small q
    hit = -alpha * q**gamma * (q - gamma * p * logsigmoid(logit))
    miss = (1 - alpha) * p**gamma * (p - gamma * q * logsigmoid(-logit))
    slope = torch.where(_is_target(target, logit.shape[1]), hit, miss)
    grad_input.copy_(slope * _per_row(_class_weights(weight, target)))


def _probability_of_target(softmax: Tensor, target: Tensor) -> Tensor:
    return softmax.gather(1, target.clamp(min=0)[:, None])[:, 0]


def _log(probability: Tensor) -> Tensor:
    # A probability that has underflowed to 0 still counts, with a large but finite loss.
    return probability.clamp(min=torch.finfo(torch.float32).tiny).log()


@kernel
def softmax_focal_loss_forward(
    softmax: Tensor, target: Tensor, weight: Tensor, output: Tensor, *, gamma: float, alpha: float
) -> None:
    """Fill ``output`` (N,) with each row's loss; a negative target means that it has none."""
    p = _probability_of_target(widen(softmax), target)
    loss = -alpha * (1 - p) ** gamma * _log(p) * _class_weights(weight, target)
    output.copy_(torch.where(target >= 0, loss, 0))


@kernel
def softmax_focal_loss_backward(
    softmax: Tensor,
    target: Tensor,
    weight: Tensor,
    buff: Tensor,
    grad_input: Tensor,
    *,
    gamma: float,
    alpha: float,
) -> None:
    """Fill ``grad_input`` (N, C) with the derivatives by the logits behind ``softmax`` (N, C).

    ``buff`` (N,) receives the derivative by log p. What is left of 1 - p is kept off 0: its power
    gamma - 1 would be infinite there for gamma < 1, and is multiplied by log p = 0.
    """
    probabilities = widen(softmax)
    p = _probability_of_target(probabilities, target)
    rest = (1 - p).clamp(min=torch.finfo(torch.float32).tiny)
    slope = alpha * (gamma * rest ** (gamma - 1) * p * _log(p) - (1 - p) ** gamma)
    slope = torch.where(target >= 0, slope * _class_weights(weight, target), 0)
    buff.copy_(slope)
    is_target = _is_target(target, softmax.shape[1]).to(probabilities)
    grad_input.copy_(slope[:, None] * (is_target - probabilities))
