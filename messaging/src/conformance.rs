//! The suite that every adapter of `ChatBackend` passes.
