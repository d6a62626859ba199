"""Pooling layers: a maximum or a mean for each window, without variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..graph import Tensor
from ..ops import pooling as ops
from .base import Layer, functional
from .convolution import layout_of, numbers, padding_of


class _Pooling(Layer):
    spatial = 2
    pooled: Callable[..., Tensor]

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str = "channels_last",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pool_size = numbers(pool_size, self.spatial, "pool_size")
        self.strides = numbers(pool_size if strides is None else strides, self.spatial, "strides")
        self.padding, self.layout = padding_of(padding), layout_of(data_format, self.spatial)

    @property
    def least_rank(self) -> int:  # type: ignore[override]
        return self.spatial + 2

    def call(self, inputs: Tensor) -> Tensor:
        return type(self).pooled(inputs, self.pool_size, self.strides, self.padding, self.layout)


def _layer(name: str, spatial: int, pooled: Callable[..., Tensor], what: str) -> type[_Pooling]:
    axes = ", ".join(["depth", "height", "width"][3 - spatial :])
    doc = f"{what} over windows: [batch, {axes}, channels] to one element for each window and channel."
    return type(name, (_Pooling,), {"spatial": spatial, "pooled": staticmethod(pooled), "__doc__": doc, "__module__": __name__})


MaxPooling1D = _layer("MaxPooling1D", 1, ops.max_pool1d, "The maximum")
MaxPooling2D = _layer("MaxPooling2D", 2, ops.max_pool, "The maximum")
MaxPooling3D = _layer("MaxPooling3D", 3, ops.max_pool3d, "The maximum")
AveragePooling1D = _layer("AveragePooling1D", 1, ops.avg_pool1d, "The mean of the cells that exist,")
AveragePooling2D = _layer("AveragePooling2D", 2, ops.avg_pool, "The mean of the cells that exist,")
AveragePooling3D = _layer("AveragePooling3D", 3, ops.avg_pool3d, "The mean of the cells that exist,")

max_pooling1d, max_pooling2d, max_pooling3d = functional(MaxPooling1D), functional(MaxPooling2D), functional(MaxPooling3D)
average_pooling1d, average_pooling2d = functional(AveragePooling1D), functional(AveragePooling2D)
average_pooling3d = functional(AveragePooling3D)
