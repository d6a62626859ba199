"""NumPy as a notation: what each construct looks like in source, and the few functions that NumPy lacks.

Law of this file: data only.  Python gives `*`, `/` and `@` one strength, from left to right, so what stands on the
right of any of them is in parentheses, while a scalar in front of a matrix product needs none.
"""

from __future__ import annotations

from .notation import POWER, PRODUCT, Notation
from .numpy_windows import CONVOLUTION, POOLING

FUNCTIONS = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "sgn": "sign",
    "round": "rint",
    "Max": "max",
    "Min": "min",
    "determinant": "linalg.det",
    "inverse": "linalg.inv",
    "solve": "linalg.solve",
    "cholesky": "linalg.cholesky",
}
"""Functions whose NumPy name is another one."""

HELPERS = {
    "sigmoid": """\
def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)
""",
    "softplus": """\
def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
""",
    "softmax": """\
def softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True, initial=-np.inf))
    return e / np.sum(e, axis=axis, keepdims=True)
""",
    "log_softmax": """\
def log_softmax(x, axis=-1):
    z = x - np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    return z - np.log(np.sum(np.exp(z), axis=axis, keepdims=True))
""",
    "logsumexp": """\
def logsumexp(x, axis=None, keepdims=False):
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=keepdims))
    return total + np.reshape(top, np.shape(total))
""",
    "logdet": """\
def logdet(a):
    return np.linalg.slogdet(a)[1]
""",
    "top": """\
def top(x, k):
    order = np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    return (x.shape[-1] - 1 - order)[..., :k].astype(np.int32)
""",
    "erf": """\
def erf(x):
    return np.vectorize(math.erf, otypes=[float])(x).astype(np.asarray(x).dtype)
""",
    "safe_log": """\
def safe_log(x):
    return np.log(np.where(x > 0, x, 1))
""",
    "truncdiv": """\
def truncdiv(x, y):
    return (np.sign(x) * np.sign(y) * (np.abs(x) // np.abs(y))).astype(np.result_type(x, y))
""",
    "integer_power": """\
def integer_power(x, y):
    return np.where(y >= 0, np.power(x, np.maximum(y, 0)), 0).astype(np.asarray(x).dtype)
""",
    "place": """\
def place(x, where, shape):
    out = np.zeros(shape, x.dtype)
    out[where] = x
    return out
""",
    "convolution": CONVOLUTION,
    "pooling": POOLING,
    "scatter": """\
def scatter(x, i, shape):
    out = np.zeros(shape, x.dtype)
    np.add.at(out, i, x)
    return out
""",
    "put": """\
def put(x, rows, i):
    out = x.copy()
    out[i] = rows
    return out
""",
}
"""The source of what NumPy lacks, by name; each keeps float32 and stays finite where its formula overflows."""

RISKY = frozenset({"np.where(", "np.exp(", "np.expm1(", "np.sinh(", "np.cosh(", "truncdiv(", "integer_power(", "safe_log(", "//", "%"})
"""Where one of these stands, an overflow to infinity or what a condition leaves out is no fault: NumPy is told so."""


def called(f: str, a: str) -> str:
    name = FUNCTIONS.get(f, f)
    return f"{name}({a})" if name in HELPERS or name in ("max", "min") else f"np.{name}({a})"


NUMPY = Notation(
    name=str,
    times=" * ",
    scalars=" * ",
    dot=" * ",
    between_numbers=" * ",
    hadamard=" * ",
    product=" @ ",
    minus="-",
    infinity="np.inf",
    nan="np.nan",
    power=lambda a, n: f"{a}**{n}" if n.replace(".", "").replace("_", "").isalnum() else f"{a}**({n})",
    scientific=lambda mantissa, e: (f"{mantissa}e{e}", PRODUCT),
    fraction=lambda a, b: f"{a} / {b}",
    numerator=PRODUCT,
    right=POWER,
    entry=POWER,
    juxtaposed=False,
    decimal=True,
    sqrt=lambda a: f"np.sqrt({a})",
    call=called,
    transpose=lambda a: a + ".T",
    cases=lambda c, a, b: f"np.where({c}, {a}, {b})",
    infix={"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "logical_and": "&", "logical_or": "|"},
    enclosed={"absolute": ("np.abs(", ")"), "floor": ("np.floor(", ")"), "ceil": ("np.ceil(", ")")},
    by=", ",
    constants={"pi": "math.pi", "E": "math.e"},
)
