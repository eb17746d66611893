"""The pocket host keeps the hosts' contract: the order of hooks and callbacks, the batch's layout, hires, raising hooks.

The orders are those that were seen in running hosts.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.pocket_host.conftest import HERE, ROOT, missing

pytestmark = pytest.mark.browser
PROBE = """
import json, sys
sys.path.insert(0, {host!r})
from modules import paths_internal, processing, script_callbacks, scripts, sd_models, shared
calls, rows = [], []

class Probe(scripts.Script):
    def title(self): return "Probe"
    def show(self, is_img2img): return scripts.AlwaysVisible

for name in ("setup", "before_process", "process", "before_process_batch", "after_extra_networks_activate", "process_batch",
             "process_before_every_sampling", "post_sample", "postprocess_batch", "postprocess_batch_list", "postprocess_image",
             "postprocess_maskoverlay", "postprocess_image_after_composite", "postprocess", "before_hr", "on_mask_blend"):
    def hook(self, p, *args, _name=name, **kwargs):
        calls.append(_name)
        if _name == {raising!r}: raise ValueError("on purpose")
    setattr(Probe, name, hook)

scripts.scripts_data.append((Probe, "probe.py", ""))
runner = scripts.scripts_txt2img
runner.initialize_scripts(False)
for script in runner.alwayson_scripts: script.args_from = script.args_to = 1
script_callbacks.on_cfg_denoiser(lambda params: (calls.append("cfg_denoiser"),
    rows.append([len(params.x), len(params.text_cond), len(params.text_uncond), params.denoiser.step])))
script_callbacks.on_cfg_denoised(lambda params: calls.append("cfg_denoised"))
script_callbacks.on_cfg_after_cfg(lambda params: calls.append("after_cfg"))
script_callbacks.on_model_loaded(lambda model: calls.append("model_loaded"))
sd_models.list_models()
asked = {{"prompt": "a fox", "width": 64, "height": 64, "steps": 2, "seed": 1, "do_not_save_samples": True, **{fields!r}}}
p = processing.StableDiffusionProcessingTxt2Img(**asked)
p.scripts = runner
p.script_args = [0]
shared.state.begin("probe")
shared.state.job_count = -1
result = processing.process_images(p)
print(json.dumps({{"calls": calls, "rows": rows, "images": len(result.images), "seeds": p.all_seeds}}))
"""
STEP = ["cfg_denoiser", "cfg_denoised", "after_cfg"]
BATCH_HEAD = ["before_process_batch", "after_extra_networks_activate", "process_batch"]
PICTURE = ["postprocess_image", "postprocess_maskoverlay", "postprocess_image_after_composite"]


def probe(tmp_path: Path, *, raising: str = "", **fields: object) -> dict:
    """What one generation called, in a process of its own."""
    import json

    if reason := missing():
        pytest.skip(reason)
    code = PROBE.format(host=str(HERE), fields=fields, raising=raising)
    command = [sys.executable, "-c", code, "--data-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_hooks_come_in_the_hosts_order(tmp_path: Path) -> None:
    told = probe(tmp_path)

    assert [call for call in told["calls"] if call != "model_loaded"] == [
        "setup",
        "before_process",
        "process",
        *BATCH_HEAD,
        "process_before_every_sampling",
        *STEP,
        *STEP,
        "post_sample",
        "postprocess_batch",
        "postprocess_batch_list",
        *PICTURE,
        "postprocess",
    ]
    assert told["images"] == 1


def test_conditional_rows_come_first_and_steps_are_counted(tmp_path: Path) -> None:
    told = probe(tmp_path, batch_size=3)
    assert told["rows"] == [[6, 3, 3, 0], [6, 3, 3, 1]]
    assert told["seeds"] == [1, 2, 3]
    assert told["calls"].count("postprocess_image") == 3
    both = probe(tmp_path, prompt="a fox AND snow :0.5")
    assert both["rows"][0][:3] == [3, 2, 1]


def test_hires_samples_a_second_time(tmp_path: Path) -> None:
    told = probe(tmp_path, enable_hr=True, hr_scale=2.0)
    calls = told["calls"]
    assert calls.count("process_before_every_sampling") == 2
    assert calls.index("before_hr") < len(calls) - calls[::-1].index("process_before_every_sampling")


def test_a_raising_hook_is_reported_and_the_picture_is_painted(tmp_path: Path) -> None:
    assert probe(tmp_path, raising="process")["images"] == 1
