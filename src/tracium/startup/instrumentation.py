"""Instrumentors: found by their entry points, applied when their library is first imported.

What is found is read from the distributions' metadata; nothing that the app does not use is imported. What cannot be
instrumented is said by name, with the cure.
"""

from __future__ import annotations

import enum
import functools
import importlib
import inspect
import logging
import os
import threading
from dataclasses import dataclass, replace
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from wrapt import register_post_import_hook

from tracium import notices
from tracium.faults import fault
from tracium.forks import in_children
from tracium.startup.libraries import (
    ESSENTIAL,
    LIBRARIES,
    MIDDLEWARES,
    STANDARD,
    Library,
    installed_version,
    library_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.metadata import Distribution, EntryPoint

    from opentelemetry.metrics import MeterProvider

    # What instrumentors are given for their metrics, by the name of the argument.
    _Metrics = dict[str, MeterProvider]

_DISABLED: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_GROUP: Final = "opentelemetry_instrumentor"
# Two distributions give the instrumentor of this name; the one that continues the other is taken.
_PREFERRED: Final = {"openai": "opentelemetry-instrumentation-genai-openai"}


class State(enum.Enum):
    """What became of an instrumentor, or of a library that has none."""

    ACTIVE = "instrumented"
    WAITING = "waits for its import"
    NATIVE = "makes its spans itself"
    DISABLED = "disabled"
    CONFLICT = "not instrumented"
    FAILED = "failed"
    MISSING = "no instrumentation"


@dataclass(frozen=True, slots=True)
class Instrumented:
    """One library and what became of its instrumentation.

    Attributes:
        name: The instrumentor's name, which is mostly the library's.
        version: The library's version, or None if it has none of its own (the standard library).
        instrumentor: The distribution that instruments it and its version, or None.
        state: What became of it.
        detail: Why, and what to do; empty when all is well.
        essential: Whether the app's traces have a hole without it.
    """

    name: str
    version: str | None
    instrumentor: str | None
    state: State
    detail: str = ""
    essential: bool = False

    @property
    def wrong(self) -> bool:
        """Whether something has to be done about it."""
        return self.state is State.FAILED or (self.essential and self.state in {State.CONFLICT, State.MISSING})


class Instrumentation:
    """All instrumentors of the process.

    Args:
        meter_provider: Given to each as `meter_provider=`: what they record goes there, and not to the global provider,
            which may be one of the app's that knows no tenants. None leaves them to the global one.
    """

    def __init__(self, meter_provider: MeterProvider | None = None) -> None:
        self._metrics: _Metrics = {} if meter_provider is None else {"meter_provider": meter_provider}
        self._lock = threading.RLock()
        in_children(self._renew_lock)
        self._known: dict[str, Instrumented] = {}

    def _renew_lock(self) -> None:
        self._lock = threading.RLock()

    def apply(self) -> None:
        """Arrange for every installed instrumentor to be applied when its library is imported; again changes nothing."""
        for name, module in STANDARD:
            self._apply_own(name, module)
        for library in LIBRARIES:
            if library.ours and library.version is not None:
                self._await_own(library)
        chosen = _choose(
            entry_point for entry_point in metadata.entry_points(group=_GROUP) if not _is_ours(entry_point)
        )
        for entry_point in chosen.values():
            self.apply_one(entry_point)
        for library in LIBRARIES:
            if library.entry_point not in chosen and library.version is not None and not library.ours:
                self._await_uninstrumented(library)
            self._await_ours(library)
        for module, ours in MIDDLEWARES:
            register_post_import_hook(functools.partial(_import, ours), module)

    def apply_one(self, entry_point: EntryPoint) -> None:
        """Arrange for one instrumentor to be applied when its library is imported."""
        with self._lock:
            if entry_point.name in self._known:
                return
            found = _describe(entry_point)
            self._known[entry_point.name] = found
        if found.state is State.CONFLICT:
            self._await_conflict(entry_point, found)
        elif found.state is State.WAITING:
            self._await_import(entry_point)

    def _apply_own(self, name: str, module: str) -> None:
        """Apply an instrumentation of ours; an instrumentor of the same name is left out then."""
        with self._lock:
            if name in self._known:
                return
            own = _own(name, None)
            self._known[name] = own
        if own.state is State.ACTIVE:
            _apply(module, self._metrics)

    def _await_own(self, library: Library) -> None:
        """Arrange for a library that ours alone instruments to be instrumented when it is imported."""
        with self._lock:
            if library.entry_point in self._known:
                return
            own = _own(library.entry_point, library.version)
            own = own if own.state is State.DISABLED else replace(own, state=State.WAITING)
            self._known[library.entry_point] = replace(own, essential=library.entry_point in ESSENTIAL)
        if own.state is State.WAITING:
            register_post_import_hook(lambda _module: self._load_own(library), library.module)

    def _load_own(self, library: Library) -> None:
        try:
            _apply(str(library.applied_by), self._metrics)
        except Exception as error:  # noqa: BLE001 - the app's import goes on
            why = f"tracium's own instrumentation raised {type(error).__name__}: {error}"
            self._update(library.entry_point, State.FAILED, why)
        else:
            self._update(library.entry_point, State.ACTIVE, "")

    def import_waiting(self) -> None:
        """Import what is installed and waits, so that every instrumentor shows whether it works (for `doctor`)."""
        for found in self.libraries():
            library = library_of(found.name)
            if found.state is State.WAITING and found.version is not None and library is not None:
                try:
                    importlib.import_module(library.module)
                except Exception as error:  # noqa: BLE001 - importing a library runs its code
                    self._update(found.name, State.FAILED, f"importing it raised {type(error).__name__}: {error}")

    def libraries(self) -> tuple[Instrumented, ...]:
        """What became of each, by name."""
        with self._lock:
            return tuple(self._known[name] for name in sorted(self._known))

    def _await_import(self, entry_point: EntryPoint) -> None:
        module = _module_of(entry_point)
        if module is None:
            self._load(entry_point)
        else:
            register_post_import_hook(lambda _module: self._load(entry_point), module)

    def _await_conflict(self, entry_point: EntryPoint, found: Instrumented) -> None:
        module = _module_of(entry_point)
        if module is not None and found.version is not None:
            register_post_import_hook(lambda _module: _say(found), module)

    def _await_uninstrumented(self, library: Library) -> None:
        with self._lock:
            if library.entry_point in self._known:
                return
            found = _without_instrumentor(library)
            self._known[library.entry_point] = found
        if found.wrong:
            register_post_import_hook(lambda _module: _say(found), library.module)

    def _await_ours(self, library: Library) -> None:
        """What a library needs of ours where no instrumentor is applied to it.

        One that makes its spans itself is instrumented by us alone. Where nothing makes spans, the module of ours is
        imported all the same: it keeps requests apart, so that none sees the tenant of the one before on its thread.
        """
        found = self._known.get(library.entry_point)
        if found is None or library.applied_by is None or found.state is State.WAITING:
            return
        name = library.applied_by
        if found.state is State.NATIVE:
            act = functools.partial(_apply_native, name, self._metrics)
        else:
            act = functools.partial(_import, name)
        register_post_import_hook(act, library.module)

    def _load(self, entry_point: EntryPoint) -> None:
        try:
            _instrument(entry_point, self._metrics)
        except Exception as error:  # noqa: BLE001 - an instrumentor is foreign code; the app's import goes on
            self._update(entry_point.name, State.FAILED, _why_failed(entry_point, error))
        else:
            self._update(entry_point.name, State.ACTIVE, "")

    def _update(self, name: str, state: State, detail: str) -> None:
        with self._lock:
            found = replace(self._known[name], state=state, detail=detail)
            self._known[name] = found
        if found.wrong:
            _say(found)


def _own(name: str, version: str | None) -> Instrumented:
    """What ours alone instruments."""
    own = Instrumented(name, version, f"tracium {installed_version('tracium')}", State.ACTIVE)
    if _disabled(name):
        return replace(own, state=State.DISABLED, detail="by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS")
    return own


def _is_ours(entry_point: EntryPoint) -> bool:
    library = library_of(entry_point.name)
    return library is not None and library.ours


def _instrument(entry_point: EntryPoint, metrics: _Metrics) -> None:
    library = library_of(entry_point.name)
    if library is not None and library.applied_by is not None:
        _apply(library.applied_by, metrics)
        return
    instrumentor: Any = entry_point.load()()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True, **_taken(instrumentor._instrument, metrics))  # noqa: SLF001 - what is written for each


