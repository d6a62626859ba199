"""The names of TensorFlow 1: which of them work here, and what to do without the others.

Law of this file: a name works when it resolves in the package to something real; for every other one `RULES` has a
reason with the nearest thing that works, and asking for it raises at once with these words.  Nobody lists by hand what
works, so what a message, `symgraph check` and docs/tf1.md say cannot differ.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache, partial, reduce
from types import ModuleType
from typing import Any, NoReturn

from .graphdef import tensorboard
from .tf1_names import NAMES

RULES: tuple[tuple[str, str], ...] = (
    (
        "*atanh *asinh *acosh *erfc",
        "write it with tf.log, tf.sqrt and tf.erf: atanh(x) is 0.5 * (log1p(x) - log1p(-x)), erfc(x) is 1 - erf(x)",
    ),
    ("*atan2 *angle", "write it with tf.atan and tf.where: atan2(y, x) is atan(y / x) where x > 0"),
    ("*truncatemod *saturate_cast", "write it with tf.truncatediv, tf.clip_by_value and tf.cast"),
    ("keras.datasets.* keras.utils.get_file", "no data sets come with symgraph: {data}"),
    ("examples.tutorials.mnist.mnist", "copy its few lines: tf.layers or tf.nn build the same net"),
    ("examples.* contrib.learn.datasets.*", "no data sets come with symgraph: {data}"),
    ("keras.layers.*", "Keras is another library: tf.layers and tf.nn have the layers of TF1"),
    ("keras.*", "Keras is another library: tf.layers, tf.losses and tf.train build and train the same models"),
    ("data.* contrib.data.*", "input pipelines: feed NumPy arrays with feed_dict; sg.Minibatch takes batches in Session.run_loop"),
    ("estimator.inputs.* contrib.learn.*input*", "estimators' input: feed NumPy arrays with feed_dict"),
    ("estimator.* contrib.learn.*", "estimators: write the graph with tf.layers and tf.losses, and train it with tf.train in a tf.Session"),
    (
        "feature_column.* contrib.layers.*_column",
        "feature columns: make the columns with NumPy or scikit-learn; tf.one_hot encodes categories",
    ),
    (
        "*QueueBase *FIFOQueue *PriorityQueue *RandomShuffleQueue train.batch train.batch_join train.shuffle_batch* train.maybe_* "
        "train.*input_producer train.limit_epochs train.QueueRunner train.add_queue_runner train.queue_runner train.match_filenames_once "
        "io.match_filenames_once queue.* contrib.training.b*",
        "queues: feed NumPy arrays with feed_dict; sg.Minibatch takes batches in Session.run_loop",
    ),
    (
        "*Reader *parse_example parse_single_* parse_sequence_* io.parse_s* *decode_csv *decode_json* io.decode_raw decode_raw "
        "*decode_compressed *TFRecord* *tf_record_iterator "
        "python_io.* *FixedLen* *VarLenFeature *SparseFeature *RaggedFeature train.Feature* train.*List train.*Example "
        "*parse_tensor *serialize_* io.decode_proto io.encode_proto *matching_files read_file io.read_file write_file io.write_file",
        "files: read them in Python (NumPy, csv, json) and feed the arrays",
    ),
    (
        "*decode_* *encode_* image.is_jpeg audio.* contrib.ffmpeg.*",
        "file formats: read files with Pillow, matplotlib or scipy and feed the arrays",
    ),
    ("image.random_* image.adjust_* image.sample_distorted_bounding_box", "augmentation: change the arrays in NumPy before they are fed"),
    (
        "image.* contrib.image.*",
        "image operations: tf.image has turns, crops, bilinear and nearest resizing and colours; scikit-image has others, for tf.py_func",
    ),
    (
        "*GradientTape contrib.eager.* *enable_eager_execution *enable_v2_behavior",
        "eager execution: build the graph, then tf.Session().run(...)",
    ),
    ("enable_v2_tensorshape enable_control_flow_v2 enable_resource_variables", "TF2's behaviour: TF1's is all there is"),
    (
        "*omplex* real imag conj angle *fft* signal.* spectral.* math.real math.imag math.conj math.angle",
        "complex numbers: tf.py_func with numpy.fft",
    ),
    ("float16 half bfloat16 to_bfloat16", "short floats: tf.float32"),
    ("quint* qint* QUANTIZED_DTYPES *quanti* *fake_quant* contrib.quantize.*", "quantization: train and run in tf.float32"),
    ("uint16 uint32 uint64", "this integer: tf.int32 or tf.int64"),
    ("resource variant", "dtypes of handles: variables are TF1's ref variables"),
    (
        "*dense_to_sparse* *Sparse* sparse.* sparse_* *_sparse* deserialize_many_sparse* *Sparse*",
        "sparse tensors: dense tensors with tf.gather, tf.nn.embedding_lookup and tf.scatter_nd",
    ),
    ("*Ragged* ragged.*", "ragged tensors: pad to one length and mask with tf.sequence_mask"),
    (
        "distribute.* train.Cluster* train.Server* train.replica_device_setter train.SyncReplicas* train.JobDef "
        "DeviceSpec contrib.tpu.* config.* tpu.*",
        "devices and clusters: one process computes, with as many threads as sg.set_threads says",
    ),
    ("train.Supervisor", "managed sessions of old: tf.train.MonitoredTrainingSession"),
    (
        "train.*Hook train.SessionManager train.basic_train_loop train.LooperThread train.VocabInfo "
        "contrib.training.create_train_op contrib.slim.learning contrib.slim.evaluation",
        "managed sessions: tf.train.MonitoredTrainingSession with hooks of your own, from tf.train.SessionRunHook",
    ),
    (
        "saved_model.* graph_util.* train.Checkpoint train.CheckpointManager import_graph_def lite.* contrib.lite.* "
        "contrib.session_bundle.* "
        "MetaGraphDef GraphDef train.SaverDef contrib.graph_editor.* train.warm_start wrap_function",
        "TF's graph files: tf.train.Saver and tf.train.import_meta_graph keep graphs and values; sg.function(...).save_source exports code",
    ),
    (
        "load_op_library load_file_system_library load_library user_ops.* sysconfig.* resource_loader.*",
        "libraries of C++: tf.py_func calls Python, sg.elementwise makes new operations",
    ),
    (
        "get_session_handle get_session_tensor delete_session_tensor",
        "tensors kept in a session: fetch the value and feed it again, or keep it in a tf.Variable",
    ),
    (
        "RegisterGradient NoGradient no_gradient NotDifferentiable custom_gradient recompute_grad",
        "gradients of one's own: write the operation with sg.elementwise, tf.stop_gradient where none is wanted",
    ),
    (
        "contrib.distributions.* distributions.*",
        "distributions: tf.distributions has Normal, Laplace, Exponential, Uniform, Bernoulli and Categorical; scipy.stats has the others",
    ),
    ("contrib.seq2seq.* contrib.legacy_seq2seq.*", "decoders: tf.nn.dynamic_rnn over the target sequence, tf.nn.softmax on its outputs"),
    ("contrib.crf.*", "CRF layers: the forward recursion is a tf.scan with tf.reduce_logsumexp"),
    ("*.static_state_saving_rnn", "tf.nn.static_rnn: fetch its state and feed it again as initial_state"),
    (
        "contrib.rnn.* contrib.cudnn_rnn.* nn.rnn_cell.*",
        "this cell: tf.nn.rnn_cell has BasicRNNCell, BasicLSTMCell, LSTMCell and GRUCell, and RNNCell to subclass",
    ),
    (
        "contrib.slim.* contrib.framework.*",
        "slim and its framework: tf.layers has the layers, tf.get_variable and tf.get_collection the variables",
    ),
    ("contrib.layers.optimize_loss", "training in one call: tf.train, tf.clip_by_global_norm and tf.summary do its parts"),
    ("contrib.layers.*", "this layer: tf.layers"),
    ("metrics.*", "this metric: fetch labels and predictions, and use sklearn.metrics"),
    ("contrib.losses.*", "tf.losses has it"),
    ("contrib.metrics.*", "tf.metrics"),
    ("contrib.opt.*", "this optimizer: tf.train has Adam, Momentum, RMSProp, Adagrad, Adadelta, Ftrl and others"),
    (
        "contrib.summary.* *_summary merge_all_summaries train.SummaryWriter",
        "tf.summary has scalar, histogram, image, text, merge_all and FileWriter",
    ),
    ("contrib.factorization.*", "sklearn.cluster.KMeans and sklearn.mixture.GaussianMixture"),
    ("contrib.tensorboard.*", "the embedding projector"),
    ("contrib.*", "contrib was TF1's attic; what programs used most of it is in tf.contrib.layers and tf.contrib.rnn"),
    ("scatter_mul scatter_div scatter_m* batch_scatter_update", "rows in place: tf.scatter_update of what tf.gather reads"),
    ("lookup.* *Table*", "look-up tables: a Python dict before feeding, tf.gather of a constant inside the graph"),
    ("strings.* string_* substr regex_replace *_base64 io.*base64 edit_distance sets.*", "strings: Python before feeding, or tf.py_func"),
    ("app.flags", "tf.flags"),
    ("mul", "TF 0.x: tf.multiply"),
    ("sub", "TF 0.x: tf.subtract"),
    ("neg", "TF 0.x: tf.negative"),
    ("pack", "TF 0.x: tf.stack"),
    ("unpack", "TF 0.x: tf.unstack"),
    ("select", "TF 0.x: tf.where"),
    ("inv", "TF 0.x: tf.reciprocal"),
    ("listdiff", "TF 0.x: tf.setdiff1d"),
    ("batch_matmul", "TF 0.x: tf.matmul"),
    (
        "nn.conv3d* nn.*pool3d layers.*3d layers.*3D nn.dilation2d nn.erosion2d nn.fractional_* extract_volume_patches",
        "only pictures and sequences are convolved: tf.nn.conv2d, tf.nn.conv1d",
    ),
    ("nn.*backprop*", "gradients of convolutions: tf.gradients of tf.nn.conv2d"),
    ("nn.ctc_*", "CTC: its forward recursion is a tf.scan with tf.reduce_logsumexp"),
    ("nn.raw_rnn", "what loop_fn does is a cell for tf.nn.dynamic_rnn, derived from tf.nn.rnn_cell.RNNCell, or a step of tf.scan"),
    ("summary.tensor_summary", "tf.summary.histogram, tf.summary.scalar and tf.summary.text"),
    ("summary.audio", "tf.summary.image and tf.summary.histogram; scipy.io.wavfile writes sound"),
    ("profiler.* contrib.memory_stats.*", "profiles: Session.compiled(...).explain() tells flops and bytes"),
    ("linalg.LinearOperator*", "linear operators: tf.matmul, tf.matrix_solve"),
    ("logging.*", "tf.logging has debug, info, warn, error and fatal"),
    ("autograph.* xla.* vectorized_map *func* function", "sg.function compiles a piece of a graph"),
    ("python.*", "private to TensorFlow: use the public name"),
    ("*PARTITION* *partition*", "partitioned variables: one tf.Variable"),
)
"""(patterns of names, what they are about and the nearest thing that works); the first row that fits counts."""

MIRRORS: dict[str, tuple[str, ...]] = {
    "contrib.framework": ("{}", "train.{}"),
    "contrib.slim": ("contrib.layers.{}", "contrib.framework.{}"),
    "debugging": ("{}",),
    "dtypes": ("{}",),
    "errors": ("{}",),
    "initializers": ("{}_initializer", "{}"),
    "io": ("{}", "train.{}"),
    "keras.initializers": ("{}_initializer", "{}"),
    "linalg": ("matrix_{}", "{}", "nn.{}"),
    "manip": ("{}",),
    "math": ("{}", "nn.{}"),
    "nn": ("{}",),
    "nn.rnn_cell": ("contrib.rnn.{}",),
    "random": ("random_{}", "{}"),
    "strings": ("string_{}",),
    "version": ("{}",),
}
"""Namespaces that say again what lies elsewhere, and under which names it lies there."""

_NOTHING = object()
_DATA = "sklearn.datasets.load_digits() has digits, np.load('mnist.npz') reads a file that you have"
_ELSE = "no operation does it: tf.py_func runs NumPy inside a graph"


@cache
def names() -> dict[str, None]:
    """Every name that is known of TF1, dotted, without 'tf.'."""
    return {f"{space}.{name}" if space else name: None for space, listed in NAMES.items() for name in listed.split()}


@cache
def spaces() -> dict[str, None]:
    """Every namespace, those of which only parts have names included ('contrib', 'keras.datasets')."""
    parts = [space.split(".") for space in NAMES if space]
    return dict.fromkeys(".".join(p[: k + 1]) for p in parts for k in range(len(p)))


def reason(path: str) -> str:
    """What a missing name is about, and the nearest thing that works."""
    for patterns, why in RULES:
        if any(fnmatchcase(path, p) or path == p.removesuffix(".*") for p in patterns.split()):
            return why.format(data=_DATA)
    return _ELSE


def missing(path: str) -> str:
    """The words for a name that does not work."""
    if (
        path in names()
        or path in spaces()
        or any(fnmatchcase(path, p) for patterns, _ in RULES for p in patterns.split() if p[-2:] == ".*")
    ):
        return f"tf.{path} is not part of symgraph: {reason(path)}"
    near = get_close_matches(path, names(), 1, 0.8)
    return f"tf.{path}: symgraph has no such name, and TF1 none that is known" + (f" (did you mean tf.{near[0]}?)" if near else "")


class Namespace:
    """A named group of functions, as `tf.linalg` and `tf.nn` are; what it lacks says so by its full name."""

    def __init__(self, **members: object) -> None:
        self.__dict__.update({"_path": "", **members})

    def __getattr__(self, name: str) -> Any:
        return lacking(self._path, name)

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(missing(self._path))

    def __repr__(self) -> str:
        return f"<tf.{self._path}>"


MESSAGES = {
    "AttrValue": "attr_value_pb2",
    "Event": "event_pb2",
    "HistogramProto": "summary_pb2",
    "NodeDef": "node_def_pb2",
    "SessionLog": "event_pb2",
    "Summary": "summary_pb2",
    "SummaryMetadata": "summary_pb2",
    "summary.Event": "event_pb2",
    "summary.SessionLog": "event_pb2",
    "summary.Summary": "summary_pb2",
}
"""Messages that TensorBoard has, by the file that has them."""


def lacking(space: str, name: str) -> Any:
    """What `space.name` is where nobody defined it: the same thing of another name, a namespace, or AttributeError."""
    path = f"{space}.{name}" if space else name
    if path in names():
        for pattern in MIRRORS.get(space, ()):
            if (found := find(sys.modules[__package__], pattern.format(name))) is not None:
                return found
    if path in MESSAGES:
        return getattr(tensorboard(f"compat.proto.{MESSAGES[path]}"), name)
    if path in spaces():
        return Namespace(_path=path)
    raise AttributeError(name if name.startswith("__") else missing(path))


def watch(root: ModuleType) -> None:
    """Give every namespace of the package its words for what it lacks."""
    for space in ("", *spaces()):
        found = reduce(getattr, space.split("."), root) if space else root
        if isinstance(found, ModuleType):
            vars(found).setdefault("__getattr__", partial(lacking, space))
        elif isinstance(found, Namespace):
            vars(found)["_path"] = space


def find(root: Any, path: str, otherwise: Any = None) -> Any:
    """What a dotted name is in the package; `otherwise` where it is missing, or a file that happens to bear the name."""
    try:
        found = reduce(getattr, path.split("."), root)
    except (AttributeError, ImportError):
        return otherwise
    package, _, module = found.__name__.partition(".") if isinstance(found, ModuleType) else ("", "", "")
    file = package == root.__name__ and module not in spaces()
    return otherwise if file or isinstance(found, Namespace) else found


def works(root: Any, path: str) -> bool:
    """Is the name something real?"""
    return find(root, path, _NOTHING) is not _NOTHING


def working(root: Any) -> Iterator[tuple[str, bool]]:
    """Every name of TF1, and whether it works."""
    return ((path, works(root, path)) for path in names())
