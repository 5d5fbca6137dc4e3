"""Compiles a call tree as one unit: parts are lowered once, the entry point optimises and emits them together.

numba on its own optimises every function together with all it calls, at every level of the tree, and emits machine code
and wrappers for each. Here a part is only lowered to LLVM's intermediate form; its entry point links all parts below it
and runs the optimiser once over the whole. A part cannot be called from Python.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding as llvm
from numba.core import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.typed_passes import AnnotateTypes
from numba.extending import lower_cast


class _Silent:
    """A code generator that keeps no environments: a part has no address to keep one at."""

    def __init__(self, codegen: Any) -> None:
        self._codegen = codegen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codegen, name)

    def set_env(self, name: str, env: Any) -> None:
        """Leave the environment out."""


class PartLibrary(JITCodeLibrary):  # type: ignore[misc]
    """What one part was lowered to, neither linked nor optimised."""

    @property
    def codegen(self) -> Any:
        return _Silent(self._codegen)

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def finalize(self) -> None:
        self._raise_if_finalized()
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        return 0

    def module(self) -> Any:
        """The module with everything private to whoever links it."""
        for function in self._final_module.functions:
            if not function.is_declaration:
                function.linkage = llvm.Linkage.linkonce_odr
        return self._final_module


class WholeLibrary(JITCodeLibrary):  # type: ignore[misc]
    """An entry point with every part below it, each linked once."""

    def finalize(self) -> None:
        seen: dict[Any, None] = {}
        waiting = list(self._linking_libraries)
        while waiting:
            library = waiting.pop()
            if library not in seen:
                seen[library] = None
                if isinstance(library, PartLibrary):
                    waiting += library._linking_libraries
        self._linking_libraries = []
        for library in seen:
            self._reload_init.update(library._reload_init)
            module = library.module() if isinstance(library, PartLibrary) else library._get_module_for_linking()
            self._final_module.link_in(module, preserve=True)
        super().finalize()

    def _optimize_final_module(self) -> None:
        # Nobody else calls the parts: the optimiser may change what they take and give.
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage == llvm.Linkage.linkonce_odr:
                function.linkage = llvm.Linkage.internal
        super()._optimize_final_module()


class _Place(LoweringPass):  # type: ignore[misc]
    """Puts what is lowered next into a library of one of the two kinds."""

    _name = "polyguard_place"
    kind: type[JITCodeLibrary]

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        state.library = self.kind(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return True


@register_pass(mutates_CFG=False, analysis_only=True)
class PlacePart(_Place):
    """The library of a part."""

    _name, kind = "polyguard_place_part", PartLibrary


@register_pass(mutates_CFG=False, analysis_only=True)
class PlaceWhole(_Place):
    """The library of an entry point."""

    _name, kind = "polyguard_place_whole", WholeLibrary


class PartCompiler(CompilerBase):  # type: ignore[misc]
    """Compiles a part."""

    place: type[_Place] = PlacePart

    def define_pipelines(self) -> list[Any]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(self.place, AnnotateTypes)
        passes.finalize()
        return [passes]


class WholeCompiler(PartCompiler):
    """Compiles an entry point and emits it with all its parts."""

    place = PlaceWhole


def widened(given: Any) -> Any:
    """The one type that stands for all like it: 64 bits for whole numbers, any length for arrays within records."""
    kind: Any = types.unliteral(given)
    if kind in (types.int8, types.int16, types.int32, types.int64):
        return types.int64
    if isinstance(kind, types.NestedArray):
        return types.Array(kind.dtype, kind.ndim, "C")
    return kind


@lower_cast(types.NestedArray, types.Array)
def _lengthened(context: Any, builder: Any, source: Any, target: Any, value: Any) -> Any:
    # Both are held alike; the length is a value of either.
    return value
