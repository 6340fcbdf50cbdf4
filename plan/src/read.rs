//! From the YAML tree to the model.
