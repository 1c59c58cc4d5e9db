"""Configuration: a mapping (say, from YAML) and the environment laid over the defaults of a frozen dataclass.

A key of the mapping is a path of names, `grpc: {port: 50001}`; the same in the environment is the prefix and the
path in capitals, `HOLDFAST_GRPC_PORT=50001`. The environment wins. An empty variable counts as absent. All problems
are reported together. What a value may look like is told in `config_values.py`.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, ClassVar, Protocol, TypeGuard, TypeVar, cast, get_type_hints

from holdfast_kit.config_values import Problem, convert, unwrapped

PREFIX = "HOLDFAST_"
_TYPO = 0.85  # as near as a slip of the fingers; names of other programs under our prefix are rarely nearer


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


C = TypeVar("C", bound=_Dataclass)


class ConfigErrors(ValueError):
    """Everything that is wrong with a configuration, one line per problem."""

    def __init__(self, problems: Collection[str]) -> None:
        super().__init__("configuration:\n" + "\n".join(f"  {problem}" for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that can be set; `is_secret` (a field with `repr=False`) keeps its value out of messages."""

    path: str
    env: str
    hint: Any = field(repr=False)
    default: object
    is_secret: bool


def load(
    cls: type[C],
    mapping: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    prefix: str = PREFIX,
    known_env: Collection[str] = (),
) -> C:
    """Build `cls`, or raise `ConfigErrors` with all problems.

    An unknown key of the mapping is a problem. An unknown variable is one only when it looks like a slip of a known
    name, because orchestrators put variables of their own under our prefix; `known_env` names those of siblings.
    """
    loader = _Loader(environ or {}, prefix)
    config = loader.build(cls, mapping or {}, "")
    loader.check_environment([key.env for key in keys(cls, prefix)], known_env)
    if loader.problems or config is None:
        raise ConfigErrors(loader.problems)
    return config


def keys(cls: type[_Dataclass], prefix: str = PREFIX) -> list[Key]:
    """All that can be set, for a reference page or `--help`. Two keys with one variable are an error of the author."""
    found = list(_keys(cls, "", prefix))
    by_env: dict[str, str] = {}
    for key in found:
        if (other := by_env.setdefault(key.env, key.path)) != key.path:
            raise TypeError(f"{cls.__name__}: {other} and {key.path} both read {key.env}; rename one of them")
    return found


def _keys(cls: type[_Dataclass], path: str, prefix: str) -> Iterator[Key]:
    hints = get_type_hints(cls, include_extras=True)
    for item in _fields(cls):
        name, hint = _join(path, item.name), hints[item.name]
        if _is_section(hint):
            yield from _keys(hint, name, prefix)
        else:
            yield Key(name, env_name(name, prefix), hint, _default(item), not item.repr)


class _Loader:
    def __init__(self, environ: Mapping[str, str], prefix: str) -> None:
        self._environ = environ
        self._prefix = prefix
        self.problems: list[str] = []

    def build(self, cls: type[C], mapping: object, path: str) -> C | None:
        """None when something is wrong; what it was is then in `problems`."""
        if not isinstance(mapping, Mapping):
            self.problems.append(f"{path}: expected a mapping, found {type(mapping).__name__}")
            return None
        section = cast("Mapping[object, object]", mapping)
        before = len(self.problems)
        self._check_names(section, [item.name for item in _fields(cls)], path)
        hints = get_type_hints(cls, include_extras=True)
        values = {item.name: self._value(item, hints[item.name], section, path) for item in _fields(cls)}
        if len(self.problems) > before:
            return None
        try:
            return cls(**{name: value for name, value in values.items() if value is not dataclasses.MISSING})
        except ValueError as error:  # raised by a __post_init__ that looks at several fields
            self.problems.append(f"{path}: {error}" if path else str(error))
            return None

    def _value(self, item: "dataclasses.Field[Any]", hint: Any, section: Mapping[object, object], path: str) -> object:
        name = _join(path, item.name)
        if _is_section(hint):
            inner = section.get(item.name)
            return self.build(hint, {} if inner is None else inner, name)
        env = env_name(name, self._prefix)
        if text := self._environ.get(env):
            return self._convert(hint, text, name, f"{env} ({name})", is_secret=not item.repr)
        if item.name in section:
            return self._convert(hint, section[item.name], name, name, is_secret=not item.repr)
        if _default(item) is dataclasses.MISSING:
            self.problems.append(f"{name}: expected a value, found none; set {name} or {env}")
        return dataclasses.MISSING

    def _convert(self, hint: Any, value: object, name: str, subject: str, *, is_secret: bool) -> object:
        try:
            return convert(hint, value, name)
        except Problem as problem:
            self.problems.append(problem.text(subject, is_secret=is_secret))
            return dataclasses.MISSING

    def _check_names(self, section: Mapping[object, object], known: list[str], path: str) -> None:
        for name in section:
            if name not in known:
                self.problems.append(f"{_join(path, str(name))}: unknown key{_hint(str(name), known, known, path)}")

    def check_environment(self, known: Collection[str], siblings: Collection[str]) -> None:
        for name in sorted(self._environ):
            if not name.startswith(self._prefix) or name in known or name in siblings:
                continue
            if near := get_close_matches(name, known, 1, _TYPO):
                self.problems.append(f"{name}: unknown variable; did you mean {near[0]}?")


def env_name(path: str, prefix: str = PREFIX) -> str:
    return prefix + path.replace(".", "_").upper()


def _hint(name: str, candidates: list[str], known: list[str], path: str) -> str:
    if near := get_close_matches(name, candidates, 1):
        return f"; did you mean {_join(path, near[0])}?"
    return f"; known here: {', '.join(known)}"


def _fields(cls: type[_Dataclass]) -> "tuple[dataclasses.Field[Any], ...]":
    return tuple(item for item in dataclasses.fields(cls) if item.init)


def _is_section(hint: Any) -> TypeGuard[type[_Dataclass]]:
    return isinstance(unwrapped(hint), type) and dataclasses.is_dataclass(unwrapped(hint))


def _default(item: "dataclasses.Field[Any]") -> object:
    if item.default_factory is not dataclasses.MISSING:
        return item.default_factory()
    return item.default


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
