"""What several test files share."""

import pytest
import torch


@pytest.fixture
def set_threads():
    """`torch.set_num_threads`, put back after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
