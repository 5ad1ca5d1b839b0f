from __future__ import annotations

import pytest
import torch

from specconv.engines.memory import empty


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.complex128])
def test_room_has_the_shape_and_the_type_asked_for(dtype: torch.dtype) -> None:
    like = torch.zeros(2, dtype=dtype)
    room = empty((3, 0, 5), like)
    assert (room.shape, room.dtype, room.device) == ((3, 0, 5), dtype, like.device)
    assert empty((4, 2), torch.zeros(1), dtype).dtype == dtype


def test_room_can_be_written_and_outlives_its_maker() -> None:
    room = empty((1000, 1000), torch.zeros(1))
    room.fill_(3.0)
    assert float(room.sum()) == 3e6
    assert empty((1000, 1000), torch.zeros(1)).data_ptr() != room.data_ptr()
