"""Convolution and pooling as NumPy source: windows are (size, stride, dilation, before) for each spatial axis.

Law of this file: text only, that runs alone; what the numbers mean is said in codegen/ir.py.
"""

CONVOLUTION = """\
def convolution(role, a, b, windows, shape, depthwise=False):
    given = dict(zip([r for r in "xwy" if r != role], (a, b)))
    x, w, y = (given.get(r, np.zeros(shape, a.dtype)) for r in "xwy")
    counts, inside = y.shape[1:-1], [slice(p, p + e) for (_, _, _, p), e in zip(windows, x.shape[1:-1])]
    ends = [max(i.stop, (n - 1) * s + (k - 1) * d + 1) for (k, s, d, _), i, n in zip(windows, inside, counts)]
    whole = np.zeros((x.shape[0], *ends, x.shape[-1]), a.dtype)
    whole[(slice(None), *inside)] = x
    each, over = y.reshape(*y.shape[:-1], *w.shape[-2:]) if depthwise else y, tuple(range(x.ndim - 1))
    for k in np.ndindex(*w.shape[:-2]):
        at = [slice(i * d, i * d + max(0, (n - 1) * s + 1), s) for i, (_, s, d, _), n in zip(k, windows, counts)]
        cell = whole[(slice(None), *at)]
        if role == "y":
            each += cell[..., None] * w[k] if depthwise else cell @ w[k]
        elif role == "x":
            cell += (each * w[k]).sum(-1) if depthwise else y @ w[k].T
        else:
            w[k] = (cell[..., None] * each).sum(over) if depthwise else np.tensordot(cell, y, (over, over))
    return {"x": whole[(slice(None), *inside)], "w": w, "y": y}[role]
"""
POOLING = """\
def pooling(role, x, v, windows, shape):
    counts = (shape if role == "pick" else v.shape)[1:-1]
    inside = (slice(None), *(slice(p, p + e) for (_, _, _, p), e in zip(windows, x.shape[1:-1])))
    ends = [max(i.stop, (n - 1) * s + (k - 1) * d + 1) for (k, s, d, _), i, n in zip(windows, inside[1:], counts)]
    whole, there = (np.zeros((x.shape[0], *ends, x.shape[-1]), t) for t in (x.dtype, bool))
    out = whole.astype(v.dtype)
    whole[inside], there[inside] = x, True
    if role == "pick":
        out[inside] = v
    best = np.zeros((x.shape[0], *counts, x.shape[-1]), x.dtype)
    picked, found = np.full(best.shape, -1), np.zeros(best.shape, v.dtype)
    cells = [
        (slice(None), *(slice(i * d, i * d + max(0, (n - 1) * s + 1), s) for i, (_, s, d, _), n in zip(k, windows, counts)))
        for k in np.ndindex(*(k for k, _, _, _ in windows))
    ]
    for number, at in enumerate(cells):
        cell = whole[at]
        take = there[at] & ((picked < 0) | (cell > best) | (cell != cell))
        best[take], picked[take] = cell[take], number
    for number, at in enumerate(cells):
        here = picked == number
        if role == "pick":
            found[here] = out[at][here]
        else:
            out[at] += np.where(here, v, 0).astype(v.dtype)
    return found if role == "pick" else out[inside]
"""
