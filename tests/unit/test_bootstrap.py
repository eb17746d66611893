"""The set-up: stamps, the choice of a torch and what is said, with small fake interpreters in place of `.venv`'s."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ldznet_ext import bootstrap, torch_wheel
from ldznet_ext.bootstrap import SetupError, Venv

ROOT = Path(bootstrap.__file__).resolve().parent.parent
posix = pytest.mark.skipif(os.name == "nt", reason="the fake interpreters are shell scripts")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with two requirements and one pin."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\ndependencies = ["a"]\n\n[tool.ruff]\nline-length = 9\n'
    )
    (tmp_path / "constraints").mkdir()
    (tmp_path / "constraints" / "known-good.txt").write_text("a==1\n")
    monkeypatch.setattr(bootstrap, "CHECKOUT", tmp_path)
    return tmp_path


def script(path: Path, text: str) -> Path:
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def finished(checkout: Path, extra: str = "run") -> Venv:
    """A `.venv` whose every step is stamped."""
    venv = Venv(folder=checkout / ".venv")
    site = venv.folder / "lib/python3.11/site-packages"
    (site / "torch").mkdir(parents=True)
    script(venv.python, "exit 0")
    venv.stamp("base", folder=str(venv.folder))
    venv.stamp("torch", named="", version="2.13.0+cpu", where=str(site), borrowed=False)
    venv.stamp(extra, hash=bootstrap.requirements_hash(extra, venv.read("torch")))
    return venv


def forbid_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError(f"a process was started: {args}")

    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)


def test_a_second_set_up_starts_no_process_and_says_nothing(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = finished(checkout)
    forbid_processes(monkeypatch)
    bootstrap.set_up(venv)
    assert capsys.readouterr() == ("", "")


def test_requirements_count_and_tool_settings_do_not(checkout: Path) -> None:
    venv = finished(checkout)
    project = checkout / "pyproject.toml"
    project.write_text(project.read_text().replace("line-length = 9", "line-length = 8"))
    assert bootstrap.ready(venv)
    project.write_text(project.read_text().replace('["a"]', '["a", "b"]'))
    assert not bootstrap.ready(venv)


def test_run_does_not_stand_for_test(checkout: Path) -> None:
    venv = finished(checkout)
    assert bootstrap.ready(venv, "run")
    assert not bootstrap.ready(venv, "test")


def test_torch_is_wanted_again_when_it_is_gone_or_another_is_named(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv = finished(checkout)
    assert bootstrap.wanted_torch(venv) is None
    monkeypatch.setenv("TORCH", "torch==2.9")
    assert bootstrap.wanted_torch(venv) == "torch==2.9"
    monkeypatch.delenv("TORCH")
    Path(venv.read("torch")["where"], "torch").rmdir()
    assert bootstrap.wanted_torch(venv) == ""


def test_a_damaged_stamp_is_no_stamp(tmp_path: Path) -> None:
    venv = Venv(folder=tmp_path)
    venv.stamp("torch", version="1")
    assert venv.read("torch") == {"version": "1"}
    (tmp_path / ".ldznet" / "torch.json").write_text('{"version"')
    assert venv.read("torch") == {}


def test_a_folder_that_is_no_environment_is_left_alone(checkout: Path) -> None:
    venv = Venv(folder=checkout / ".venv")
    venv.folder.mkdir()
    (venv.folder / "thesis.txt").write_text("years")
    with pytest.raises(SetupError, match="no virtual environment"):
        bootstrap.set_up(venv)
    assert (venv.folder / "thesis.txt").read_text() == "years"


def test_an_unknown_set_up_is_a_sentence() -> None:
    with pytest.raises(SetupError, match="'tset' does not exist; expected run or app or test or dev"):
        bootstrap.set_up(extra="tset")


def test_megabytes_are_those_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(300_000))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b").write_bytes(bytes(200_000))
    assert bootstrap.folder_mb(tmp_path) == pytest.approx(0.5)


@posix
def test_what_pip_fetches_and_why_it_fails_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    venv = Venv(folder=tmp_path)
    script(
        venv.python,
        'echo "  Downloading https://x.org/a/scipy-1.17-cp311.whl (35.2 MB)"\n'
        'echo "  Downloading tiny-1.whl (12 kB)"\n'
        'echo "ERROR: No matching distribution found for scipy"\nexit 1',
    )
    with pytest.raises(SetupError, match="No matching distribution found for scipy; check the network"):
        bootstrap.pip(venv, "install", "scipy")
    assert capsys.readouterr().err == "    scipy-1.17-cp311.whl  35.2 MB\n"


def report(*wheels: tuple[str, str]) -> str:
    """A report of `pip install --dry-run` over (name, version) pairs."""
    rows = [
        {"metadata": {"name": name, "version": version}, "download_info": {"url": f"file:///nowhere/{name}.whl"}}
        for name, version in wheels
    ]
    return json.dumps({"install": rows})


def fake_pip(tmp_path: Path, own: str, cpu_index: str, whole: str, version: str = "24.0") -> Path:
    """An interpreter whose pip answers from three places: own sources, the CPU index, the index with dependencies."""
    return script(
        tmp_path / "python",
        f"case \"$*\" in\n *--version*) echo 'pip {version} from here';;\n *--index-url*) echo '{cpu_index}';;\n"
        f" *--no-deps*) echo '{own}';;\n *) echo '{whole}';;\nesac",
    )


CPU, PLAIN = ("torch", "2.13.0+cpu"), ("torch", "2.13.0")


@posix
@pytest.mark.parametrize(
    ("own", "cpu_index", "arguments"),
    [
        (report(CPU), report(CPU), ("torch==2.13.0+cpu",)),
        (report(PLAIN), report(CPU), ("--index-url", torch_wheel.CPU_INDEX, "--no-deps", "torch==2.13.0")),
        ("no answer", report(CPU), ("--index-url", torch_wheel.CPU_INDEX, "--no-deps", "torch==2.13.0")),
    ],
)
def test_a_cpu_build_is_taken_from_the_first_place_that_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, cpu_index: str, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    python = fake_pip(tmp_path, own, cpu_index, whole="{}")
    said: list[str] = []
    assert torch_wheel.choose(python, "", dict(os.environ), said.append).arguments == arguments
    assert said == []


@posix
def test_gigabytes_are_announced_before_they_are_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    waits: list[float] = []
    monkeypatch.setattr(torch_wheel, "sleep", waits.append)
    python = fake_pip(tmp_path, report(PLAIN), "", report(PLAIN, ("nvidia-cublas", "13"), ("triton", "3")))
    monkeypatch.setattr(torch_wheel, "_bytes", lambda url: 900_000_000)
    said: list[str] = []
    choice = torch_wheel.choose(python, "", dict(os.environ), said.append)
    assert choice.arguments == ("torch==2.13.0",)
    assert "2,700 MB, 2 GPU packages" in said[0]
    assert "TORCH=" in said[1]
    assert waits == [10]


@posix
def test_an_index_wheel_is_a_cpu_build_off_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    python = fake_pip(tmp_path, report(PLAIN), "", "")
    assert torch_wheel.choose(python, "", dict(os.environ), print).arguments == ("torch==2.13.0",)


@posix
def test_an_old_pip_that_cannot_be_renewed_only_looks_at_local_files(tmp_path: Path) -> None:
    python = fake_pip(tmp_path, report(CPU), "", "", version="23.2.1")
    assert torch_wheel._dry_run_fetches_nothing(python, dict(os.environ)) == ["--no-index"]


def test_a_named_torch_is_followed(tmp_path: Path) -> None:
    wheel = tmp_path / "torch-2.9.whl"
    wheel.touch()
    assert torch_wheel.choose(tmp_path, "torch==2.9", {}, print).arguments == ("torch==2.9",)
    assert torch_wheel.choose(tmp_path, str(wheel), {}, print).arguments == (str(wheel),)


@posix
@pytest.mark.parametrize(("version", "usable"), [("2.4.1+cu121", True), ("2.3.0", False)])
def test_an_importable_torch_is_used_from_2_4_on(tmp_path: Path, version: str, usable: bool) -> None:
    python = script(tmp_path / "python", f'echo \'["{version}", "{tmp_path}/site/torch/__init__.py"]\'')
    found = torch_wheel.importable(python, dict(os.environ))
    assert (found == torch_wheel.Found(version=version, site=tmp_path / "site")) is usable
    assert (found is None) is not usable


def bare(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run this package with the standard library alone: -S leaves site-packages out."""
    return subprocess.run(
        [sys.executable, "-S", *arguments],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_the_set_up_needs_the_standard_library_alone() -> None:
    done = bare("-c", "import ldznet_ext.bootstrap as b; print(len(b.missing_modules()) == len(b.RUN_MODULES))")
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_without_packages_a_command_is_one_sentence_and_code_2() -> None:
    done = bare("-m", "ldznet_ext", "mask", "photo.png", "fox", LDZNET_INSIDE="1")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Python lacks torch, numpy,")
    assert len(done.stderr.splitlines()) == 1


@posix
def test_arguments_behind_two_dashes_run_inside(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv = finished(checkout)
    monkeypatch.setattr(bootstrap, "VENV", venv)
    calls: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(os, "execve", lambda path, command, environment: calls.append((path, command)))
    bootstrap.run_inside(["-m", "pytest"], venv)
    assert calls == [(str(venv.python), [str(venv.python), "-m", "pytest"])]
    assert bootstrap._split(["dev", "--", "-m", "x"]) == (["dev"], ["--"], ["-m", "x"])
