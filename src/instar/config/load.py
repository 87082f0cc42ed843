"""A file and the environment to one `Config`: errors name file, line, column and path (CFG-1, CFG-2, COMPAT-3).

What belongs here: finding, reading and checking the file. What does not: what its settings mean (`config`). Nothing
here writes; a file that cannot be used is reported and left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from instar.config.aliases import apply_aliases
from instar.config.config import Config, parse_config
from instar.config.document import (
    TEXT_MAX_BYTES,
    Document,
    find_duplicates,
    find_place,
    parse_document,
    parse_path,
    place_error,
)
from instar.config.finding import Finding
from instar.config.lint import lint_config
from instar.config.paths import find_config_file, resolve_state_dir
from instar.config.read import join_path
from instar.errors import ConfigError

__all__ = [
    "Config",
    "Loaded",
    "list_problems",
    "load_config",
    "parse_config",
    "parse_text",
    "read_config_file",
    "refuse_unsafe",
]

PROBLEMS_MAX: Final = 50
"""Values that cannot be used and are told at once."""

_EMPTY: Final = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration with what was noticed about it. `path` is None where there is no file: all is default."""

    config: Config
    warnings: tuple[Finding, ...] = ()
    path: Path | None = None


def load_config(path: Path | None, *, env: Mapping[str, str], home: Path, thorough: bool = True) -> Loaded:
    """The configuration of the file that `path`, the environment or the state directory names (COMPAT-3).

    Raises ConfigError if it cannot be read or used. Without `thorough`, types that no section reads and unknown names
    are not looked at: that takes a tenth of the time, and the command line does not tell them anyway.
    """
    file, text = read_config_file(path, env=env, home=home)
    loaded = parse_text(text, file="" if file is None else str(file), env=env, home=home, thorough=thorough)
    return replace(loaded, path=file)


def read_config_file(path: Path | None, *, env: Mapping[str, str], home: Path) -> tuple[Path | None, str]:
    """The file and its text; None and an empty object where there is none and need not be one."""
    file, must_exist = find_config_file(path, env, home=home)
    try:
        if file.stat().st_size > TEXT_MAX_BYTES:
            raise ConfigError(
                "The configuration is too large",
                why=f"more than {TEXT_MAX_BYTES // 1024 // 1024} MiB",
                fix="Name the right file.",
                file=str(file),
            )
        return file, _decode(file.read_bytes(), file=str(file))
    except FileNotFoundError:
        if not must_exist:
            return None, _EMPTY
        raise ConfigError("There is no such file", fix="Name a file that exists.", file=str(file)) from None
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError("The configuration cannot be read", why=why, fix="Mend that first.", file=str(file)) from None


def parse_text(text: str, *, file: str = "", env: Mapping[str, str], home: Path, thorough: bool = True) -> Loaded:
    """`text` as a configuration; `file` is its name for errors. Raises ConfigError with line and column."""
    document = parse_document(text, file=file)
    try:
        config = parse_config(document.value, env=env, state_dir=resolve_state_dir(env, home=home), home=home)
    except ConfigError as error:
        raise place_error(document, error) from None
    wrong = _find_wrong_types(document) if thorough else []
    if wrong:
        raise wrong[0]
    return Loaded(config=config, warnings=tuple(_find_warnings(document, config, thorough=thorough)))


def list_problems(
    text: str, *, file: str = "", env: Mapping[str, str], home: Path
) -> tuple[list[ConfigError], tuple[Finding, ...]]:
    """Everything that is wrong with `text`, and everything noticed about it: what ``config validate`` tells.

    What settings mean together is told only where what each means could be read.
    """
    try:
        document = parse_document(text, file=file)
        wrong, config = _find_wrong(document, env=env, home=home)
    except ConfigError as error:
        return [error], ()
    noticed = [*_find_duplicates(document), *_find_odd_names(document)]
    if config is not None:
        noticed += _lint(document, config)
    return wrong, tuple(noticed)


