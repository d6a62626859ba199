"""tf.image: what is turned, cut, resized and recoloured, against NumPy, colorsys and TensorFlow's numbers."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symgraph as tf
from tests.graph.test_control_flow import check_gradient, run

RNG = np.random.default_rng(0)
PICTURES = RNG.random((2, 6, 5, 3)).astype(np.float32)
BYTES = RNG.integers(0, 256, (2, 6, 5, 3)).astype(np.uint8)


def both(f: Callable[[Any], Any], g: Callable[[np.ndarray], np.ndarray], pictures: np.ndarray = PICTURES) -> None:
    """f of a batch is g of each picture, and f of one picture is g of it."""
    wanted = np.stack([g(p) for p in pictures])
    for given, value in ((pictures, wanted), (pictures[0], wanted[0])):
        got = run(f(tf.constant(given)))
        assert got.dtype == value.dtype
        np.testing.assert_allclose(got, value, rtol=1e-6, atol=1e-6 if got.dtype.kind == "f" else 1)


# ---------------------------------------------------------------- places
@pytest.mark.parametrize("pictures", [PICTURES, BYTES], ids=["floats", "bytes"])
def test_turned(pictures: np.ndarray) -> None:
    both(tf.image.flip_left_right, lambda p: p[:, ::-1], pictures)
    both(tf.image.flip_up_down, lambda p: p[::-1], pictures)
    both(tf.image.transpose_image, lambda p: p.transpose(1, 0, 2), pictures)
    for k in (-1, 0, 1, 2, 3, 5):
        both(lambda x, k=k: tf.image.rot90(x, k), lambda p, k=k: np.rot90(p, k), pictures)


def test_cut_and_padded() -> None:
    both(lambda x: tf.image.crop_to_bounding_box(x, 1, 2, 3, 2), lambda p: p[1:4, 2:4])
    both(lambda x: tf.image.pad_to_bounding_box(x, 1, 2, 9, 8), lambda p: np.pad(p, ((1, 2), (2, 1), (0, 0))))
    both(lambda x: tf.image.central_crop(x, 0.5), lambda p: p[1:5, 1:4])
    both(lambda x: tf.image.central_crop(x, 1.0), lambda p: p)
    both(lambda x: tf.image.resize_image_with_crop_or_pad(x, 4, 8), lambda p: np.pad(p[1:5], ((0, 0), (1, 2), (0, 0))))
    both(lambda x: tf.image.resize_image_with_crop_or_pad(x, 9, 2), lambda p: np.pad(p[:, 1:3], ((1, 2), (0, 0), (0, 0))))


def test_at_random_as_tensorflow() -> None:
    """Under a seed the draws are TensorFlow's: which pictures it flips, and where it cuts."""
    x = tf.constant(PICTURES)
    flipped = {0: [True, False], 1: [False, True], 2: [False, True], 3: [False, False], 4: [False, True], 5: [True, False]}
    for seed, flips in flipped.items():
        tf.set_random_seed(7)
        wanted = np.stack([p[:, ::-1] if f else p for p, f in zip(PICTURES, flips, strict=True)])
        np.testing.assert_array_equal(run(tf.image.random_flip_left_right(x, seed=seed)), wanted)
    tf.set_random_seed(7)
    np.testing.assert_array_equal(run(tf.random_crop(x, [1, 3, 4, 3], seed=1)), PICTURES[:1, 3:6, 1:5])


def test_each_run_draws_again() -> None:
    x = tf.constant(PICTURES[0])
    flipped, cut = tf.image.random_flip_up_down(x), tf.image.random_crop(x, [2, 2, 3])
    with tf.Session() as session:
        drawn = {session.run(flipped).tobytes() for _ in range(40)}
        assert drawn == {PICTURES[0].tobytes(), np.ascontiguousarray(PICTURES[0, ::-1]).tobytes()}
        places = {session.run(cut)[0, 0, 0].item() for _ in range(200)}
    assert places == {float(PICTURES[0, r, c, 0]) for r in range(5) for c in range(4)}


