"""KD ticket ("Good Students Play Big Lottery Better", Ma et al. 2021, arXiv 2101.03255).

A pruned network is trained again from the weights before training (or rewound ones), not by the
labels but by the soft labels that the trained dense network gives for each batch:

    L = w T^2 KL(softmax(z_dense / T) || softmax(z / T)) + (1 - w) L_targets(z),   z = f(x; m * W_k)

with the mask m, the early weights W_k (k = 0: the untrained ones), temperature T and w near 1.
Rewinding inherits from the early phase of the dense training; soft labels inherit from its end.
"""

from __future__ import annotations

from edgeflow.progress import Progress, silent
from edgeflow.train.distill import by_logits
from edgeflow.train.fit import TrainedNetwork
from edgeflow.train.retrain import DenseTraining, Prune, rewind_weights


def kd_ticket(
    dense: DenseTraining,
    prune: Prune,
    *,
    epochs: int = 0,
    temperature: float,
    soft_weight: float,
    progress: Progress = silent,
) -> TrainedNetwork:
    """Train what `prune` leaves of the network after `epochs` by soft labels of the trained one."""
    guidance = by_logits(dense.trained, temperature=temperature, soft_weight=soft_weight)
    return rewind_weights(dense, prune, epochs, progress, guidance)
