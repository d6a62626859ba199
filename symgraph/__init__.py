"""symgraph: TensorFlow-1 style graphs, textbook gradients, native training steps.

    import symgraph as tf      # or: as sg

The names and their meaning are TensorFlow 1's; `formula`, `function` and what hangs on them are symgraph's own.
"""

import sys as _sys
from pathlib import Path as _Path

_here = _Path(__file__).resolve().parent
if not (_here / "codegen").is_dir() and (_here.parent / "codegen").is_dir():
    __path__.append(str(_here.parent))  # a bare checkout: codegen/ lies beside the package

from . import app, contrib, distributions, errors, flags, gfile, image, layers, logging, losses, metrics, summary, test, train
from . import rnn as _rnn
from .codegen.devices import list_devices
from .codegen.threads import get_threads, set_threads
from .dtypes import DType, as_dtype, bool, float32, float64, int8, int16, int32, int64, string, uint8
from .environment import (
    GIT_VERSION,
    GRAPH_DEF_VERSION,
    VERSION,
    ConfigProto,
    GPUOptions,
    GraphOptions,
    OptimizerOptions,
    RunMetadata,
    RunOptions,
    colocate_with,
    container,
    control_flow_v2_enabled,
    device,
    disable_control_flow_v2,
    disable_eager_execution,
    disable_resource_variables,
    disable_v2_behavior,
    disable_v2_tensorshape,
    executing_eagerly,
    get_logger,
    resource_variables_enabled,
)
from .errors import NoGradientError, OpError
from .facts import assume
from .formula import Derivation, Formula, derivation, formula
from .function import Function, function
from .graph import Graph, Operation, Tensor, get_default_graph, get_default_session, reset_default_graph
from .history import History
from .image import random_crop
from .minibatch import Minibatch
from .notebook import GraphPicture, show_graph
from .ops import activations as _activations
from .ops import convolution as _convolution
from .ops import dense as _dense
from .ops import linalg as _linalg
from .ops import math as _math
from .ops import nn as _nn
from .ops import normalization as _normalization
from .ops import pooling as _pooling
from .ops import reduce as _reduce
from .ops import regularizers as _regularizers
from .ops import sampling as _sampling
from .ops import sorting as _sorting
from .ops.activations import log_sigmoid
from .ops.array import (
    concat,
    constant,
    convert_to_tensor,
    ensure_shape,
    expand_dims,
    eye,
    fill,
    ones,
    ones_like,
    placeholder,
    placeholder_with_default,
    range,
    rank,
    reshape,
    shape,
    size,
    squeeze,
    stack,
    transpose,
    unstack,
    zeros,
    zeros_like,
)
from .ops.blocks import (
    batch_to_space,
    batch_to_space_nd,
    depth_to_space,
    space_to_batch,
    space_to_batch_nd,
    space_to_depth,
)
from .ops.checks import (
    Assert,
    add_check_numerics_ops,
    assert_equal,
    assert_greater,
    assert_greater_equal,
    assert_integer,
    assert_less,
    assert_less_equal,
    assert_near,
    assert_negative,
    assert_non_negative,
    assert_non_positive,
    assert_none_equal,
    assert_positive,
    assert_proper_iterable,
    assert_rank,
    assert_rank_at_least,
    assert_rank_in,
    assert_same_float_dtype,
    assert_scalar,
    assert_type,
    check_numerics,
    is_numeric_tensor,
    verify_tensor_all_finite,
)
from .ops.clip import clip_by_average_norm, clip_by_global_norm, clip_by_norm, clip_by_value, global_norm
from .ops.control import control_dependencies, group, no_op
from .ops.control import tuple_ as tuple
from .ops.control_flow import case, cond, foldl, foldr, map_fn, scan, while_loop
from .ops.core import is_tensor
from .ops.cumulative import cumprod, cumsum
from .ops.derivative import (
    AggregationMethod,
    UnconnectedGradients,
    gradients,
    hessian,
    hessian_vector_product,
    hessians,
    jacobian,
    jvp,
    vjp,
)
from .ops.einsum import einsum, tensordot
from .ops.embedding import embedding_lookup as _embedding_lookup
from .ops.gather import batch_gather, gather, gather_nd, scatter_nd, tensor_scatter_add, tensor_scatter_sub, tensor_scatter_update
from .ops.indexed_slices import IndexedSlices, IndexedSlicesValue
from .ops.initialized import assert_variables_initialized, is_variable_initialized, report_uninitialized_variables
from .ops.initializers import Constant as constant_initializer
from .ops.initializers import Identity as identity_initializer
from .ops.initializers import Ones as ones_initializer
from .ops.initializers import Orthogonal as orthogonal_initializer
from .ops.initializers import RandomNormal as random_normal_initializer
from .ops.initializers import RandomUniform as random_uniform_initializer
from .ops.initializers import TruncatedNormal as truncated_normal_initializer
from .ops.initializers import UniformUnitScaling as uniform_unit_scaling_initializer
from .ops.initializers import VarianceScaling as variance_scaling_initializer
from .ops.initializers import Zeros as zeros_initializer
from .ops.initializers import glorot_normal as glorot_normal_initializer
from .ops.initializers import glorot_uniform as glorot_uniform_initializer
from .ops.initializers import he_normal, he_uniform, lecun_normal, lecun_uniform
from .ops.linalg import (
    cholesky,
    cross,
    diag,
    diag_part,
    matmul,
    matrix_determinant,
    matrix_diag,
    matrix_diag_part,
    matrix_inverse,
    matrix_solve,
    norm,
    trace,
)
from .ops.masks import adjoint as _adjoint
from .ops.masks import (
    lin_space,
    linspace,
    matrix_band_part,
    matrix_set_diag,
    matrix_transpose,
    meshgrid,
    one_hot,
    searchsorted,
    sequence_mask,
)
from .ops.math import (
    accumulate_n,
    add_n,
    bitcast,
    cast,
    div,
    div_no_nan,
    divide,
    identity,
    pow,
    scalar_mul,
    stop_gradient,
    to_bfloat16,
    to_double,
    to_float,
    to_int32,
    to_int64,
    truediv,
    where,
)
from .ops.movement import (
    broadcast_dynamic_shape,
    broadcast_static_shape,
    broadcast_to,
    identity_n,
    pad,
    repeat,
    reverse,
    reverse_sequence,
    reverse_v2,
    roll,
    shape_n,
    split,
    tile,
)
from .ops.places import setdiff1d, unique, unique_with_counts
from .ops.python import Print, numpy_function, py_func
from .ops.python import print_ as print
from .ops.random import get_seed, random_normal, random_shuffle, random_uniform, set_random_seed, truncated_normal
from .ops.reduce import (
    arg_max,
    arg_min,
    argmax,
    argmin,
    count_nonzero,
    reduce_all,
    reduce_any,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
)
from .ops.regularizers import l1_regularizer, l2_regularizer
from .ops.sampling import multinomial, random_categorical
from .ops.scatter import scatter_add, scatter_nd_add, scatter_nd_sub, scatter_nd_update, scatter_sub, scatter_update
from .ops.segments import (
    bincount,
    confusion_matrix,
    dynamic_stitch,
    invert_permutation,
    segment_max,
    segment_mean,
    segment_min,
    segment_prod,
    segment_sum,
    unsorted_segment_max,
    unsorted_segment_mean,
    unsorted_segment_min,
    unsorted_segment_prod,
    unsorted_segment_sqrt_n,
    unsorted_segment_sum,
)
from .ops.selection import boolean_mask, dynamic_partition
from .ops.slicing import slice_ as slice
from .ops.slicing import strided_slice
from .ops.sorting import argsort, sort
from .ops.state import (
    Variable,
    all_variables,
    assign,
    assign_add,
    assign_sub,
    global_variables,
    global_variables_initializer,
    initialize_all_variables,
    initialize_local_variables,
    initialize_variables,
    local_variables,
    local_variables_initializer,
    model_variables,
    moving_average_variables,
    trainable_variables,
    variables_initializer,
)
from .ops.strings import as_string, string_join, string_length, string_to_number
from .ops.symbolic import elementwise, from_sympy
from .ops.tensor_array import TensorArray
from .scopes import (
    AUTO_REUSE,
    GraphKeys,
    VariableScope,
    add_to_collection,
    add_to_collections,
    get_collection,
    get_collection_ref,
    get_local_variable,
    get_variable,
    get_variable_scope,
    init_scope,
    make_template,
    name_scope,
    op_scope,
    variable_op_scope,
    variable_scope,
)
from .session import InteractiveSession, Session
from .shapes import Dimension, TensorShape, dimension_at_index, dimension_value
from .tf1 import Namespace as _Namespace
from .tf1 import watch as _watch

