"""A convolution is told its padding: blocks in the middle of a map have none, those at its edges their own."""

import torch
from torch import nn

from unet.network.padding import PaddedAnew, convolved


class Told(PaddedAnew):
    """Notes what it was told."""

    def __init__(self):
        super().__init__()
        self.told = []

    def forward(self, values, padding=None):
        self.told.append(padding)
        return values + 1


def test_all_are_told():
    first, second = Told(), Told()
    found = convolved(nn.Sequential(first, second), torch.zeros(1, 1, 4, 4), 0)
    assert (first.told, second.told) == ([0], [0])
    assert (found == 2).all()


@torch.no_grad()
def test_torchs_own_are_given_another_than_theirs():
    double = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU(), nn.Conv2d(1, 1, 3, padding=1), nn.ReLU())
    values = torch.rand(1, 1, 9, 7)
    assert convolved(double, values, 0).shape == (1, 1, 5, 3)
    assert torch.equal(convolved(double, values, 1), double(values))
    torch.testing.assert_close(convolved(double, values, 0), double(values)[..., 2:-2, 2:-2])