def test_places_and_turns_that_are_computed() -> None:
    square = tf.constant(PICTURES[:, :5])
    k, row, column = (tf.placeholder(tf.int32, []) for _ in range(3))
    turned, cut = tf.image.rot90(square, k), tf.image.crop_to_bounding_box(square, row, column, 3, 2)
    for n in (-1, 0, 1, 2, 3, 6):
        np.testing.assert_array_equal(run(turned, {k: n}), np.rot90(PICTURES[:, :5], n, (1, 2)))
    np.testing.assert_array_equal(run(cut, {row: 1, column: 3}), PICTURES[:, 1:4, 3:5])
    other = tf.placeholder(tf.float32, (None, 3, 7, 1))
    assert tf.image.resize_bilinear(square, tf.shape(other)[1:3]).shape.as_list() == [2, 3, 7, 3]
    assert tf.random_crop(square, tf.concat([[2], tf.shape(other)[1:2], [4, 3]], 0)).shape.as_list() == [2, 3, 4, 3]


# ---------------------------------------------------------------- sizes
def by_hand(p: np.ndarray, size: tuple[int, int], align_corners: bool, nearest: bool) -> np.ndarray:
    """Pixel by pixel."""
    out = np.zeros((*size, p.shape[2]), np.float32)
    scale = [(d - 1) / (s - 1) if align_corners and s > 1 else d / s for d, s in zip(p.shape, size, strict=False)]
    for r, c in np.ndindex(*size):
        y, x = r * scale[0], c * scale[1]
        if nearest:
            near = [int(np.floor(v + 0.5)) if align_corners else int(v) for v in (y, x)]
            out[r, c] = p[min(near[0], len(p) - 1), min(near[1], p.shape[1] - 1)]
            continue
        for i, wy in ((int(y), 1 - y % 1), (min(int(y) + 1, len(p) - 1), y % 1)):
            for j, wx in ((int(x), 1 - x % 1), (min(int(x) + 1, p.shape[1] - 1), x % 1)):
                out[r, c] += p[i, j] * (wy * wx)
    return out


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(12, 10), (3, 4), (7, 9), (1, 1)])
def test_resized(size: tuple[int, int], align_corners: bool) -> None:
    bilinear, nearest = tf.image.ResizeMethod.BILINEAR, tf.image.ResizeMethod.NEAREST_NEIGHBOR
    both(lambda x: tf.image.resize_images(x, size, bilinear, align_corners), lambda p: by_hand(p, size, align_corners, False))
    both(lambda x: tf.image.resize_images(x, size, nearest, align_corners), lambda p: by_hand(p, size, align_corners, True))


def test_resized_bytes_and_proportions() -> None:
    both(lambda x: tf.image.resize_images(x, (12, 10)), lambda p: by_hand(p, (12, 10), False, False), BYTES)
    both(lambda x: tf.image.resize_images(x, (12, 10), 1), lambda p: by_hand(p, (12, 10), False, True).astype(np.uint8), BYTES)
    x = tf.constant(PICTURES)
    assert tf.image.resize_images(x, (12, 7), preserve_aspect_ratio=True).shape.as_list() == [2, 8, 7, 3]
    assert tf.image.resize_images(x, (6, 5)) is x
    half = np.arange(4.0, dtype=np.float32).reshape(1, 1, 4, 1)  # between centres, as TensorFlow's
    assert run(tf.image.resize_bilinear(half, (1, 2), half_pixel_centers=True)).ravel().tolist() == [0.5, 2.5]
    assert run(tf.image.resize_bilinear(half, (1, 8), half_pixel_centers=True)).ravel().tolist() == [
        0,
        0.25,
        0.75,
        1.25,
        1.75,
        2.25,
        2.75,
        3,
    ]


