"""Phrases in batches that fit into the memory promised, and heads that stay loaded."""

from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import pytest

from ldznet_ext.geometry import Size
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.segmenters import heads
from tests.tiny import write_head

SD, STICKER = 320, 64
"""Channels of the finest level."""


@pytest.mark.parametrize(
    ("channels", "native", "seen", "phrases", "sizes"),
    [
        (SD, 512, 512, 1, [1]),
        (SD, 512, 512, 8, [4, 4]),  # not 8 at once, which would hold 566 MB
        (SD, 512, 512, 5, [2, 3]),  # as even as can be: a batch of one takes nearly as long
        (SD, 512, 384, 8, [4, 4]),
        (SD, 512, 1088, 3, [1, 1, 1]),
        (STICKER, 256, 256, 8, [8]),
        (STICKER, 256, 256, 9, [4, 5]),
        (STICKER, 256, 512, 4, [2, 2]),
    ],
)
def test_batches(channels: int, native: int, seen: int, phrases: int, sizes: list[int]) -> None:
    view = SimpleNamespace(fit=SimpleNamespace(network=Size(seen, seen)))
    backbone = SimpleNamespace(native=Size(native, native), factor=8)
    asked = tuple(f"phrase {number}" for number in range(phrases))
    batches = list(heads._chunks(asked, view, backbone, channels))  # type: ignore[arg-type]
    assert [len(batch) for batch in batches] == sizes
    assert sum(batches, ()) == asked


def test_large_heads_are_not_kept_beside_each_other(
    backbone: StandaloneBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full-size head has 1.85 GB: another of that size takes its place, small ones all stay."""
    monkeypatch.setattr(heads, "_heads", OrderedDict())
    files = [write_head(tmp_path / f"{kind}.safetensors", kind) for kind in ("ldznet", "znet", "rgbnet")]
    sizes = [heads._size(heads._load_cached(file, backbone)[0]) for file in files]
    assert len(heads._heads) == 3
    monkeypatch.setattr(heads, "KEPT", sizes[2] + sizes[0])
    heads._load_cached(files[0], backbone)  # now the one used last
    again = write_head(tmp_path / "another.safetensors", "rgbnet")
    heads._load_cached(again, backbone)
    assert [key[0].name for key in heads._heads] == ["ldznet.safetensors", "another.safetensors"]
    monkeypatch.setattr(heads, "KEPT", 0)
    heads._load_cached(files[1], backbone)
    assert [key[0].name for key in heads._heads] == ["znet.safetensors"]
