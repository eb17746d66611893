"""docs/performance.md says what was measured, and nothing else; what was not measured it says, too."""

import json
from pathlib import Path

from tools import performance_page

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_what_the_figures_make_of_it() -> None:
    folder = ROOT / "docs" / "performance"
    cpu, gpu = (performance_page.read(folder / f"{name}.json") for name in ("cpu", "gpu"))
    written = (ROOT / "docs" / "performance.md").read_text("utf-8")
    assert written == "".join(performance_page.page(cpu, gpu)), "run `python tools/performance_page.py`"


def test_a_target_that_is_missed_is_called_so() -> None:
    assert performance_page.judged({"wall": 0.91, "processor": 0.9, "target": 0.9}).endswith("**missed** |")
    assert performance_page.judged({"wall": 0.9, "processor": 0.9, "target": 0.9}).endswith("| met |")


def test_a_gpu_that_was_not_there_is_called_so(tmp_path: Path) -> None:
    assert "**Not run**" in "".join(performance_page.page({}, {}))


def test_a_block_that_failed_on_the_gpu_leaves_the_others(tmp_path: Path) -> None:
    row = {
        "phrases": 2,
        "miou": 50.0,
        "miou_minus_reference": -0.01,
        "largest_difference_of_one_iou": 0.2,
        "agreement_mean": 1.0,
    }
    blocks = {
        "about": {"date": "2026-01-02", "device": "cuda", "torch": "2.11"},
        "precision float16": row,
        "time float16 384": {"error": "OutOfMemoryError: ..."},
        "steps 384": {"skipped": "0 s left"},
        "ended": "after 140 s, in the middle of a block",
    }
    (tmp_path / "gpu.json").write_text(
        json.dumps({name: {"seconds": 1, "found": found} for name, found in blocks.items()})
    )
    page = "".join(performance_page.page({}, performance_page.read(tmp_path / "gpu.json")))
    assert "| float16 | 2 | 50.00 | -0.010 | 0.20 | 1.00000 |" in page
    assert "384x384**, milliseconds" not in page