def test_resizing_has_a_derivative() -> None:
    x = tf.placeholder(tf.float64, (1, 3, 4, 2))
    y = tf.image.resize_nearest_neighbor(x, (5, 3))
    check_gradient(y * y + tf.image.flip_left_right(tf.image.rot90(y, 2)), x, RNG.random((1, 3, 4, 2)))
    x = tf.placeholder(tf.float32, (1, 2, 2, 1))
    (g,) = tf.gradients(tf.reduce_sum(tf.image.resize_bilinear(x, (4, 4))), x)  # each output row and column sums its weights
    np.testing.assert_allclose(run(g, {x: np.zeros((1, 2, 2, 1))}).ravel(), [2.25, 3.75, 3.75, 6.25])


# ---------------------------------------------------------------- colours
def test_colours() -> None:
    hsv = np.apply_along_axis(lambda p: colorsys.rgb_to_hsv(*p), -1, PICTURES).astype(np.float32)
    both(tf.image.rgb_to_hsv, lambda p: np.apply_along_axis(lambda c: colorsys.rgb_to_hsv(*c), -1, p).astype(np.float32))
    np.testing.assert_allclose(run(tf.image.hsv_to_rgb(hsv)), PICTURES, atol=1e-6)
    plain = np.array([[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 1]], np.float32)
    np.testing.assert_allclose(run(tf.image.rgb_to_hsv(plain)), [colorsys.rgb_to_hsv(*p) for p in plain], atol=1e-6)
    for there, back in ((tf.image.rgb_to_yiq, tf.image.yiq_to_rgb), (tf.image.rgb_to_yuv, tf.image.yuv_to_rgb)):
        np.testing.assert_allclose(run(back(there(PICTURES))), PICTURES, atol=1e-4)
    np.testing.assert_allclose(run(tf.image.rgb_to_yuv(PICTURES))[..., 0], PICTURES @ np.float32([0.299, 0.587, 0.114]), rtol=1e-5)
    both(tf.image.rgb_to_grayscale, lambda p: p @ np.float32([[0.2989], [0.587], [0.114]]))
    both(tf.image.rgb_to_grayscale, lambda p: (p @ np.float32([[0.2989], [0.587], [0.114]])).astype(np.uint8), BYTES)
    both(tf.image.grayscale_to_rgb, lambda p: np.tile(p, 3), PICTURES[..., :1])


def test_adjusted() -> None:
    def contrast(p: np.ndarray) -> np.ndarray:
        mean = p.mean((0, 1))
        return (p - mean) * np.float32(1.5) + mean

    both(lambda x: tf.image.adjust_brightness(x, 0.25), lambda p: p + np.float32(0.25))
    both(lambda x: tf.image.adjust_brightness(x, 0.25), lambda p: np.minimum(p + 0.25 * 255, 255).astype(np.uint8), BYTES)
    both(lambda x: tf.image.adjust_contrast(x, 1.5), contrast)
    both(
        lambda x: tf.image.adjust_contrast(x, 1.5), lambda p: np.clip(contrast(p.astype(np.float32)) + 0.5, 0, 255).astype(np.uint8), BYTES
    )
    both(lambda x: tf.image.adjust_gamma(x, 2.0, 0.5), lambda p: p * p * np.float32(0.5))
    both(lambda x: tf.image.adjust_saturation(x, 0.0), lambda p: np.repeat(p.max(-1, keepdims=True), 3, -1))
    both(lambda x: tf.image.adjust_hue(x, 1 / 3), lambda p: p[..., [2, 0, 1]])
    both(lambda x: tf.image.adjust_hue(x, -2 / 3), lambda p: p[..., [2, 0, 1]], BYTES)
    x = tf.constant(PICTURES[0])
    for f, given in (
        (tf.image.random_brightness, (0.3,)),
        (tf.image.random_hue, (0.3,)),
        (tf.image.random_contrast, (0.5, 1.5)),
        (tf.image.random_saturation, (0.5, 1.5)),
    ):
        y = f(x, *given, seed=1)
        with tf.Session() as session:
            assert np.abs(session.run(y) - session.run(y)).max() > 1e-4
    brighter = run(tf.image.random_brightness(x, 0.3)) - PICTURES[0]
    assert np.ptp(brighter) < 1e-6 and abs(brighter[0, 0, 0]) <= 0.3


