"""`tf.compat`: TensorFlow 1's names under the path that TensorFlow 2 programs import them by."""
