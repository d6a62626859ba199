"""TF1's functions: each records a call and registers the builder that makes its nodes.  No classes, no gradient rules."""
