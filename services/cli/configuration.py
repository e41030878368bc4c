"""Settings, read and checked before anything is started: what is wrong is told in one message, with exit code 2."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import SettingsError

from services.cli.refused import refused
from services.shared.models.registry import Registry, UnknownModelError
from services.shared.models.requests import Provider
from services.shared.settings import CONFIG_VARIABLE, FOLDER_NAME, Settings

DEFAULT_FILE = Path("scriptorium.toml")


def config_file(given: Path | None) -> Path | None:
    """The file to read: as given, as named by the environment, or `scriptorium.toml` where there is one."""
    named = os.environ.get(CONFIG_VARIABLE)
    if given is None and named:
        given = Path(named)
        if not given.is_file():
            msg = f"{CONFIG_VARIABLE}: there is no file {named}"
            raise refused(msg)
    if given is None and DEFAULT_FILE.is_file():
        given = DEFAULT_FILE
    return given


def read_settings(file: Path | None) -> Settings:
    """The settings as they are given, neither resolved nor wrong."""
    if file is not None:
        os.environ[CONFIG_VARIABLE] = str(file.resolve())
    where = str(file) if file is not None else "environment"
    try:
        settings = Settings()
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise refused("\n".join([f"The settings are not right ({where}):", *lines])) from None
    except (SettingsError, ValueError, OSError) as error:
        msg = f"The settings cannot be read ({where}): {error}"
        raise refused(msg) from None
    wrong = [f"  {line}" for line in _problems(settings.resolved())]
    if wrong:
        raise refused("\n".join([f"The settings are not right ({where}):", *wrong]))
    return settings


def _problems(settings: Settings) -> Iterator[str]:
    """What the parts, each right in itself, get wrong together."""
    providers: dict[str, Provider] = {}
    for name, given in settings.providers.items():
        try:
            providers[name] = Provider(name=name, base_url=given.base_url)
        except ValueError as error:
            yield str(error)
    registry = Registry(providers)
    for purpose, chain in settings.models.chains.items():
        for model in chain:
            try:
                registry.resolve(model)
            except UnknownModelError as error:
                yield f"models.{purpose}: {error}"


def watched_folders(given: Iterable[str]) -> tuple[tuple[str, Path], ...]:
    """`NAME=FOLDER`, each name once. To be raised: what is wrong with one; whether the folders are there is seen later."""
    found: dict[str, Path] = {}
    for text in given:
        name, equals, folder = text.partition("=")
        if not equals or not folder or not FOLDER_NAME.fullmatch(name):
            msg = f"--watch {text}: NAME=FOLDER is needed, the name of letters, digits and ._- between them"
            raise refused(msg)
        if name in found:
            msg = f"--watch {text}: there are two folders of that name"
            raise refused(msg)
        found[name] = Path(folder)
    return tuple(found.items())


def missing_keys(settings: Settings) -> list[str]:
    """A line for each provider whose key is not in the environment."""
    return [
        f"provider {name}: {provider.api_key_env} is not set, so its models will refuse"
        for name, provider in settings.providers.items()
        if provider.api_key_env and not os.environ.get(provider.api_key_env)
    ]
