"""What a start of the web UI and a closed accordion import: nothing of weight, and within a fraction of a second."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HEAVY = (
    "torch",
    "cv2",
    "scipy",
    "skimage",
    "einops",
    "safetensors",
    "lark",
    "diffusers",
    "transformers",
    "fastapi",
    "kornia",
)
HOST = f"""
import importlib.abc, json, runpy, sys, time, types
import numpy, PIL.Image  # in every host's memory by now

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY!r}:
            raise ImportError(f"{{name}} was imported")

class Anything(types.ModuleType):
    "Stands for gradio and the host's parts: everything can be had, called and entered."
    value, label = None, ""
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything(name)
    def __call__(self, *args, **kwargs): return Anything("x")
    def __enter__(self): return self
    def __exit__(self, *error): return False

sys.meta_path.insert(0, Blocked())
names = ["gradio"] + ["modules." + name for name in ("scripts", "script_callbacks", "shared", "sd_models", "ui_components")]
for name in names:
    sys.modules[name] = Anything(name)
modules = sys.modules["modules"] = types.ModuleType("modules")
for name in names[1:]:
    setattr(modules, name[8:], sys.modules[name])
sys.modules["modules.scripts"].Script = type("Script", (), {{}})
sys.modules["modules.shared"].cmd_opts = types.SimpleNamespace()
sys.modules["modules.shared"].opts = types.SimpleNamespace(data={{}})
sys.modules["modules.sd_models"].model_data = types.SimpleNamespace(sd_model=None)
start = time.process_time()
names = runpy.run_path("scripts/ldznet_masks.py")
script = names["LdznetMasks"]()
loaded = time.process_time() - start
p = type("Processing", (), {{}})()
closed = [False]
for hook in ("before_process", "process", "process_before_every_sampling"):
    getattr(script, hook)(p, *closed)
for hook in ("post_sample", "postprocess_image", "postprocess_image_after_composite", "postprocess"):
    getattr(script, hook)(p, types.SimpleNamespace(), *closed)
painted = [name for name in sys.modules if name.startswith("ldznet_ext")]
script.ui(False)
assert names["entry"].tabs(), "the tab could not be made"
print(json.dumps({{"seconds": loaded, "modules": painted, "left": sorted(vars(p))}}))
"""


@pytest.fixture(scope="module")
def seen() -> dict:
    done = subprocess.run(
        [sys.executable, "-c", HOST], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stderr, done.stderr
    return json.loads(done.stdout)


def test_the_script_loads_and_a_closed_accordion_paints_without_anything_heavy(seen: dict) -> None:
    """A blocked module raises, so that what was imported would have failed above."""
    assert "ldznet_ext.hosts.webui.script" in seen["modules"]
    heavy = ("nets", "segmenters", "pipeline", "train", "eval", "world", "cli", "masks", "prompt", "harvest.hooks")
    assert [name for name in seen["modules"] if name.removeprefix("ldznet_ext.").startswith(heavy)] == []
    assert seen["left"] == [], "a closed accordion leaves nothing on the host's processing"


def test_loading_takes_a_fraction_of_a_second(seen: dict) -> None:
    assert seen["seconds"] < 0.3  # CPU seconds: a busy machine cannot fail it


def in_host() -> list[Path]:
    """What a web UI may import: everything but the stand-alone parts."""
    alone = {"train", "eval", "world", "cli"}
    package = [path for path in (ROOT / "ldznet_ext").rglob("*.py") if path.parent.name not in alone]
    return [*package, *(ROOT / "scripts").glob("*.py"), ROOT / "install.py", ROOT / "preload.py"]


@pytest.mark.parametrize("path", in_host(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_it_is_python_3_10(path: Path) -> None:
    ast.parse(path.read_text("utf-8"), path.name, feature_version=(3, 10))


def test_nothing_newer_than_the_hosts_libraries_is_called() -> None:
    """By name: einops 0.4.1 has no einsum and no pack, torch 2.1 no accelerator; numpy 1.26 has no array namespace of 2."""
    newer = {
        "einops": {"einsum", "pack", "unpack"},
        "typing": {"Self", "override", "Unpack", "assert_never", "LiteralString", "Required", "NotRequired"},
        "enum": {"StrEnum"},
        "itertools": {"batched"},
        "datetime": {"UTC"},
    }
    found = []
    for path in in_host():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in newer:
                found += [
                    f"{path.name}: {node.module}.{name.name}" for name in node.names if name.name in newer[node.module]
                ]
            if isinstance(node, ast.Import) and {alias.name for alias in node.names} & {"tomllib"}:
                found.append(f"{path.name}: tomllib")
    assert found == []
