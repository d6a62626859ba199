"""`tf.train`: optimizers and checkpoints."""

from .checkpoint import CheckpointState, checkpoint_exists, get_checkpoint_state, latest_checkpoint
from .optimizers import (
    AdagradOptimizer,
    AdamOptimizer,
    GradientDescentOptimizer,
    MomentumOptimizer,
    Optimizer,
    RMSPropOptimizer,
    get_global_step,
    get_or_create_global_step,
)
from .saver import Saver, export_meta_graph, import_meta_graph

__all__ = [
    "AdagradOptimizer",
    "AdamOptimizer",
    "CheckpointState",
    "GradientDescentOptimizer",
    "MomentumOptimizer",
    "Optimizer",
    "RMSPropOptimizer",
    "Saver",
    "checkpoint_exists",
    "export_meta_graph",
    "get_checkpoint_state",
    "get_global_step",
    "get_or_create_global_step",
    "import_meta_graph",
    "latest_checkpoint",
]
