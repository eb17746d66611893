"""What `ldznet doctor` says of a whole installation, of one without packages, and of one without models."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ldznet_ext
from ldznet_ext.cli import doctor

ROOT = Path(ldznet_ext.__file__).resolve().parent.parent


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    return doctor.run(parser.parse_args(arguments))


def no_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "model_folders", lambda: (tmp_path / "models",))
    monkeypatch.setattr(doctor, "find_heads", list)
    monkeypatch.setattr(doctor, "find_model", lambda name: None)


def test_json_holds_versions_and_a_verdict_for_each_task(capsys: pytest.CaptureFixture[str]) -> None:
    run("--json")
    report = json.loads(capsys.readouterr().out)
    import numpy
    import torch

    assert report["version"] == ldznet_ext.__version__
    assert report["packages"]["numpy"] == numpy.__version__
    assert report["torch"]["version"] == torch.__version__
    assert report["torch"]["threads"] == torch.get_num_threads()
    assert set(report["works"]) >= {"mask", "generate", "edit", "train", "tests"}
    assert all(bool(answer["why"]) != answer["ok"] for answer in report["works"].values())


def test_a_missing_model_says_where_it_was_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    no_models(monkeypatch, tmp_path)
    assert run() == 1
    text = capsys.readouterr().out
    assert f"no  generate  no sticker-sd in {tmp_path / 'models'}; restore models/ or use --model" in text
    assert f"{tmp_path / 'models'}: not there" in text


def test_a_model_without_a_head_paints_but_finds_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_models(monkeypatch, tmp_path)
    (tmp_path / "models" / "sticker-sd" / "unet").mkdir(parents=True)
    monkeypatch.setattr(doctor, "find_model", lambda name: tmp_path / "models" / name)
    works = doctor.examine()["works"]
    assert (works["generate"]["ok"], works["mask"]["ok"]) == (True, False)
    assert works["mask"]["why"].startswith("no head (.safetensors)")


def test_a_missing_package_names_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = doctor._package
    monkeypatch.setattr(doctor, "_package", lambda name, module: None if name == "einops" else found(name, module))
    assert run() == 1
    assert "einops missing; run `make demo`" in capsys.readouterr().out


def test_it_answers_with_the_standard_library_alone() -> None:
    code = (
        "import argparse, sys\nfrom ldznet_ext.cli import doctor\nparser = argparse.ArgumentParser()\n"
        "doctor.add_arguments(parser)\nsys.exit(doctor.run(parser.parse_args([])))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "torch: missing" in done.stdout
    assert "packages missing; run `make demo`" in done.stdout


def test_the_packages_are_those_of_pyproject() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    declared = text.split("dependencies = [", 1)[1].split("]", 1)[0]
    names = [line.strip().strip('",').split(">=")[0] for line in declared.splitlines() if line.strip().startswith('"')]
    assert names == list(doctor.NEEDED)
