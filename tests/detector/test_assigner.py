"""Which points learn a needle that is thinner than the points are apart."""

import pytest
import torch


@pytest.fixture(scope="module")
def assigners(icevision):
    from mmdet.core.bbox.builder import build_assigner

    import cellcount.detector.assigner  # noqa: F401  it registers itself

    def build(**settings):
        return build_assigner(dict(topk=9, **settings))

    return build(type="ATSSAssigner"), build(type="ThinATSSAssigner", least=12)


# One level of the detector: a point each 8 pixels, whose prior is a square of 64.
_ROWS, _COLUMNS = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
POINTS = torch.stack([_COLUMNS, _ROWS], dim=-1).reshape(-1, 2) * 8.0
PRIORS = torch.cat([POINTS - 32, POINTS + 32], dim=1)


def _learning(assigner, box):
    """The points that learn the box."""
    assigned = assigner.assign(PRIORS, [len(PRIORS)], torch.tensor([box]))
    return POINTS[assigned.gt_inds > 0]


@pytest.mark.parametrize("left", [41.0, 42.0, 43.0])
def test_needle_between_the_points_is_learned(assigners, left):
    stock, thin = assigners
    box = [left, 20.0, left + 4.0, 90.0]
    assert len(_learning(stock, box)) == 0
    learning = _learning(thin, box)
    assert len(learning) > 0
    assert (learning[:, 0] - (left + 2.0)).abs().max() < 6


def test_wide_box_is_learned_as_by_atss(assigners):
    stock, thin = assigners
    box = [40.0, 44.0, 75.0, 80.0]
    assert torch.equal(_learning(thin, box), _learning(stock, box))
    assert len(_learning(thin, box)) > 0


def test_photo_without_cells_teaches_background(assigners):
    assigned = assigners[1].assign(PRIORS, [len(PRIORS)], torch.empty(0, 4))
    assert (assigned.gt_inds == 0).all()