def refuse_unsafe(loaded: Loaded, *, allow_unsafe: bool = False) -> None:
    """Raise ConfigError for the first pair of settings that is never meant, unless that is allowed (WHY-5)."""
    worst = next((each for each in loaded.warnings if each.severity == "critical"), None)
    if worst is None or allow_unsafe or loaded.config.gateway.allow_unsafe:
        return
    raise ConfigError(
        worst.what,
        why=worst.why,
        fix=f"{worst.fix} Or set gateway.allowUnsafe, if it is meant so.".strip(),
        path=worst.path,
        file=worst.file,
        line=worst.line,
        column=worst.column,
    )


def _decode(data: bytes, *, file: str) -> str:
    """`data` as UTF-8, with or without a byte order mark."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = len(data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8", "replace")) + 1
        raise ConfigError(
            "The configuration is not UTF-8",
            why=f"byte {error.object[error.start]:#04x} begins no character",
            fix="Save the file as UTF-8.",
            file=file,
            line=line,
            column=column,
        ) from None


def _find_wrong_types(document: Document) -> list[ConfigError]:
    from instar.config.check import check_types

    return [place_error(document, error) for error in check_types(apply_aliases(document.value))]


def _find_wrong(document: Document, *, env: Mapping[str, str], home: Path) -> tuple[list[ConfigError], Config | None]:
    """Each value that cannot be used, in the order of the file; the configuration, None where it has none.

    What is wrong is taken out and the rest is read again, until nothing is wrong, or the error is of something that
    is missing, or an item of a list is wrong: without it the next ones would be told at another place.
    """

    def parse(root: Mapping[str, object]) -> Config:
        return parse_config(root, env=env, state_dir=resolve_state_dir(env, home=home), home=home)

    wrong = _find_wrong_types(document)
    told = {error.path for error in wrong}
    root: object = apply_aliases(document.value)
    whole, config = root, None
    while config is None and isinstance(root, Mapping):
        try:
            config = parse(root)
        except ConfigError as error:
            if error.path not in told:
                wrong.append(place_error(document, error))
                told.add(error.path)
            root = _without(root, error.path) if len(wrong) < PROBLEMS_MAX else None
    return sorted(wrong, key=lambda error: (error.line or 0, error.column or 0)), config if root is whole else None


def _without(root: object, path: str) -> object:
    """`root` without the setting at `path`; None where there is none, or it is an item of a list."""
    try:
        steps = parse_path(path)
    except ConfigError:
        return None
    return _drop(root, steps) if steps else None


def _drop(value: object, steps: tuple[str | int, ...]) -> object:
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        if not rest or not isinstance(value, list) or step >= len(value):
            return None
        inner = _drop(value[step], rest)
        return None if inner is None else [*value[:step], inner, *value[step + 1 :]]
    if not isinstance(value, Mapping) or step not in value:
        return None
    if not rest:
        return {name: each for name, each in value.items() if name != step}
    inner = _drop(value[step], rest)
    return None if inner is None else {**value, step: inner}


def _find_warnings(document: Document, config: Config, *, thorough: bool) -> Iterator[Finding]:
    """Duplicates, then unknown names, then pairs; in the order of the file within each."""
    yield from _find_duplicates(document)
    if thorough:
        yield from _find_odd_names(document)
    yield from _lint(document, config)


def _find_duplicates(document: Document) -> Iterator[Finding]:
    for path, (line, column) in find_duplicates(document):
        yield Finding(
            code="duplicate-name",
            severity="warning",
            path=_write_path(path),
            what="The name stands twice",
            why="only the later one counts",
            fix="Take one of them away.",
            file=document.file,
            line=line,
            column=column,
        )


def _find_odd_names(document: Document) -> Iterator[Finding]:
    from instar.config.check import check_names

    for found in check_names(apply_aliases(document.value)):
        yield _place(document, found, of_name=True)


def _lint(document: Document, config: Config) -> Iterator[Finding]:
    for found in lint_config(config):
        yield _place(document, found, of_name=False)


def _place(document: Document, found: Finding, *, of_name: bool) -> Finding:
    place = find_place(document, parse_path(found.path), of_name=of_name)
    return (
        replace(found, file=document.file)
        if place is None
        else replace(found, file=document.file, line=place[0], column=place[1])
    )


def _write_path(path: tuple[str | int, ...]) -> str:
    text = ""
    for step in path:
        text = f"{text}[{step}]" if isinstance(step, int) else join_path(text, step)
    return text
