from __future__ import annotations

import pytest
import torch
from torch import Tensor

from edgeflow.grow import gradmax
from edgeflow.grow.probe import contribution
from edgeflow.grow.sites import Site, Width
from tests.grow.networks import OBJECTIVE, SPECS, probe_of, samples, trained_a_little


@pytest.mark.parametrize("name", ["dense", "convolution with stride and padding", "poolings"])
def test_no_outgoing_weights_of_norm_one_give_a_larger_gradient(name: str) -> None:
    """The loss's gradient at incoming weights of zero, by autograd through linear neurons."""
    spec, site = SPECS[name], Site(0, Width.OUTPUT)
    network = trained_a_little(spec)
    at = probe_of(spec, network, site)
    (batch,) = at.batches()
    read = at.carried_linearly(at.previous(batch))
    (layer,), (reading,) = at.consumers, batch.readings

    def gradient_norm(outgoing: Tensor) -> float:
        incoming = torch.zeros(1, read.shape[1], dtype=torch.float64, requires_grad=True)
        channels = torch.einsum("kf,nfhw->nkhw", incoming, read)
        loss = -(contribution(layer, channels, outgoing) * reading.desired).sum() / len(read)
        return float(torch.autograd.grad(loss, incoming)[0].norm())

    proposal = gradmax.propose(spec, network, site, *samples(spec), OBJECTIVE, 1, torch.Generator())
    best = proposal.extra["gradient_norm"]
    (outgoing,) = proposal.neurons.outgoing
    outgoing = outgoing.double()
    assert gradient_norm(outgoing / outgoing.norm()) == pytest.approx(best, rel=1e-5)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        drawn = torch.randn(outgoing.shape, generator=generator, dtype=torch.float64)
        assert gradient_norm(drawn / drawn.norm()) < best


def test_incoming_weights_are_where_the_first_gradient_step_goes() -> None:
    spec, site = SPECS["dense"], Site(0, Width.OUTPUT)
    network = trained_a_little(spec)
    at = probe_of(spec, network, site)
    (batch,) = at.batches()
    proposal = gradmax.propose(spec, network, site, *samples(spec), OBJECTIVE, 1, torch.Generator())
    outgoing = proposal.neurons.outgoing[0].double()[:, 0, 0, 0]
    wanted = batch.readings[0].desired.flatten(1) @ outgoing
    step = batch.producer_inputs.flatten(1).T @ wanted
    incoming = proposal.neurons.incoming[0].double()
    cosine = torch.nn.functional.cosine_similarity(step, incoming, dim=0)
    assert abs(float(cosine)) == pytest.approx(1.0, abs=1e-6)
