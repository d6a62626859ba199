"""Expressions as text: read by a table, never evaluated.

Law of this file: text is parsed by Python's own parser and walked; what a name, a call or an operator means is looked
up in a `Language`, and whatever has no meaning there is an `ExpressionError` that shows the place.  The walk keeps its
own stack, so depth is no danger.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

LONGEST = 10_000
"""Characters; the parser's own stack is safe up to there."""


_LAMBDA = "lamda_"
"""What the Greek letter is called while Python's parser, for which it is a keyword, looks: as long as the word itself."""


class ExpressionError(ValueError):
    """What is wrong, and under it the line of the expression with carets below the place."""

    def __init__(self, what: str, text: str, line: int = 1, start: int = 0, stop: int = 0) -> None:
        lines = text.splitlines() or [""]
        shown = lines[min(line, len(lines)) - 1]
        first = max(0, start - 60)
        cut = "".join(c if c.isprintable() else " " for c in shown[first : first + 120])
        super().__init__(f"{what}\n  {cut}\n  {' ' * (start - first)}{'^' * max(1, min(stop, first + 120) - start)}")
        self.what = what


@dataclass(frozen=True)
class Function:
    """What a call means: a callable, and the keywords that it takes."""

    call: Callable[..., Any]
    keywords: frozenset[str] = frozenset()


_OPERATORS: dict[type, tuple[str, Callable[..., Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.Pow: ("**", operator.pow),
    ast.MatMult: ("@", operator.matmul),
    ast.USub: ("-", operator.neg),
    ast.UAdd: ("+", operator.pos),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.BitAnd: ("&", operator.and_),
    ast.BitOr: ("|", operator.or_),
    ast.Invert: ("~", operator.invert),
}


ARITHMETIC: dict[str, Callable[..., Any]] = {
    "+": lambda a, *b: operator.add(a, *b) if b else a,
    "-": lambda a, *b: operator.sub(a, *b) if b else -a,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
"""What a language may want to replace, one and two operands alike."""


@dataclass(frozen=True)
class Language:
    """`name` gives a name's value, `number` a literal's, or None; `operators` replaces Python's by their sign."""

    name: Callable[[str], Any]
    number: Callable[[int | float], Any]
    functions: Mapping[str, Function]
    operators: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    attributes: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)


_FAULTS = (TypeError, ValueError, LookupError, NotImplementedError, ArithmeticError)


def parse(text: str) -> ast.expr:
    """The syntax tree of an expression."""
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression of {len(text)} characters is too long (at most {LONGEST})", text[:60])
    try:
        return ast.parse(re.sub(r"\blambda\b", _LAMBDA, text), mode="eval").body
    except SyntaxError as e:
        start = (e.offset or 1) - 1
        stop = (e.end_offset or 0) - 1 if e.end_lineno == e.lineno else 0
        raise ExpressionError(e.msg, text, e.lineno or 1, start, stop) from None
    except (RecursionError, MemoryError):
        raise ExpressionError("the expression is nested too deeply", text[:60]) from None
    except ValueError as e:
        raise ExpressionError(str(e), text[:60]) from None


def name_of(n: ast.Name) -> str:
    """The name as it was written."""
    return "lambda" if n.id == _LAMBDA else n.id


def read(text: str, language: Language) -> Any:
    """The value of an expression in a language."""
    root = parse(text)
    done: dict[ast.AST, Any] = {}
    stack: list[ast.AST] = [root]
    while stack:
        n = stack[-1]
        todo = [c for c in _parts(n, language, text) if c not in done]
        if todo:
            stack.extend(reversed(todo))
            continue
        stack.pop()
        if n not in done:
            try:
                done[n] = _value(n, done, language, text)
            except ExpressionError:
                raise
            except _FAULTS as e:
                raise fault(first_line(e), n, text) from None
    return done[root]


def first_line(error: BaseException) -> str:
    """What an operation says, without where in a graph it stands."""
    return str(error).partition("\n")[0].partition(" for '")[0]


def fault(what: str, n: ast.AST, text: str) -> ExpressionError:
    """An error at a node of the tree."""
    line, end = getattr(n, "lineno", 1), getattr(n, "end_lineno", 1)
    raw = (text.splitlines() or [""])[line - 1].encode()
    start = len(raw[: getattr(n, "col_offset", 0)].decode())  # the parser counts bytes
    stop = len(raw[: getattr(n, "end_col_offset", 0)].decode()) if end == line else len(raw.decode())
    return ExpressionError(what, text, line, start, stop)


_NOT_HERE = {
    ast.IfExp: "there is no `if` here: where(condition, a, b)",
    ast.BoolOp: "there is no `and` and `or` here: & and |",
    ast.Subscript: "there is no indexing here",
    ast.NamedExpr: "names cannot be given here",
    ast.Starred: "arguments are written out",
}


def _parts(n: ast.AST, language: Language, text: str) -> list[ast.expr]:
    """The sub-expressions that are values; an error for what the language has not."""
    match n:
        case ast.BinOp(left=a, right=b):
            return [a, b]
        case ast.UnaryOp(operand=a):
            return [a]
        case ast.Compare(left=a, comparators=[b]):
            return [a, b]
        case ast.Compare():
            raise fault("comparisons are not chained here: (a < b) & (b < c)", n, text)
        case ast.Attribute(value=a, attr=name):
            if name not in language.attributes:
                known = ", ".join(f".{k}" for k in language.attributes)
                raise fault(f"there is no .{name:.40} here" + (f", only {known}" if known else ""), n, text)
            return [a]
        case ast.Call(func=ast.Name(id=name) as f, args=args, keywords=keywords):
            if name not in language.functions:
                raise fault(f"there is no function {name!r:.40}; there are {', '.join(sorted(language.functions))}", f, text)
            row = language.functions[name]
            for k in keywords:
                if k.arg not in row.keywords:
                    allowed = f"it takes {', '.join(sorted(row.keywords))}" if row.keywords else "it takes none"
                    raise fault(f"{name} has no keyword {k.arg!r:.40}: {allowed}", k, text)
            return [*args, *(k.value for k in keywords)]
        case ast.Call(func=f):
            raise fault("a function is called by its name", f, text)
        case ast.Name() | ast.Constant():
            return []
        case _:
            raise fault(_NOT_HERE.get(type(n), f"{type(n).__name__} has no meaning here"), n, text)


def _value(n: ast.AST, done: Mapping[ast.AST, Any], language: Language, text: str) -> Any:
    match n:
        case ast.Name():
            return language.name(name_of(n))  # type: ignore[arg-type]
        case ast.Constant(value=v):
            if type(v) not in (int, float, bool):
                raise fault(f"{v!r:.40} is no number", n, text)
            return language.number(v)  # type: ignore[arg-type]
        case ast.BinOp(op=op, left=a, right=b) | ast.Compare(ops=[op], left=a, comparators=[b]):
            return _operator(op, n, language, text)(done[a], done[b])
        case ast.UnaryOp(op=op, operand=a):
            return _operator(op, n, language, text)(done[a])
        case ast.Attribute(value=a, attr=name):
            return language.attributes[name](done[a])
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            return language.functions[name].call(*(done[a] for a in args), **{k.arg: done[k.value] for k in keywords if k.arg})
    raise fault("this has no meaning here", n, text)


def _operator(op: ast.AST, n: ast.AST, language: Language, text: str) -> Callable[..., Any]:
    sign, f = _OPERATORS.get(type(op), ("", operator.add))
    if not sign:
        raise fault(f"the operator {type(op).__name__} has no meaning here", n, text)
    return language.operators.get(sign, f)
