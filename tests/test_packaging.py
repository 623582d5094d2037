"""The wheel: all of the program and nothing else, no name but `chronoproxy`, and it starts from anywhere.

Built from a copy of what git tracks or would track, so that nothing is left in the checkout and a file that only lies
around cannot help.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from importlib.metadata import distributions
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

from api.cli import parser

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("api", "commands", "context", "dashboard", "gateway", "ledgers", "projections", "proxy", "schema")
UNSHIPPED = {"benchmarks", "deploy", "docs", "tests", ".ci"}


def run(*command: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{command} in {cwd}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tracked() -> list[PurePosixPath]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: the list of source files is unknown")
    listing = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    return [PurePosixPath(line) for line in sorted(set(listing.splitlines())) if (ROOT / line).exists()]


@pytest.fixture(scope="module")
def wheel(tracked: list[PurePosixPath], tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("checkout")
    for path in tracked:
        target = copy / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, target)
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy), cwd=copy)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
    run(*pip, "--target", str(target), str(wheel), cwd=target)
    return target


def in_wheel(path: PurePosixPath) -> str:
    return str(path) if path.parts[0] == "chronoproxy" else f"chronoproxy/_app/{path}"


def test_the_wheel_holds_exactly_the_tracked_files_of_the_program(wheel: Path, tracked: list[PurePosixPath]) -> None:
    expected = {in_wheel(path) for path in tracked if path.parts[0] in (*ROOMS, "chronoproxy")}
    with ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == expected


def test_every_folder_of_the_checkout_is_shipped_or_known_not_to_be(tracked: list[PurePosixPath]) -> None:
    folders = {path.parts[0] for path in tracked if len(path.parts) > 1}
    assert folders - {*ROOMS, "chronoproxy"} <= UNSHIPPED


def test_the_mapping_names_every_room() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        tool = tomllib.load(file)["tool"]
    packages = {"chronoproxy", *(f"chronoproxy._app.{room}" for room in ROOMS)}
    assert set(tool["setuptools"]["packages"]) == packages == set(tool["setuptools"]["package-dir"])
    assert set(tool["importlinter"]["root_packages"]) == {"chronoproxy", *ROOMS}


def test_no_installed_distribution_owns_one_of_our_names() -> None:
    owned = {
        file.parts[0].removesuffix(".py"): distribution.name
        for distribution in distributions()
        if distribution.name != "chronoproxy"
        for file in distribution.files or ()
    }
    assert {room: owned[room] for room in (*ROOMS, "benchmarks") if room in owned} == {}


def test_the_installed_program_starts_from_another_directory(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "api.py").write_text("raise SystemExit('the wrong api')\n")
    search = {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(installed)))}
    said = run(sys.executable, "-m", "chronoproxy", "--help", cwd=tmp_path, env={**os.environ, **search})
    assert "serve" in said


def test_the_locks_are_hashed_and_name_no_index() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert pins and all("==" in line and line.endswith("\\") for line in pins), name
        assert not any(word in text for word in ("://", "--index-url", "--extra-index-url", "--find-links")), name


def test_the_unit_names_nothing_that_a_users_manager_does_not_know() -> None:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(ROOT / "deploy" / "chronoproxy.service", encoding="utf-8")
    assert not {"After", "Wants", "Requires", "Documentation"} & set(
        unit["Unit"]
    )  # those of the network are the system's
    assert unit["Install"]["WantedBy"] == "default.target"
    assert parser().parse_args(unit["Service"]["ExecStart"].split()[1:]).command == "serve"
