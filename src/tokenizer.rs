//! Text ↔ ids: GPT-2's byte-level BPE.
