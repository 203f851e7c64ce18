//! The GPT-2 block stack: ids and a KV cache → logits.

pub mod config;

pub use config::Config;
