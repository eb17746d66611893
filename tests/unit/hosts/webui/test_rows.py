"""Every situation of a web UI's sampling as a table: calls in, rows of each picture out."""

import pytest

from ldznet_ext.hosts.webui.rows import Denoising, RowReader, UNetCall

ONE, TWO = Denoising.of(1), Denoising.of(2)
AND = Denoising(((0.4, 1.0), (0.4, 1.0)))
UNEVEN = Denoising(((1.0,), (0.5, 1.0, 0.2)))


def told(denoising: Denoising, calls: list[UNetCall]) -> list[dict[int, int]]:
    reader = RowReader(denoising)
    return [reader.read(call) for call in calls]


A1111 = [
    pytest.param(TWO, [4], [{0: 0, 1: 1}], id="one call, conditional first"),
    pytest.param(TWO, [2, 2], [{0: 0, 1: 1}, {}], id="batch_cond_uncond off, or prompts of different length"),
    pytest.param(TWO, [2], [{0: 0, 1: 1}], id="unconditional skipped (NGMS, skip_early_cond)"),
    pytest.param(ONE, [2], [{0: 0}], id="CFG 1 still has both"),
    pytest.param(ONE, [3], [{0: 0}], id="InstructPix2Pix: two unconditional ones"),
    pytest.param(AND, [6], [{0: 1, 1: 3}], id="AND: parts picture by picture, the heavier is read"),
    pytest.param(AND, [2, 2, 2], [{0: 1}, {1: 1}, {}], id="AND in calls of a batch's size"),
    pytest.param(AND, [4, 2], [{0: 1, 1: 3}, {}], id="AND, then the unconditional ones"),
    pytest.param(UNEVEN, [2, 2, 2], [{0: 0}, {1: 0}, {}], id="AND in one prompt only"),
    pytest.param(Denoising(((1.0, 1.0),)), [3], [{0: 0}], id="AND of equal weights: the first part"),
    pytest.param(Denoising(((-1.0, 0.3),)), [3], [{0: 1}], id="AND against something"),
    pytest.param(TWO, [4, 4], [{0: 0, 1: 1}, {}], id="an extension's call after the denoiser's own is not read"),
]
FORGE = [
    pytest.param(TWO, [(4, (1, 0))], [{0: 2, 1: 3}], id="one call, unconditional first"),
    pytest.param(TWO, [(4, (0, 1))], [{0: 0, 1: 1}], id="the other order"),
    pytest.param(TWO, [(2, (1,)), (2, (0,))], [{}, {0: 0, 1: 1}], id="split for want of memory"),
    pytest.param(TWO, [(2, (0,))], [{0: 0, 1: 1}], id="CFG 1, NGMS: unconditional dropped"),
    pytest.param(AND, [(6, (1, 0, 0))], [{0: 2, 1: 3}], id="AND: the last part runs first"),
    pytest.param(AND, [(4, (1, 0)), (2, (0,))], [{0: 2, 1: 3}, {}], id="AND, split"),
    pytest.param(Denoising(((1.0, 0.2),)), [(2, (1, 0)), (1, (0,))], [{}, {0: 0}], id="AND, split, the first part"),
    pytest.param(UNEVEN, [(4, (1, 0))], [{0: 2, 1: 3}], id="AND in one prompt only: the host drops the rest"),
    pytest.param(TWO, [(3, (1, 0))], [{}], id="chunks of another size: an area, a tile"),
    pytest.param(TWO, [(4, ())], [{}], id="no marks at all"),
]


@pytest.mark.parametrize(("denoising", "calls", "rows"), A1111)
def test_a1111(denoising: Denoising, calls: list[int], rows: list[dict[int, int]]) -> None:
    assert told(denoising, [UNetCall(count) for count in calls]) == rows


@pytest.mark.parametrize(("denoising", "calls", "rows"), FORGE)
def test_forge_and_reforge(
    denoising: Denoising, calls: list[tuple[int, tuple[int, ...]]], rows: list[dict[int, int]]
) -> None:
    assert told(denoising, [UNetCall(count, marks) for count, marks in calls]) == rows


@pytest.mark.parametrize("pictures", [1, 2, 5])
def test_each_picture_is_read_once(pictures: int) -> None:
    for calls in ([UNetCall(2 * pictures)], [UNetCall(1)] * pictures, [UNetCall(2 * pictures, (1, 0))]):
        rows = told(Denoising.of(pictures), calls)
        assert sorted(picture for call in rows for picture in call) == list(range(pictures))
