"""`tf.flags`: a program's options, as `--name=value` on its command line.

Law of this file: a flag is a row of `FLAGS`: its value is the default until the command line is read, which happens when
a value is first asked for, or in `tf.app.run`.  A module that is run again, a notebook's cell, defines its flags again.
"""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import user_site


class Error(Exception):
    """Base of what goes wrong with flags."""


class DuplicateFlagError(Error):
    """Two files define a flag of one name."""


class IllegalFlagValueError(Error):
    """A value that a flag does not take."""


class UnrecognizedFlagError(Error):
    """A flag on the command line that nobody has defined."""


class UnparsedFlagAccessError(Error):
    """Kept for programs that catch it: here flags are read when they are first asked for."""


ValidationError = IllegalFlagValueError


@dataclass
class Flag:
    """A flag: how its text is read, its default, and its value."""

    name: str
    default: Any
    help: str | None
    read: Callable[[str], Any]
    file: str
    boolean: bool = False
    multiple: bool = False
    value: Any = None
    present: bool = False
    checks: list[tuple[Callable[[Any], Any], str]] = field(default_factory=list)

    def parse(self, text: str) -> Any:
        """The value that a text says."""
        try:
            return self.read(text)
        except ValueError as e:
            raise IllegalFlagValueError(f"flag --{self.name}={text}: {e}") from None

    def check(self) -> None:
        """IllegalFlagValueError unless the validators agree."""
        for holds, message in self.checks:
            if not holds(self.value):
                raise IllegalFlagValueError(f"flag --{self.name}={self.value}: {message}")

    def shown(self) -> str:
        """A few lines for --help."""
        name = f"[no]{self.name}" if self.boolean else self.name
        default = "" if self.default is None else f"\n    (default: {self.default!r})"
        return f"  --{name}: {self.help or ''}{default}"


class FlagValues:
    """All flags of a program; `FLAGS.name` is a flag's value."""

    def __init__(self) -> None:
        self.__dict__.update(_flags={}, _parsed=False, _aliases={})

    # -- values
    def __getattr__(self, name: str) -> Any:
        if name in ("__flags", "_FlagValues__flags"):  # what programs of TF 1.4 and older looked at
            self._read_once()
            return self._flags
        if name.startswith("__") or name not in self:
            raise AttributeError(f"no flag is called {name}")
        self._read_once()
        return self._find(name).value

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self:
            raise AttributeError(f"no flag is called {name}: define it with tf.flags.DEFINE_string(...)")
        flag = self._find(name)
        old, flag.value, flag.present = flag.value, value, True
        try:
            flag.check()
        except IllegalFlagValueError:
            flag.value = old
            raise

    def __delattr__(self, name: str) -> None:
        if name not in self:
            raise AttributeError(f"no flag is called {name}")
        self._flags.pop(self._aliases.get(name, name), None)
        self._aliases.pop(name, None)

    def __contains__(self, name: str) -> builtins.bool:
        return name in self._flags or name in self._aliases

    def __getitem__(self, name: str) -> Flag:
        if name not in self:
            raise KeyError(name)
        return self._find(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._flags)

    def __len__(self) -> int:
        return len(self._flags)

    def __dir__(self) -> list[str]:
        return sorted([*self._flags, *self._aliases])

    def _find(self, name: str) -> Flag:
        return self._flags[self._aliases.get(name, name)]

    def flag_values_dict(self) -> dict[str, Any]:
        """The values by name."""
        self._read_once()
        return {name: flag.value for name, flag in self._flags.items()}

    def is_parsed(self) -> builtins.bool:
        """Was the command line read?"""
        return self._parsed

    def mark_as_parsed(self) -> None:
        """Let the defaults stand without a command line."""
        self.__dict__["_parsed"] = True

    def unparse_flags(self) -> None:
        """Forget that the command line was read: it is read again."""
        self.__dict__["_parsed"] = False

    def set_default(self, name: str, value: Any) -> None:
        """Another default, and the value where the command line says none."""
        flag = self[name]
        flag.default = value
        if not flag.present:
            flag.value = value

    # -- the command line
    def _read_once(self) -> None:
        if not self._parsed:
            kernel = "ipykernel" in os.path.basename(sys.argv[0] if sys.argv else "")  # its arguments are not the program's
            self(sys.argv[:1] if kernel else sys.argv)

    def __call__(self, argv: Sequence[str], known_only: builtins.bool = False) -> list[str]:
        """Read a command line, the program's name first; returns what is no flag, the name first.

        UnrecognizedFlagError for a flag that is not defined, unless `known_only`; `--help` prints all flags and leaves."""
        rest, words = list(argv[:1]), list(argv[1:])
        given: dict[str, list[Any]] = {}
        while words:
            word = words.pop(0)
            if word == "--":
                rest += words
                break
            name, equals, text = word.lstrip("-").partition("=")
            if word[:1] != "-" or word in ("-", "--"):
                rest.append(word)
            elif name in ("help", "helpfull", "h", "helpshort") and name not in self:
                self._say(argv[0] if argv else "")
            elif name in self:
                flag = self._find(name)
                if not equals and not flag.boolean and not words:
                    raise Error(f"Missing value for flag --{name}")
                said = text if equals else "true" if flag.boolean else words.pop(0)
                given.setdefault(flag.name, []).append(flag.parse(said))
            elif name[:2] == "no" and name[2:] in self and self._find(name[2:]).boolean and not equals:
                given.setdefault(self._find(name[2:]).name, []).append(False)
            elif known_only:
                rest.append(word)
            else:
                raise UnrecognizedFlagError(f"Unknown command line flag '{name}'. There are: {', '.join(sorted(self._flags)) or 'none'}")
        for name, values in given.items():
            flag = self._flags[name]
            flag.value, flag.present = [v for one in values for v in one] if flag.multiple else values[-1], True
        self.mark_as_parsed()
        for flag in self._flags.values():
            flag.check()
        return rest

    def get_help(self) -> str:
        """What --help prints of the flags."""
        return "\n".join(flag.shown() for _, flag in sorted(self._flags.items()))

    def _say(self, program: str) -> None:
        doc = getattr(sys.modules.get("__main__"), "__doc__", None)
        print(f"{(doc or f'USAGE: {program} [flags]').strip()}\n\nflags:\n{self.get_help()}")
        raise SystemExit(1)


