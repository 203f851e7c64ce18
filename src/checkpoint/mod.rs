//! From a file to configuration, tokenizer and weights.
