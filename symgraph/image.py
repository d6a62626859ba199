"""`tf.image`: pictures turned, cut, resized and recoloured inside of a graph.

Law of this file: pictures are [height, width, channels], or [batch, height, width, channels]; everything is made of
operations that exist elsewhere, so it differentiates and compiles as they do.  Sizes that cut or resize must be known while
the graph is built.  Colours of whole-number dtypes are parts of the dtype's greatest number: they are computed in float32
between 0 and 1 and put back, clipped.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

import numpy as np

from .dtypes import as_dtype, float32, int32
from .graph import NeedsValue, Tensor, convert
from .ops import array, movement
from .ops.clip import clip_by_value
from .ops.control_flow import case, cond
from .ops.core import recording
from .ops.einsum import tensordot
from .ops.gather import gather
from .ops.math import _made, cast, identity, where
from .ops.math import pow as power
from .ops.random import random_uniform
from .ops.reduce import reduce_max, reduce_mean, reduce_min, reduce_std, reduce_sum
from .ops.slicing import slice_
from .shapes import ShapeError, brackets
from .statics import static_value

absolute, square, log, floormod, less, equal, maximum, rsqrt = (
    _made[n] for n in ("abs", "square", "log", "floormod", "less", "equal", "maximum", "rsqrt")
)


# ---------------------------------------------------------------- what all share
def _of_pictures(*ranks: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: the first argument becomes a tensor of one of the ranks, in a name scope of the function's name."""

    def decorate(f: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(f)

        @wraps(f)
        def function(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(*args, **kwargs)
            first = next(iter(given.arguments))
            with recording(f.__name__, given.arguments.get("name") or f.__name__, **{first: given.arguments[first]}) as (graph, _):
                x = convert(given.arguments[first], name=first, graph=graph)
                if x.extents is None or len(x.extents) not in ranks:
                    wanted = " or ".join(map(str, ranks))
                    raise ValueError(
                        f"'{first}' must have {wanted} dimensions, not shape {brackets(x.extents)}\n[batch,] height, width, channels"
                    )
                given.arguments[first] = x
                return f(*given.args, **given.kwargs)

        return function

    return decorate


def _sides(x: Tensor) -> tuple[int, int]:
    """Height and width, which must be known."""
    height, width = x.shape.as_list()[-3:-1]
    if height is None or width is None:
        raise ValueError(
            f"the height and width of pictures must be known here, not {brackets(x.extents)}\nuse set_shape or a placeholder with sizes"
        )
    return height, width


def _rank(x: Tensor) -> int:
    return len(x.extents)  # type: ignore[arg-type]


def _in_float(x: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """What `change` makes of the picture as floats, in the dtype that it had."""
    if x.dtype.is_floating:
        return change(x)
    return convert_image_dtype(change(convert_image_dtype(x, float32)), x.dtype, saturate=True)


def _number(value: Any, x: Tensor) -> Any:
    """A number, or a tensor of one, in the dtype of x."""
    return cast(convert(value, like=x.dtype), x.dtype)


def _axes(x: Tensor) -> list[int]:
    """The axes of one picture."""
    return list(range(_rank(x) - 3, _rank(x)))


def convert_image_dtype(image: Any, dtype: Any, saturate: bool = False, name: str | None = None) -> Tensor:
    """The picture in another dtype: whole numbers from 0 to the greatest one are floats from 0 to 1.

    With `saturate`, floats outside of that are clipped to what the dtype holds; without, they wrap."""
    d = as_dtype(dtype)
    with recording("convert_image_dtype", name or "convert_image", image=image) as (graph, _):
        x: Any = convert(image, name="image", graph=graph)
        if d is x.dtype:
            return identity(x)
        greatest = lambda t: int(np.iinfo(t.as_numpy_dtype).max)  # noqa: E731
        if x.dtype.is_integer and d.is_integer:
            inside, out = greatest(x.dtype) + 1, greatest(d) + 1
            if inside <= out:
                return cast(x, d) * (out // inside)
            scaled = x // (inside // out)
            return cast(clip_by_value(scaled, int(np.iinfo(d.as_numpy_dtype).min), greatest(d)) if saturate else scaled, d)
        if not x.dtype.is_integer and not d.is_integer:
            return cast(x, d)
        if x.dtype.is_integer:
            return cast(x, d) * (1.0 / greatest(x.dtype))
        scaled = x * (greatest(d) + 0.5)
        return cast(clip_by_value(scaled, float(np.iinfo(d.as_numpy_dtype).min), float(greatest(d))) if saturate else scaled, d)


# ---------------------------------------------------------------- turned
@_of_pictures(3, 4)
def flip_left_right(image: Any) -> Tensor:
    """The columns in reverse."""
    return movement.reverse(image, [_rank(image) - 2])


@_of_pictures(3, 4)
def flip_up_down(image: Any) -> Tensor:
    """The rows in reverse."""
    return movement.reverse(image, [_rank(image) - 3])


def _flipped_at_random(x: Tensor, axis: int, seed: int | None) -> Tensor:
    """Flipped or not, with equal chances; of a batch, each picture for itself."""
    if _rank(x) == 3:
        return cond(less(random_uniform([], 0.0, 1.0, seed=seed), 0.5), lambda: movement.reverse(x, [axis]), lambda: identity(x))
    chances = random_uniform([array.shape(x)[0]], 0.0, 1.0, seed=seed)  # type: ignore[index]
    kept = less(array.reshape(chances, [-1, 1, 1, 1]), 0.5)
    return where(movement.broadcast_to(kept, array.shape(x)), x, movement.reverse(x, [axis]))


@_of_pictures(3, 4)
def random_flip_left_right(image: Any, seed: int | None = None) -> Tensor:
    """The columns in reverse, with a chance of one half; each picture of a batch for itself."""
    return _flipped_at_random(image, _rank(image) - 2, seed)


@_of_pictures(3, 4)
def random_flip_up_down(image: Any, seed: int | None = None) -> Tensor:
    """The rows in reverse, with a chance of one half; each picture of a batch for itself."""
    return _flipped_at_random(image, _rank(image) - 3, seed)


@_of_pictures(3, 4)
def transpose(image: Any, name: str | None = None) -> Tensor:
    """Rows and columns exchanged."""
    return array.transpose(image, [1, 0, 2] if _rank(image) == 3 else [0, 2, 1, 3])


transpose_image = transpose


@_of_pictures(3, 4)
def rot90(image: Any, k: int = 1, name: str | None = None) -> Tensor:
    """Turned by k quarters, against the clock; `k` is an int, or for square pictures an integer tensor."""
    if isinstance(k, Tensor):
        quarters = floormod(k, 4)
        turns = [(equal(quarters, n), partial(rot90, image, n)) for n in (1, 2, 3)]
        return case(turns, default=lambda: identity(image))  # type: ignore[return-value]
    rows, columns = _rank(image) - 3, _rank(image) - 2
    match int(k) % 4:
        case 1:
            return transpose(movement.reverse(image, [columns]))
        case 2:
            return movement.reverse(image, [rows, columns])
        case 3:
            return movement.reverse(transpose(image), [columns])
    return identity(image)


# ---------------------------------------------------------------- cut and padded
@_of_pictures(3, 4)
def crop_to_bounding_box(image: Any, offset_height: Any, offset_width: Any, target_height: int, target_width: int) -> Tensor:
    """`target_height` rows from `offset_height` on, and `target_width` columns from `offset_width` on: ints; offsets may be
    tensors."""
    height, width = image.shape.as_list()[-3:-1]
    for what, first, count, there in (("height", offset_height, target_height, height), ("width", offset_width, target_width, width)):
        if not isinstance(first, Tensor) and first < 0:
            raise ValueError(f"offset_{what} must be >= 0.")
        if count <= 0:
            raise ValueError(f"target_{what} must be > 0.")
        if there is not None and not isinstance(first, Tensor) and first + count > there:
            raise ValueError(f"{what} must be >= target + offset.")
    begin: list[Any] = [0] * (_rank(image) - 3) + [offset_height, offset_width, 0]
    return slice_(image, begin, [-1] * (_rank(image) - 3) + [target_height, target_width, -1])


@_of_pictures(3, 4)
def pad_to_bounding_box(image: Any, offset_height: int, offset_width: int, target_height: int, target_width: int) -> Tensor:
    """The picture on zeros of target_height x target_width, its first pixel at the offsets: Python ints."""
    pads = [[0, 0]] * (_rank(image) - 3)
    for what, first, target, there in zip(
        ("height", "width"), (offset_height, offset_width), (target_height, target_width), _sides(image), strict=True
    ):
        if first < 0:
            raise ValueError(f"offset_{what} must be >= 0")
        if target - first - there < 0:
            raise ValueError(f"{what} must be <= target - offset")
        pads = [*pads, [first, target - first - there]]
    return movement.pad(image, [*pads, [0, 0]])


@_of_pictures(3, 4)
def resize_image_with_crop_or_pad(image: Any, target_height: int, target_width: int) -> Tensor:
    """The middle of the picture, or the picture in the middle of zeros, for each side as it is too long or too short."""
    sides, targets = _sides(image), (int(target_height), int(target_width))
    if min(targets) <= 0:
        raise ValueError(f"target_{'height' if targets[0] <= 0 else 'width'} must be > 0.")
    cut = [max((s - t) // 2, 0) for s, t in zip(sides, targets, strict=True)]
    cropped = crop_to_bounding_box(image, *cut, *map(min, sides, targets))
    return pad_to_bounding_box(cropped, *(max((t - s) // 2, 0) for s, t in zip(sides, targets, strict=True)), *targets)


resize_with_crop_or_pad = resize_image_with_crop_or_pad


@_of_pictures(3, 4)
def central_crop(image: Any, central_fraction: float) -> Tensor:
    """The middle of the picture, `central_fraction` of each side."""
    fraction = float(central_fraction)
    if not 0.0 < fraction <= 1.0:
        raise ValueError("central_fraction must be within (0, 1]")
    if fraction == 1.0:
        return image
    first = [int((s - s * fraction) / 2) for s in _sides(image)]
    return crop_to_bounding_box(image, *first, *(s - 2 * f for s, f in zip(_sides(image), first, strict=True)))


def random_crop(value: Any, size: Any, seed: int | None = None, name: str | None = None) -> Tensor:
    """A part of shape `size`, ints for all axes, that begins at a random place."""
    with recording("random_crop", name or "random_crop", value=value) as (graph, _):
        x = convert(value, name="value", graph=graph)
        wanted = _ints(size, "size")
        if x.extents is None or len(wanted) != len(x.extents):
            raise ValueError(f"size {wanted} does not say as many extents as shape {brackets(x.extents)} has")
        for s, d in zip(wanted, x.shape.as_list(), strict=True):
            if d is not None and s > d:
                raise ValueError(f"Need value.shape >= size, got {brackets(x.extents)} and {wanted}")
        places = random_uniform([len(wanted)], 0, int32.max, int32, seed=seed)
        return slice_(x, floormod(places, array.shape(x) - np.asarray(wanted, np.int32) + 1), wanted)


def _ints(value: Any, what: str) -> list[int]:
    """A list of ints, or a tensor made of constants and known sizes."""
    if isinstance(value, list | tuple) and any(isinstance(v, Tensor) for v in value):
        value = array.stack(value)
    known: Any = value
    if isinstance(value, Tensor):
        try:
            known = None if value.node is None else static_value(value.node)
        except (NeedsValue, ShapeError):
            known = None
    if known is None or not all(isinstance(v, int | np.integer) for v in known):
        raise ValueError(f"{what} must be known while the graph is built, not {value!r}")
    return [int(v) for v in known]


# ---------------------------------------------------------------- resized
class ResizeMethod:
    """How `resize_images` finds what lies between pixels: BICUBIC and AREA are not among what works."""

    BILINEAR, NEAREST_NEIGHBOR, BICUBIC, AREA = range(4)


def _places(there: int, wanted: int, align_corners: bool, half_pixel_centers: bool) -> np.ndarray:
    """Where, along a side of `there` pixels, those of a side of `wanted` pixels lie: TF1's float32."""
    if align_corners and half_pixel_centers:
        raise ValueError("If half_pixel_centers is True, align_corners must be False.")
    corners = align_corners and wanted > 1
    scale = np.float32(there - 1) / np.float32(wanted - 1) if corners else np.float32(there) / np.float32(wanted)
    at = np.arange(wanted, dtype=np.float32)
    return (at + np.float32(0.5)) * scale if half_pixel_centers else at * scale


@_of_pictures(4)
def resize_nearest_neighbor(
    images: Any, size: Any, align_corners: bool = False, name: str | None = None, half_pixel_centers: bool = False
) -> Tensor:
    """Pictures of `size`, two ints, of the pixels that lie nearest."""
    for axis, there, wanted in zip((1, 2), _sides(images), _ints(size, "size"), strict=True):
        at = _places(there, wanted, align_corners, half_pixel_centers)
        nearest = np.floor(at + np.float32(0.5)) if align_corners else np.floor(at)
        images = gather(images, np.minimum(nearest, there - 1).astype(np.int32), axis=axis)
    return images


@_of_pictures(4)
def resize_bilinear(
    images: Any, size: Any, align_corners: bool = False, name: str | None = None, half_pixel_centers: bool = False
) -> Tensor:
    """Pictures of `size`, two ints, float32: between the four pixels around each place, by its distances to them."""
    x = cast(images, float32)
    for axis, there, wanted in zip((2, 1), _sides(images)[::-1], _ints(size, "size")[::-1], strict=True):
        at = _places(there, wanted, align_corners, half_pixel_centers)
        if half_pixel_centers:
            at = at - np.float32(0.5)
        before = np.floor(at)
        part = (at - before).reshape([-1 if a == axis else 1 for a in range(4)])
        first = np.clip(before, 0, there - 1).astype(np.int32)
        last = np.clip(np.ceil(at) if half_pixel_centers else before + 1, 0, there - 1).astype(np.int32)
        low = gather(x, first, axis=axis)
        x = low + (gather(x, last, axis=axis) - low) * part
    return x


@_of_pictures(3, 4)
def resize_images(
    images: Any,
    size: Any,
    method: int = ResizeMethod.BILINEAR,
    align_corners: bool = False,
    preserve_aspect_ratio: bool = False,
    name: str | None = None,
) -> Tensor:
    """Pictures of `size`, two ints (height, width), by a `ResizeMethod`; of their own size they stay as they are.

    Bilinear ones are float32.  With `preserve_aspect_ratio` they are as large as fits into `size`."""
    sides, wanted = _sides(images), _ints(size, "size")
    if len(wanted) != 2:
        raise ValueError("'size' must be a 1-D Tensor of 2 elements: new_height, new_width")
    if preserve_aspect_ratio:
        scale = min(np.float32(w) / np.float32(s) for w, s in zip(wanted, sides, strict=True))
        wanted = [round(float(scale * np.float32(s))) for s in sides]
    if tuple(wanted) == sides:
        return images
    methods = {ResizeMethod.BILINEAR: resize_bilinear, ResizeMethod.NEAREST_NEIGHBOR: resize_nearest_neighbor}
    if method not in methods:
        raise NotImplementedError(
            "resize_images works with ResizeMethod.BILINEAR and NEAREST_NEIGHBOR\nscipy.ndimage.zoom is bicubic in NumPy"
        )
    if _rank(images) == 4:
        return methods[method](images, wanted, align_corners)
    return array.squeeze(methods[method](array.expand_dims(images, 0), wanted, align_corners), [0])


resize = resize_images


# ---------------------------------------------------------------- colours
def _mixed(images: Tensor, kernel: Sequence[Sequence[float]]) -> Tensor:
    return tensordot(images, np.asarray(kernel, images.dtype.as_numpy_dtype), [[_rank(images) - 1], [0]])


def _mixing(name: str, what: str, kernel: Sequence[Sequence[float]]) -> Callable[..., Tensor]:
    def function(images: Any) -> Tensor:
        return _mixed(images, kernel)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{what}: the last axis, of three channels, times a matrix."
    return _of_pictures(1, 2, 3, 4, 5)(function)


rgb_to_yiq = _mixing(
    "rgb_to_yiq",
    "RGB as YIQ",
    [[0.299, 0.59590059, 0.2115], [0.587, -0.27455667, -0.52273617], [0.114, -0.32134392, 0.31119955]],
)
yiq_to_rgb = _mixing("yiq_to_rgb", "YIQ as RGB", [[1, 1, 1], [0.95598634, -0.27201283, -1.10674021], [0.6208248, -0.64720424, 1.70423049]])
rgb_to_yuv = _mixing(
    "rgb_to_yuv",
    "RGB as YUV",
    [[0.299, -0.14714119, 0.61497538], [0.587, -0.28886916, -0.51496512], [0.114, 0.43601035, -0.10001026]],
)
yuv_to_rgb = _mixing("yuv_to_rgb", "YUV as RGB", [[1, 1, 1], [0, -0.394642334, 2.03206185], [1.13988303, -0.58062185, 0]])


@_of_pictures(1, 2, 3, 4, 5)
def rgb_to_grayscale(images: Any, name: str | None = None) -> Tensor:
    """One channel of three: 0.2989 R + 0.587 G + 0.114 B."""
    return _in_float(images, lambda x: _mixed(x, [[0.2989], [0.5870], [0.1140]]))


@_of_pictures(1, 2, 3, 4, 5)
def grayscale_to_rgb(images: Any, name: str | None = None) -> Tensor:
    """The one channel three times."""
    return movement.tile(images, [1] * (_rank(images) - 1) + [3])


@_of_pictures(1, 2, 3, 4, 5)
def rgb_to_hsv(images: Any, name: str | None = None) -> Tensor:
    """Hue, saturation and value, all between 0 and 1, of RGB between 0 and 1.  Source: A. R. Smith, Color gamut transform
    pairs, SIGGRAPH 1978."""
    r, g, b = array.unstack(images, 3, axis=-1)
    value: Any = reduce_max(images, axis=-1)
    spread: Any = value - reduce_min(images, axis=-1)
    some = where(spread > 0.0, spread, array.ones_like(spread))
    sixth = 1.0 / (6.0 * some)
    hue: Any = where(equal(r, value), (g - b) * sixth, where(equal(g, value), (b - r) * sixth + 2.0 / 6.0, (r - g) * sixth + 4.0 / 6.0))
    hue = where(spread > 0.0, where(hue < 0.0, hue + 1.0, hue), array.zeros_like(hue))
    saturation = where(value > 0.0, spread / where(value > 0.0, value, array.ones_like(value)), array.zeros_like(value))
    return array.stack([hue, saturation, value], axis=-1)


@_of_pictures(1, 2, 3, 4, 5)
def hsv_to_rgb(images: Any, name: str | None = None) -> Tensor:
    """RGB of hue, saturation and value, all between 0 and 1."""
    hue, saturation, value = array.unstack(images, 3, axis=-1)
    six = hue * 6.0
    part = lambda v: clip_by_value(v, 0.0, 1.0)  # noqa: E731
    red, green, blue = part(absolute(six - 3.0) - 1.0), part(2.0 - absolute(six - 2.0)), part(2.0 - absolute(six - 4.0))
    return array.stack([((1.0 - saturation) + saturation * c) * value for c in (red, green, blue)], axis=-1)


@_of_pictures(3, 4)
def adjust_brightness(image: Any, delta: Any) -> Tensor:
    """`delta` added, as a part of the brightest."""
    return _in_float(image, lambda x: x + _number(delta, x))


@_of_pictures(3, 4)
def adjust_contrast(images: Any, contrast_factor: Any) -> Tensor:
    """The difference to the channel's mean, times the factor."""

    def change(x: Tensor) -> Tensor:
        mean = reduce_mean(x, axis=[_rank(x) - 3, _rank(x) - 2], keepdims=True)
        return (x - mean) * _number(contrast_factor, x) + mean

    return _in_float(images, change)


@_of_pictures(3, 4)
def adjust_gamma(image: Any, gamma: Any = 1, gain: Any = 1) -> Tensor:
    """gain times the picture to the power gamma, which is not negative."""
    if isinstance(gamma, int | float) and gamma < 0:
        raise ValueError("Gamma should be a non-negative real number.")
    return _in_float(image, lambda x: power(x, _number(gamma, x)) * _number(gain, x))


def _in_hsv(image: Tensor, change: Callable[[Any, Any, Any], Sequence[Any]]) -> Tensor:
    """What `change` makes of hue, saturation and value, as RGB."""
    return _in_float(image, lambda x: hsv_to_rgb(array.stack(change(*array.unstack(rgb_to_hsv(x), 3, axis=-1)), axis=-1)))


@_of_pictures(3, 4)
def adjust_hue(image: Any, delta: Any, name: str | None = None) -> Tensor:
    """The hue turned by `delta`, a part of the circle from -1 to 1."""
    return _in_hsv(image, lambda hue, saturation, value: (floormod(hue + _number(delta, hue) + 1.0, 1.0), saturation, value))


@_of_pictures(3, 4)
def adjust_saturation(image: Any, saturation_factor: Any, name: str | None = None) -> Tensor:
    """The saturation times the factor, at most 1."""

    def change(hue: Any, saturation: Any, value: Any) -> Sequence[Any]:
        return hue, clip_by_value(saturation * _number(saturation_factor, saturation), 0.0, 1.0), value

    return _in_hsv(image, change)


def _drawn(name: str, change: Callable[..., Tensor], what: str, symmetric: bool) -> Callable[..., Tensor]:
    """`change` by an amount that is drawn at each run."""

    def draw(image: Any, lower: float, upper: float, seed: int | None) -> Tensor:
        with recording(name, name, image=image):
            return change(image, random_uniform([], lower, upper, seed=seed))

    def around_0(image: Any, max_delta: float, seed: int | None = None) -> Tensor:
        if max_delta < 0:
            raise ValueError("max_delta must be non-negative.")
        return draw(image, -max_delta, max_delta, seed)

    def between(image: Any, lower: float, upper: float, seed: int | None = None) -> Tensor:
        if upper <= lower:
            raise ValueError("upper must be > lower.")
        if lower < 0:
            raise ValueError("lower must be non-negative.")
        return draw(image, lower, upper, seed)

    function = around_0 if symmetric else between
    function.__name__ = function.__qualname__ = name
    span = "-max_delta and max_delta" if symmetric else "`lower` and `upper`"
    function.__doc__ = f"`{change.__name__}` by {what} drawn evenly between {span}, one for all."
    return function


random_brightness = _drawn("random_brightness", adjust_brightness, "a delta", True)
random_hue = _drawn("random_hue", adjust_hue, "a delta", True)
random_contrast = _drawn("random_contrast", adjust_contrast, "a factor", False)
random_saturation = _drawn("random_saturation", adjust_saturation, "a factor", False)


# ---------------------------------------------------------------- numbers of pictures
@_of_pictures(3, 4)
def per_image_standardization(image: Any) -> Tensor:
    """Each picture less its mean, over its standard deviation or, where that is less, over 1 / sqrt(number of pixels): float32."""
    x = cast(image, float32) if not image.dtype.is_floating else image
    axes = _axes(x)
    count = cast(array.size(x[0] if _rank(x) == 4 else x), x.dtype)  # type: ignore[index]
    spread = maximum(reduce_std(x, axis=axes, keepdims=True), rsqrt(count))
    return (x - reduce_mean(x, axis=axes, keepdims=True)) / spread


@_of_pictures(3, 4)
def total_variation(images: Any, name: str | None = None) -> Tensor:
    """The sum of the absolute differences of neighbours, for each picture."""
    over = _axes(images)
    down = images[..., 1:, :, :] - images[..., :-1, :, :]
    right = images[..., 1:, :] - images[..., :-1, :]
    return reduce_sum(absolute(down), axis=over) + reduce_sum(absolute(right), axis=over)


@_of_pictures(4)
def image_gradients(image: Any) -> tuple[Tensor, Tensor]:
    """(dy, dx): the next row, or column, less this one; 0 in the last."""
    down = movement.pad(image[:, 1:] - image[:, :-1], [[0, 0], [0, 1], [0, 0], [0, 0]])
    right = movement.pad(image[:, :, 1:] - image[:, :, :-1], [[0, 0], [0, 0], [0, 1], [0, 0]])
    return down, right


@_of_pictures(3, 4)
def psnr(a: Any, b: Any, max_val: Any, name: str | None = None) -> Tensor:
    """The peak signal-to-noise ratio in decibels, for each picture: 20 log10(max_val) - 10 log10(mean squared difference)."""
    x, y = (convert_image_dtype(v, float32) for v in (a, b))
    top = convert_image_dtype(convert(max_val, like=a.dtype), float32)
    error = reduce_mean(square(x - y), axis=_axes(x))
    return (20.0 * log(top) - 10.0 * log(error)) / float(np.log(10.0))