FLAGS = FlagValues()


# ---------------------------------------------------------------- definitions
def _define(read: Callable[..., Any], boolean: builtins.bool = False, multiple: builtins.bool = False):
    def define(name: Any = None, default: Any = None, help: str | None = None, flag_values: FlagValues = FLAGS, **other: Any) -> None:
        name = other.pop("flag_name", name)
        default, help = other.pop("default_value", default), other.pop("docstring", help)
        limits = {k: other.pop(k) for k in ("lower_bound", "upper_bound") if k in other}
        if not isinstance(name, str):
            raise Error(f"the name of a flag is a string, not {name!r}")
        own = (lambda text: _within(read(text), **limits)) if limits else read
        file, _ = user_site()
        found = flag_values._flags.get(name)
        if found is not None and found.file != file:
            raise DuplicateFlagError(f"The flag '{name}' is defined twice: in {found.file} and in {file}")
        flag = Flag(name, None, help, own, file, boolean, multiple)
        if multiple and isinstance(default, list | tuple):
            flag.default = list(default)
        elif default is not None:
            flag.default = flag.parse(default if isinstance(default, str) else str(default))
        flag.value = flag.default
        flag_values._flags[name] = flag
        flag_values.unparse_flags()

    return define


def _within(value: Any, lower_bound: Any = None, upper_bound: Any = None) -> Any:
    if lower_bound is not None and value < lower_bound or upper_bound is not None and value > upper_bound:
        raise ValueError(f"{value} is not in [{lower_bound}, {upper_bound}]")
    return value


def _boolean(text: str) -> builtins.bool:
    if text.lower() in ("true", "t", "1"):
        return True
    if text.lower() in ("false", "f", "0"):
        return False
    raise ValueError("a truth value is true or false")


def _integer(text: str) -> int:
    return int(text, 0) if text.strip().lower().lstrip("+-")[:2] in ("0x", "0o") else int(text)


def _list(separator: str | None) -> Callable[[str], list[str]]:
    return lambda text: [] if text in ("", "[]") else [part.strip() for part in text.strip("[]").replace("'", "").split(separator)]


DEFINE_string = _define(str)
DEFINE_integer = _define(_integer)
DEFINE_float = _define(float)
DEFINE_boolean = DEFINE_bool = _define(_boolean, boolean=True)
DEFINE_list = _define(_list(","))
DEFINE_spaceseplist = _define(_list(None))
DEFINE_multi_string = _define(lambda text: [text], multiple=True)
DEFINE_multi_integer = _define(lambda text: [_integer(text)], multiple=True)
DEFINE_multi_float = _define(lambda text: [float(text)], multiple=True)


def DEFINE_enum(name: str, default: Any, enum_values: Iterable[str], help: str | None = None, flag_values: FlagValues = FLAGS) -> None:
    """A flag whose value is one of `enum_values`."""
    values = list(enum_values)

    def one_of(text: str) -> str:
        if text not in values:
            raise ValueError(f"value should be one of <{'|'.join(values)}>")
        return text

    _define(one_of)(name, default, help, flag_values)


def DEFINE_alias(name: str, original_name: str, flag_values: FlagValues = FLAGS, module_name: str | None = None) -> None:
    """Another name for a flag."""
    if original_name not in flag_values:
        raise UnrecognizedFlagError(f"Unknown command line flag '{original_name}'")
    flag_values._aliases[name] = original_name


def register_validator(
    flag_name: str, checker: Callable[[Any], Any], message: str = "Flag validation failed", flag_values: FlagValues = FLAGS
) -> None:
    """IllegalFlagValueError with `message` when `checker(value)` is false once the command line is read."""
    flag_values[flag_name].checks.append((checker, message))
    flag_values.unparse_flags()


def validator(flag_name: str, message: str = "Flag validation failed", flag_values: FlagValues = FLAGS) -> Callable[[Any], Any]:
    """Decorator: `register_validator` with this function."""

    def register(checker: Callable[[Any], Any]) -> Callable[[Any], Any]:
        register_validator(flag_name, checker, message, flag_values)
        return checker

    return register


def mark_flag_as_required(flag_name: str, flag_values: FlagValues = FLAGS) -> None:
    """The flag must have a value that is not None."""
    register_validator(flag_name, lambda v: v is not None, f"Flag --{flag_name} must have a value other than None.", flag_values)


def mark_flags_as_required(flag_names: Iterable[str], flag_values: FlagValues = FLAGS) -> None:
    """All of these flags must have values."""
    for name in flag_names:
        mark_flag_as_required(name, flag_values)
