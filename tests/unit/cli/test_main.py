"""The frame: help, exit codes, and that nothing but a sentence ever shows."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ldznet_ext
from ldznet_ext.cli import console
from ldznet_ext.cli.main import COMMANDS

ROOT = Path(ldznet_ext.__file__).resolve().parent.parent


def test_help_lists_every_command(ldznet):
    for arguments in ([], ["--help"], ["-h"]):
        ran = ldznet(*arguments)
        assert ran.code == 0 and ran.err == ""
        assert all(re.search(rf"\n    {name}\s", ran.out) for name in COMMANDS)
    assert ldznet("--version").out.strip() == f"ldznet {ldznet_ext.__version__}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(ldznet, command):
    ran = ldznet(command, "--help")
    assert ran.code == 0 and ran.out.startswith(f"usage: ldznet {command} ")
    assert len(ran.out.splitlines()) < (85 if command == "mask" else 50)  # that one has the whole table of options


@pytest.mark.parametrize(
    "command",
    ["mask", "classes", "generate", "edit", "evaluate", "world", "convert", "models", "export-checkpoint", "report"],
)
def test_the_help_of_a_command_loads_nothing_heavy(command):
    code = (
        "import sys; from ldznet_ext.cli.main import main\n"
        f"assert main(['{command}', '--help']) == 0\n"
        "assert not {'torch', 'numpy', 'cv2', 'PIL'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["bogus"],
        ["--bogus"],
        ["mask"],
        ["mask", "x.png"],
        ["mask", "x.png", "fox", "--dtype", "int3"],
        ["evaluate"],
        ["world"],
    ],
)
def test_a_wrong_call_is_one_sentence(ldznet, arguments):
    assert "--help" in ldznet(*arguments).complaint


def test_a_defect_is_a_sentence_without_a_traceback(ldznet, fake, photo, tmp_path, monkeypatch):
    fake.trouble = TypeError("one line\nand another")
    ran = ldznet("mask", photo, "fox", "-o", "out")
    assert ran.code == 1 and ran.err.count("\n") == 1 and "Traceback" not in ran.err and not (tmp_path / "out").exists()
    monkeypatch.setenv("LDZNET_DEBUG", "1")
    assert "Traceback" in ldznet("mask", photo, "fox", "-o", "out").err


def test_an_interruption(ldznet, fake, photo, tmp_path):
    fake.trouble = KeyboardInterrupt()
    ran = ldznet("mask", photo, "fox", "-o", "out")
    assert (ran.code, ran.err) == (130, "Interrupted.\n") and not (tmp_path / "out").exists()


@pytest.mark.parametrize("trouble", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate")])
def test_too_little_memory(ldznet, fake, photo, trouble):
    fake.trouble = trouble
    assert "memory" in ldznet("mask", photo, "fox").complaint


def test_a_missing_package(ldznet, fake, photo):
    fake.trouble = ModuleNotFoundError("No module named 'torch'", name="torch")
    assert "'torch' is missing" in ldznet("mask", photo, "fox").complaint


def test_json_is_finite_and_knows_numpy():
    import numpy as np

    value = {
        "a": (np.float32(0.5), np.int64(3)),
        "b": float("inf"),
        "c": [float("nan"), True, None, np.bool_(True)],
        4: "x",
    }
    assert console.finite(value) == {"a": [0.5, 3], "b": None, "c": [None, True, None, True], "4": "x"}


FAKE = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}]
from tests.unit.cli.conftest import FakeEngine
from ldznet_ext.cli import engine
from ldznet_ext.cli.main import main
fake = FakeEngine()
engine.open_backbone = lambda args: fake
engine.segment = fake.segment
{before}
sys.exit(main(sys.argv[1:]))
"""


def process(tmp_path: Path, *arguments: str, before: str = "", **options):
    code = FAKE.format(root=str(ROOT), before=before)
    command = [sys.executable, "-c", code, *arguments]
    options = {"capture_output": True, "cwd": tmp_path, **options}
    return subprocess.run(command, check=False, timeout=120, **options)


@pytest.mark.parametrize("encoding, json_flag", [("ascii", []), ("cp1252", ["--json"])])
def test_a_process_prints_words_of_any_script_whatever_the_terminal(tmp_path, photo, encoding, json_flag):
    env = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = process(tmp_path, "mask", str(photo), "🦊 ثعلب", *json_flag, env=env)
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
    if json_flag:
        assert json.loads(done.stdout.decode(encoding))["phrases"][0]["text"] == "🦊 ثعلب"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs limits on file sizes, as Linux has them")
def test_a_full_disk_leaves_nothing(tmp_path):
    from PIL import Image

    Image.effect_noise((300, 200), 90).save(tmp_path / "noise.png")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))"
    done = process(tmp_path, "mask", "noise.png", "fox", "-o", "out", before=limit, text=True)
    assert done.returncode == 2 and done.stdout == "" and "could not be written" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr and [path.name for path in tmp_path.iterdir()] == ["noise.png"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_standard_output_is_a_sentence(tmp_path, photo):
    with open("/dev/full", "w") as full:
        done = process(
            tmp_path,
            "mask",
            str(photo),
            "fox",
            "--json",
            stdout=full,
            stderr=subprocess.PIPE,
            capture_output=False,
            text=True,
        )
    assert done.returncode == 2 and "standard output" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize(("words", "code"), [(["fox"], 0), (["owl"], 0), ([""], 2), ([], 2), (["fox", "--bogus"], 2)])
def test_a_full_standard_error_changes_no_exit_code(tmp_path, photo, words, code):
    with open("/dev/full", "w") as full:
        arguments = ["mask", str(photo), *words, "--json"]
        done = process(tmp_path, *arguments, stdout=subprocess.PIPE, stderr=full, capture_output=False, text=True)
    assert done.returncode == code
    assert (json.loads(done.stdout)["phrases"][0]["text"] == words[0]) if code == 0 else done.stdout == ""


def test_a_reader_that_has_left_is_no_drama(tmp_path, photo):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        done = process(
            tmp_path, "mask", str(photo), "fox", stdout=pipe, stderr=subprocess.PIPE, capture_output=False, text=True
        )
    assert done.returncode == 1 and "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
