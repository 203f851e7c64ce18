//! The GPT-2 block stack.
