//! Prefill, step, window policy, stop rules.