__version__ = "0.1.0"

double = float64
newaxis = None
"""Marks a new axis in an index."""


for _name, _function in _math._made.items():  # the element-wise functions, from their table
    globals()[_name] = _function
mod, floor_div, rint = (globals()[n] for n in ("floormod", "floordiv", "round"))
tensor_scatter_nd_add, tensor_scatter_nd_sub, tensor_scatter_nd_update = tensor_scatter_add, tensor_scatter_sub, tensor_scatter_update

linalg = _Namespace(  # matrix_inverse, einsum, ... are found by `tf1.MIRRORS`
    adjoint=_adjoint,
    cholesky=cholesky,
    det=matrix_determinant,
    diag=matrix_diag,
    diag_part=matrix_diag_part,
    eye=eye,
    inv=matrix_inverse,
    logdet=_linalg.logdet,
    matmul=matmul,
    matvec=_linalg.matvec,
    norm=norm,
    solve=matrix_solve,
    tensor_diag=diag,
    tensor_diag_part=diag_part,
    trace=trace,
)
math = _Namespace(
    **_math._made,
    divide_no_nan=div_no_nan,
    multiply_no_nan=_math.multiply_no_nan,
    reduce_euclidean_norm=_reduce.reduce_euclidean_norm,
    reduce_std=_reduce.reduce_std,
    reduce_variance=_reduce.reduce_variance,
)
keras = _Namespace(
    initializers=_Namespace(
        **{
            f.__name__: f
            for f in (
                constant_initializer,
                ones_initializer,
                random_normal_initializer,
                random_uniform_initializer,
                truncated_normal_initializer,
                variance_scaling_initializer,
                zeros_initializer,
            )
        }
    ),
    regularizers=_Namespace(l1=_regularizers.l1, l1_l2=_regularizers.l1_l2, l2=_regularizers.l2),
)
nn = _Namespace(
    **{
        n: getattr(m, n)
        for m in (_activations, _convolution, _dense, _nn, _normalization, _pooling, _rnn, _sampling, _sorting)
        for n in m.__all__
    },
    embedding_lookup=_embedding_lookup,
    l2_normalize=_linalg.l2_normalize,
)

io = _Namespace(
    gfile=_Namespace(
        GFile=gfile.GFile,
        copy=gfile.Copy,
        exists=gfile.Exists,
        glob=gfile.Glob,
        isdir=gfile.IsDirectory,
        listdir=gfile.ListDirectory,
        makedirs=gfile.MakeDirs,
        mkdir=gfile.MkDir,
        remove=gfile.Remove,
        rename=gfile.Rename,
        rmtree=gfile.DeleteRecursively,
        stat=gfile.Stat,
        walk=gfile.Walk,
    )
)

_watch(_sys.modules[__name__])  # what TF1 has and symgraph lacks says so
