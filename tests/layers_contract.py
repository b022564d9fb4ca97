"""The layers contract that import-linter checks in ``make lint`` (pyproject.toml lists the layers).

import-linter's own ``exhaustive`` works within one container.  Ours spans several root packages: one list orders the
whole repository, and a package that is in no layer breaks the contract.
"""

from __future__ import annotations

import grimp
from importlinter.contracts.layers import LayersContract
from importlinter.domain.contract import ContractCheck


class ExhaustiveLayersContract(LayersContract):
    """Layers without containers, of which every module must be part."""

    type_name = "exhaustive_layers"

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        result = super().check(graph, verbose)
        layers = {tail.name for layer in self.layers for tail in layer.module_tails}
        ours = {module for module in graph.modules if not graph.is_module_squashed(module)}  # Libraries are squashed.
        undeclared = {module for module in ours if not _is_declared(module, layers)}
        # A package that is undeclared stands for its modules.
        topmost = {module for module in undeclared if module.rpartition(".")[0] not in undeclared}
        result.metadata["undeclared_modules"] = topmost
        result.kept = result.kept and not topmost
        return result


def _is_declared(module: str, layers: set[str]) -> bool:
    """Whether ``module`` is a layer, inside one, or a package that only holds layers."""
    parts = module.split(".")
    inside = any(".".join(parts[:length]) in layers for length in range(1, len(parts) + 1))
    return inside or any(layer.startswith(f"{module}.") for layer in layers)
