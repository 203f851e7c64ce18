//! A Hugging Face GPT-2: `model.safetensors` with `config.json`, `vocab.json` and `merges.txt` beside it.

pub(super) mod config;
pub(super) mod header;
pub(super) mod names;