def _apply(module: str, metrics: _Metrics) -> None:
    """Call the `instrument()` of a module of ours."""
    instrument = importlib.import_module(module).instrument
    instrument(**_taken(instrument, metrics))


def _taken(function: Callable[..., object], metrics: _Metrics) -> _Metrics:
    """Those of the arguments that `function` takes: not everything that is instrumented has metrics."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return metrics
    names = {parameter.name for parameter in parameters}
    return {name: provider for name, provider in metrics.items() if name in names}


def _apply_native(module: str, metrics: _Metrics, _imported: object) -> None:
    """The same, as a hook for the import of a library that makes its spans itself."""
    try:
        _apply(module, metrics)
    except Exception as error:  # noqa: BLE001 - the app's import goes on
        fault(f"applying {module}", error)


def _import(module: str, _imported: object) -> None:
    """Import a module of ours, as a hook for the import of what it is for."""
    try:
        importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - the app's import goes on
        fault(f"importing {module}", error)


def _choose(found: Iterable[EntryPoint]) -> dict[str, EntryPoint]:
    """One entry point for each name; of two, the preferred one, and the log names it."""
    chosen: dict[str, EntryPoint] = {}
    for entry_point in found:
        other = chosen.get(entry_point.name)
        if other is None or _source(other) == _source(entry_point):
            chosen[entry_point.name] = entry_point
            continue
        winner = other
        if _name(entry_point.dist) == _PREFERRED.get(entry_point.name):
            winner = entry_point
        chosen[entry_point.name] = winner
        loser = other if winner is entry_point else entry_point
        notices.say(
            f"instrumentation:two:{entry_point.name}",
            logging.WARNING,
            f"Two packages instrument {entry_point.name}: {_source(winner)} is used, {_source(loser)} is not. "
            f"Uninstall the one that you do not want: pip uninstall {_name(loser.dist)}",
        )
    return chosen


def _describe(entry_point: EntryPoint) -> Instrumented:
    library = library_of(entry_point.name)
    found = Instrumented(
        name=entry_point.name,
        version=_library_version(entry_point, library),
        instrumentor=_source(entry_point),
        state=State.WAITING,
        essential=entry_point.name in ESSENTIAL,
    )
    if _disabled(entry_point.name):
        return replace(found, state=State.DISABLED, detail="by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS")
    if library is not None and library.native:
        return replace(found, state=State.NATIVE)
    conflict = None if entry_point.dist is None else get_dist_dependency_conflicts(entry_point.dist)
    if conflict is None or _is_tested(entry_point, library):
        return found
    # An instrumentor whose library is not installed is no hole.
    essential = found.essential and found.version is not None
    return replace(found, state=State.CONFLICT, detail=f"{conflict}", essential=essential)


def _is_tested(entry_point: EntryPoint, library: Library | None) -> bool:
    """Whether an instrumentor works with more than it declares."""
    declared = _requirements(entry_point.dist)
    return library is not None and bool(declared) and all(library.is_tested(each) for each in declared)


def _without_instrumentor(library: Library) -> Instrumented:
    found = Instrumented(
        name=library.entry_point,
        version=library.version,
        instrumentor=None,
        state=State.MISSING,
        detail=f'pip install "tracium[{library.extra}]"',
        essential=library.entry_point in ESSENTIAL,
    )
    if library.native:
        return replace(found, state=State.NATIVE, detail="")
    if _disabled(library.entry_point):
        return replace(found, state=State.DISABLED, detail="by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS")
    return found


def leave_out(names: Iterable[str]) -> None:
    """Apply no instrumentors of these names, here and in child processes."""
    listed = [os.environ.get(_DISABLED, ""), *names]
    if len(listed) > 1:
        os.environ[_DISABLED] = ",".join(filter(None, listed))


def _disabled(name: str) -> bool:
    listed = os.environ.get(_DISABLED, "")
    names = {part.strip() for part in listed.split(",")}
    return name in names or "*" in names


def _requirements(distribution: Distribution | None) -> list[Requirement]:
    """What an instrumentor declares to instrument, from its metadata."""
    declared = () if distribution is None else distribution.requires or ()
    return [Requirement(line) for line in declared if "instruments" in line.partition(";")[2]]


def _module_of(entry_point: EntryPoint) -> str | None:
    """The module whose import means that the library is used; None for what is always there."""
    library = library_of(entry_point.name)
    if library is not None:
        return library.module
    requirements = _requirements(entry_point.dist)
    return _top_level(requirements[0].name) if requirements else None


def _top_level(distribution: str) -> str:
    guess = canonicalize_name(distribution).replace("-", "_")
    try:
        lines = (metadata.distribution(distribution).read_text("top_level.txt") or "").split()
    except metadata.PackageNotFoundError:
        return guess
    return guess if guess in lines or not lines else lines[0]


def _library_version(entry_point: EntryPoint, library: Library | None) -> str | None:
    if library is not None:
        return library.version
    requirements = _requirements(entry_point.dist)
    return installed_version(requirements[0].name) if requirements else None


def _name(distribution: Distribution | None) -> str:
    return "an unknown package" if distribution is None else canonicalize_name(distribution.name)


def _source(entry_point: EntryPoint) -> str:
    distribution = entry_point.dist
    return _name(distribution) if distribution is None else f"{_name(distribution)} {distribution.version}"


def _why_failed(entry_point: EntryPoint, error: Exception) -> str:
    hint = ""
    if _name(entry_point.dist) == "opentelemetry-instrumentation-openai-v2":
        hint = ' For openai 2 or older: pip install "tracium[openai-v2]"; else: pip install "tracium[openai]".'
    return f"{_source(entry_point)} raised {type(error).__name__}: {error}.{hint}"


def _say(found: Instrumented) -> None:
    if found.state is State.MISSING:
        text = f"{found.name} {found.version} is used but nothing instruments it, so its calls make no spans: {found.detail}"
    else:
        text = f"{found.name} {found.version or ''} is used but {found.state.value}: {found.detail}"
    notices.say(f"instrumentation:{found.name}", logging.WARNING, text)
