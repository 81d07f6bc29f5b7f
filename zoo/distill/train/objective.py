"""The student and its loss as one module, whose forward pass is the loss: what DDP and `fully_shard` take for the root.

Norm, embedding and head belong to the root, and the chunked loss applies the head itself. So the loss has to be computed
inside the root's forward pass, where `fully_shard` has gathered the head; and a tied weight is in one group, as torch demands.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from zoo.distill.batch import Batch, ExactTargets, SampledTargets, counted
from zoo.distill.forward import check_documents_apart, check_layers, hidden_states
from zoo.distill.heads import head_of, renewed
from zoo.distill.losses.chunked import chunked_divergence
from zoo.distill.losses.states import StateProjection, dynamic_alpha, layers_to_match, states_loss
from zoo.distill.settings import LossSettings
from zoo.errors import ConflictingOptions

Targets = ExactTargets | SampledTargets | None
PARTS = ("loss", "divergence", "cross_entropy", "states")
"""What the forward pass gives, in this order, each summed over the batch's tokens; the first is differentiated."""


class Objective(nn.Module):
    """A student, the projection of its states where the loss matches them, and the loss.

    `teacher_width` is the width of the teacher's hidden states; only a loss on states asks for it. To be made before the
    student is sharded. Raises ConflictingOptions for a loss on states without that width,
    InvalidOption for a layer that the student has not, UnsupportedArchitecture for one that mixes a row's documents.
    """

    def __init__(self, student: Any, loss: LossSettings, teacher_width: int | None = None) -> None:
        super().__init__()
        self.student = student
        self.loss = loss
        whole = head_of(student)
        nothing = torch.empty(
            0
        )  # the head's weight is asked for in each forward pass; kept here, it would be there twice
        self._head = replace(whole, weight=nothing, bias=None)
        self._layers = layers_to_match(loss)[1]
        check_layers(student, self._layers)
        check_documents_apart(student)
        self.projection: StateProjection | None = None
        if self._layers:
            if teacher_width is None:
                raise ConflictingOptions(
                    "A loss on intermediate states needs a teacher that gives its states.",
                    "Take the live or exact teacher.",
                )
            self.projection = StateProjection(whole.weight.shape[1], teacher_width)
        self.alpha = math.nan

    def forward(self, batch: Batch, targets: Targets) -> tuple[Tensor, ...]:
        """The sums named in PARTS over the batch's counted positions; without targets the text's own cross-entropy.

        What is differentiated has the states' sum in it `alpha` times (see `set_alpha`).
        """
        hidden, states = hidden_states(self.student, batch, self._layers)
        mask = counted(batch)
        labels = batch.ids.roll(-1, dims=1)[mask]
        own, text = hidden[mask], None if targets is None else labels
        said = _the_text(labels) if targets is None else targets
        sums = chunked_divergence(own, renewed(self._head, self.student), said, text, self._settings(targets))
        zero = torch.zeros_like(sums.divergence)
        if self.projection is None or not isinstance(targets, ExactTargets):
            none = targets is None
            return sums.total, zero if none else sums.divergence, sums.divergence if none else sums.cross_entropy, zero
        matched = states_loss([state[mask] for state in states], targets.states, self.projection)
        return sums.total + self.alpha * matched, sums.divergence, sums.cross_entropy, matched.detach()

    @property
    def wants_alpha(self) -> bool:
        """Whether the loss has states in it and no step has said yet how much they weigh."""
        return self.projection is not None and math.isnan(self.alpha)

    def set_alpha(self, divergence: float, states: float) -> None:
        """Let the states weigh as much as the logits: α = L_logits / L_is, of the sums of a whole step over all ranks.

        A step takes the α of the step before, and the first one of a pass over its own rows. (The paper recomputes it each
        step; a step's own sums are known only after its last micro-batch. An α for each micro-batch would make the loss
        depend on how rows are cut into them.)
        """
        self.alpha = dynamic_alpha(torch.tensor(divergence), torch.tensor(states)).item()

    def _settings(self, targets: Targets) -> LossSettings:
        if targets is not None:
            return self.loss
        return replace(self.loss, divergence="forward_kl", temperature=1.0, clm=0.0)


def _the_text(labels: Tensor) -> SampledTargets:
    """A teacher that is sure of the next token, without entropy: the divergence from it is the text's cross-entropy."""
    sure = torch.ones_like(labels[:, None], dtype=torch.float32)
    return SampledTargets(labels[:, None], sure, torch.zeros_like(labels, dtype=torch.float32))