def test_dtypes() -> None:
    b = tf.constant(np.array([0, 1, 127, 255], np.uint8))
    change = tf.image.convert_image_dtype
    np.testing.assert_allclose(run(change(b, tf.float32)), np.array([0, 1, 127, 255]) / 255, rtol=1e-6)
    assert run(change(change(b, tf.float64), tf.uint8)).tolist() == [0, 1, 127, 255]
    assert run(change(b, tf.int16)).tolist() == [0, 128, 127 * 128, 255 * 128] and run(change(change(b, tf.int16), tf.uint8)).tolist() == [
        0,
        1,
        127,
        255,
    ]
    assert run(change(tf.constant([-1.0, 0.5, 2.0]), tf.uint8, saturate=True)).tolist() == [0, 127, 255]
    assert run(change(tf.constant(np.array([-100, 128, 32767], np.int16)), tf.uint8, saturate=True)).tolist() == [0, 1, 255]


# ---------------------------------------------------------------- numbers of pictures
def test_numbers_of_pictures() -> None:
    both(tf.image.per_image_standardization, lambda p: ((p - p.mean()) / p.std()).astype(np.float32))
    flat = np.full((2, 3, 3, 1), 7.0, np.float32)
    both(tf.image.per_image_standardization, lambda p: np.zeros_like(p), flat)
    both(tf.image.total_variation, lambda p: np.abs(np.diff(p, axis=0)).sum() + np.abs(np.diff(p, axis=1)).sum())
    down, right = run(tf.image.image_gradients(tf.constant(PICTURES)))
    np.testing.assert_array_equal(down[:, :-1], np.diff(PICTURES, axis=1))
    np.testing.assert_array_equal(right[:, :, :-1], np.diff(PICTURES, axis=2))
    assert not down[:, -1].any() and not right[:, :, -1].any()
    both(lambda x: tf.image.psnr(x, x + 0.1, 1.0), lambda p: np.float32(20.0))


def test_faults() -> None:
    x = tf.constant(PICTURES)
    faults: list[tuple[type, str, Callable[[], Any]]] = [
        (ValueError, "must have 3 or 4 dimensions, not shape \\[6,5\\]", lambda: tf.image.flip_left_right(PICTURES[0, :, :, 0])),
        (ValueError, "height must be >= target \\+ offset", lambda: tf.image.crop_to_bounding_box(x, 4, 0, 3, 2)),
        (ValueError, "offset_width must be >= 0", lambda: tf.image.crop_to_bounding_box(x, 0, -1, 3, 2)),
        (ValueError, "width must be <= target - offset", lambda: tf.image.pad_to_bounding_box(x, 0, 1, 9, 5)),
        (ValueError, "central_fraction must be within", lambda: tf.image.central_crop(x, 0.0)),
        (ValueError, "Need value.shape >= size", lambda: tf.random_crop(x, [2, 7, 5, 3])),
        (ValueError, "as many extents", lambda: tf.random_crop(x, [2, 2])),
        (ValueError, "upper must be > lower", lambda: tf.image.random_contrast(x, 0.5, 0.5)),
        (ValueError, "max_delta must be non-negative", lambda: tf.image.random_hue(x, -0.1)),
        (NotImplementedError, "works with ResizeMethod.BILINEAR", lambda: tf.image.resize_images(x, (3, 3), tf.image.ResizeMethod.AREA)),
        (ValueError, "must be known here", lambda: tf.image.resize_images(tf.placeholder(tf.float32, (None, None, None, 3)), (3, 3))),
        (ValueError, "align_corners must be False", lambda: tf.image.resize_bilinear(x, (3, 3), True, half_pixel_centers=True)),
        (AttributeError, "tf.image.ssim is not part of symgraph", lambda: tf.image.ssim),
    ]
    for kind, message, call in faults:
        with pytest.raises(kind, match=message):
            call()
