"""Settings: one TOML file and the environment, validated, with errors that name the wrong key.

Each package declares one `Section`; the program composes them (`hotline.settings`). The environment wins over the file:
`HOTLINE_NLU__THRESHOLD=0.4` sets `threshold` of `[nlu]`.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from common.errors import Misconfigured

ENV_PREFIX = "HOTLINE_"
FILE_VARIABLE = "HOTLINE_CONFIG"


class Section(BaseModel):
    """Base of a package's settings: immutable, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class RootSettings(BaseSettings):
    """Base of a program's settings: sections from the environment first, then from the TOML file."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Constructor arguments, then the environment, then the TOML file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


R = TypeVar("R", bound=RootSettings)


def load(model: type[R], file: Path | None = None) -> R:
    """Read `file` (TOML; None = the file named by HOTLINE_CONFIG, or no file) and the environment into `model`.

    Raises Misconfigured that names each wrong key and the nearest right one.
    """
    named = os.environ.get(FILE_VARIABLE)
    path = file or (Path(named) if named else None)
    if path is not None and not path.is_file():
        raise Misconfigured(f"settings file {path} does not exist; create it or leave {FILE_VARIABLE} unset")
    _check_environment(model)

    class Bound(model):  # type: ignore[valid-type, misc]
        model_config = SettingsConfigDict(toml_file=path)

    try:
        loaded = Bound()
    except ValidationError as error:
        raise Misconfigured(_explain(model, error, path)) from None
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"settings file {path} is not valid TOML: {error}") from None
    return cast(R, model.model_construct(**{name: getattr(loaded, name) for name in model.model_fields}))


def _check_environment(model: type[RootSettings]) -> None:
    """A misspelt section in a HOTLINE_ variable would be ignored silently: refuse it."""
    known = {name.upper() for name in model.model_fields}
    for name in os.environ:
        section = name.removeprefix(ENV_PREFIX).split("__")[0].upper()
        if name.startswith(ENV_PREFIX) and name != FILE_VARIABLE and section not in known:
            raise Misconfigured(f"environment variable {name}: no such setting{_nearest(section, known)}")


def _explain(model: type[BaseModel], error: ValidationError, path: Path | None) -> str:
    lines = [f"wrong settings (file: {path or 'none'}, environment: {ENV_PREFIX}*):"]
    for problem in error.errors():
        where = [str(part) for part in problem["loc"]]
        hint = _nearest(where[-1], _names(model, where[:-1])) if problem["type"] == "extra_forbidden" else ""
        text = "no such setting" if problem["type"] == "extra_forbidden" else problem["msg"]
        lines.append(f"  {'.'.join(where)}: {text}{hint}")
    return "\n".join(lines)


def _names(model: type[BaseModel], path: list[str]) -> set[str]:
    for part in path:
        field = model.model_fields.get(part)
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return set()
        model = field.annotation
    return set(model.model_fields)


def _nearest(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
