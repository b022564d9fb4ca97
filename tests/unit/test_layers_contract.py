"""The exhaustive layers contract: order across root packages, and no package outside."""

from __future__ import annotations

from pathlib import Path

import grimp
import pytest
from importlinter.domain.contract import ContractCheck

from tests.layers_contract import ExhaustiveLayersContract

pytestmark = pytest.mark.unit

LAYERS = ["app.top", "lib.middle | app.middle", "lib.bottom"]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Checks the contract over modules made up as {name: source}."""

    def check(modules: dict[str, str]) -> ContractCheck:
        for name, source in {
            "app": "",
            "lib": "",
            **{layer: "" for line in LAYERS for layer in line.split(" | ")},
            **modules,
        }.items():
            folder = tmp_path.joinpath(*name.split("."))
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "__init__.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))
        graph = grimp.build_graph("app", "lib", include_external_packages=True, cache_dir=None)
        options = {"root_packages": ["app", "lib"]}
        return ExhaustiveLayersContract("layers", options, {"layers": LAYERS}).check(graph, verbose=False)

    return check


def test_imports_from_lower_layers_of_any_root_are_kept(check):
    assert check({"app.top": "import lib.bottom, json", "app.middle.part": "import lib.bottom"}).kept


def test_an_import_from_a_higher_layer_of_another_root_is_broken(check):
    result = check({"lib.bottom": "import app.top"})
    assert not result.kept
    assert [(each["importer"], each["imported"]) for each in result.metadata["invalid_dependencies"]] == [
        ("lib.bottom", "app.top")
    ]


@pytest.mark.parametrize("name", ["app.new", "lib.new"])
def test_a_package_that_is_in_no_layer_is_named_and_breaks_the_contract(check, name):
    result = check({name: "", f"{name}.inside": ""})
    assert not result.kept
    assert result.metadata["undeclared_modules"] == {name}
