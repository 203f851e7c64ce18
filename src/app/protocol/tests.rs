//! What one side writes, the other reads.

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{Event, Request, StoredRun, TrainEvent, TrainRequest, TransferPolicy};
use crate::wire::{Read, Value, read};

impl Value for Json {
    fn nothing() -> Self {
        Json::Null
    }

    fn is_nothing(&self) -> bool {
        self.is_null()
    }

    fn number(&self) -> Option<f64> {
        self.as_f64()
    }

    fn text(&self) -> Option<String> {
        self.as_str().map(str::to_string)
    }

    fn flag(&self) -> Option<bool> {
        self.as_bool()
    }

    fn items(&self) -> Option<Vec<Self>> {
        self.as_array().cloned()
    }

    fn field(&self, name: &str) -> Self {
        self.get(name).cloned().unwrap_or_default()
    }

    fn only_field(&self) -> Option<(String, Self)> {
        let (name, value) = self.as_object()?.iter().next()?;
        Some((name.clone(), value.clone()))
    }
}

/// Reads a value, and holds what was read, as serde writes it, against the value.
fn comes_back<T: Read + Serialize>(value: Json) {
    let read: T = read(&value).unwrap_or_else(|problem| panic!("{problem} in {value}"));
    assert_eq!(serde_json::to_value(&read).unwrap(), value);
}

#[test]
fn events_are_read_as_they_are_written() {
    let stats = json!({
        "tokens": 1, "words": 2, "tokens_per_second": 3.5, "first_token_ms": null, "prefilled": 4, "forwarded_rows": 5,
        "window_crossings": 6, "wasm_memory_bytes": 7_000_000_000u64,
    });
    let summary = json!({
        "id": "peargpt", "title": "pearGPT", "parameters": 9_967_040, "weight_bytes": 1, "sha256": "ab", "context": 256, "layers": 8,
        "heads": 5, "n_embd": 320, "vocabulary_size": 65, "vocabulary": "Characters", "alphabet": "\n é", "can_be_verified": false,
        "gguf_notes": ["one"], "huggingface_notes": [], "load_ms": 0.5, "backend": "SIMD", "shape": "8x320", "threads": 2, "defaults": null,
    });
    let file = json!({
        "id": "a", "title": "b", "bytes": 9, "sha256": "c", "checksums": ["ffffffffffffffff", "0000000000000001"],
        "location": { "Unkept": "name" },
    });
    let check = json!({
        "prompt": "p", "tokens_equal": true, "expected_top1": 1, "found_top1": { "id": 1, "text": "t" }, "shared_top10": 9,
        "largest_difference": 0.5, "tolerance": 0.25, "problems": [], "passed": true,
    });
    let greedy = json!({ "prompt": "p", "expected": "e", "found": "f", "required": true });
    let bench = json!({
        "model": "m", "parameters": 1, "weight_bytes": 2, "backend": "b", "threads": 1, "load_ms": 1.5, "prefill_tokens": 64,
        "prefill_ms": 2.5, "decode_tokens": 128, "decode_tokens_per_second": 3.5, "decode_ms_p50": 4.5, "decode_ms_p95": 5.5,
        "decode_start_ms": 6.5, "read_gb_per_second": 7.5, "wasm_memory_bytes": 8, "user_agent": "u",
    });
    let place = json!({ "position": 3, "tokens": 9, "bytes": [4, 5], "bounds": [0, 1, 5] });
    let stored = json!({
        "models": [{ "id": "a", "title": null, "bytes": 1, "modified_ms": 1.5 }], "usage": 2, "quota": null, "obstacle": "none",
    });
    let events = [
        json!({ "Ready": { "backend": null } }),
        json!({ "Asking": { "host": "h", "received": 1, "total": 2 } }),
        json!({ "ToFetch": { "id": "gpt2" } }),
        json!("Waiting"),
        json!({ "Downloading": { "received": 1, "total": 2, "bytes_per_second": 3.5 } }),
        json!({ "Paused": { "received": 1, "total": 2 } }),
        json!("Cancelled"),
        json!({ "Notice": "n" }),
        json!({ "Stored": stored }),
        json!({ "Retrying": { "reason": "r", "delay_ms": 1 } }),
        json!("Opening"),
        json!({ "Measured": { "shape": "s", "ms": [[1, 0.5], [2, 0.25]] } }),
        json!({ "Loaded": summary }),
        json!("NotHere"),
        json!({ "Inspected": { "run": 1, "finding": { "Ready": { "name": "n", "facts": [["a", "b"]], "as_they_are": true } } } }),
        json!({ "Inspected": { "run": 1, "finding": { "Failed": "f" } } }),
        json!({ "Inspected": { "run": 1, "finding": { "Needs": [
            { "sentence": "s", "asks": "File" },
            { "sentence": "s", "asks": { "Model": { "models": ["m"] } } },
            { "sentence": "s", "asks": { "Heads": { "proposed": 4 } } },
            { "sentence": "s", "asks": { "Alphabet": { "proposed": null } } },
        ] } } }),
        json!({ "Importing": { "run": 1, "done": 2, "all": 3 } }),
        json!({ "Runs": { "run": 1, "file": file } }),
        json!({ "Converted": { "run": 1, "file": file } }),
        json!({ "Fetched": { "file": file } }),
        json!({ "Kept": { "file": null } }),
        json!({ "Imported": { "run": 1, "summary": summary } }),
        json!({ "Started": { "run": 1, "prompt_tokens": 2, "read_tokens": 3 } }),
        json!({ "Text": { "run": 1, "delta": "é", "ids": [1, 2], "marks": [{ "bytes": 2, "level": 4 }], "stats": stats } }),
        json!({ "Read": { "run": 1 } }),
        json!({ "Forked": { "run": 1, "kept": 2, "text": "t", "is_continued": true } }),
        json!({ "Seen": { "run": 1, "place": place, "answer": "{}" } }),
        json!({ "Looking": { "run": 1, "done": 2, "total": 3 } }),
        json!({ "Marked": { "run": 1, "marks": [], "surprise": { "tokens": 1, "bits_per_character": 0.5, "perplexity": 2.5 }, "rated": [] } }),
        json!({ "Encoded": { "run": 1, "ids": { "Ok": [1, 2] } } }),
        json!({ "Encoded": { "run": 1, "ids": { "Err": "e" } } }),
        json!({ "Done": { "run": 1, "reason": "EndOfText", "stats": stats } }),
        json!({ "Benched": { "run": 1, "report": bench } }),
        json!({ "Verifying": { "run": 1, "done": 2, "all": 3 } }),
        json!({ "Verified": { "run": 1, "verification": { "checks": [check], "greedy": greedy, "passed": true } } }),
        json!({ "Exporting": { "run": 1, "done": 2, "all": 3 } }),
        json!({ "Exported": { "run": 1, "url": "u", "name": "n" } }),
        json!({ "Interrupted": { "run": 1 } }),
        json!({ "Tokenized": { "number": 1, "count": 2, "tokens": [{ "id": 3, "text": "t" }] } }),
        json!({ "Failed": { "task": "Load", "message": "m" } }),
        json!({ "Failed": { "task": { "Run": 7 }, "message": "m" } }),
        json!({ "Training": { "Text": [1, { "bytes": 1, "characters": 2, "alphabet": "a", "added": "", "sha256": "s" }] } }),
        json!({ "Panicked": { "message": "m" } }),
    ];
    events.into_iter().for_each(comes_back::<Event>);
}

#[test]
fn requests_are_read_as_they_are_written() {
    let policy = json!({
        "tries": 4, "delay_ms": 1, "stall_ms": 2, "again_ms": 3, "asks": true, "checkpoint_bytes": 5,
    });
    let catalog: Json = serde_json::from_str(include_str!("../../../weights/catalog.json")).unwrap();
    let entry = &catalog[0];
    let answers = json!({ "model": null, "heads": 4, "alphabet": "ab", "as_they_are": false });
    let file = json!({ "id": "a", "title": "b", "bytes": 9, "sha256": "c", "checksums": [], "location": "Kept" });
    let threads = json!({ "exactly": 2, "measured": [{ "shape": "s", "ms": [[1, 0.5]] }] });
    let settings = json!({
        "prompt": "p", "words": 1, "tokens": null, "stop": ["s"], "seed": 2, "window": "exact",
        "sampling": { "repetition_penalty": 1.0, "temperature": 0.5, "top_k": 3, "top_p": 0.25, "min_p": 0.0 },
        "take": [{ "position": 4, "id": 5 }], "off": [{ "Head": { "layer": 6, "head": 7 } }, { "Mlp": { "layer": 8 } }],
    });
    let model = json!({ "Catalog": { "entry": entry, "catalog_url": "u", "policy": policy } });
    let requests = [
        json!({ "Load": { "entry": entry, "catalog_url": "u", "policy": policy, "consent": true, "threads": threads } }),
        json!({ "Open": { "run": null, "file": file, "threads": { "exactly": null, "measured": [] } } }),
        json!({ "Fetch": { "entry": entry, "catalog_url": "u", "policy": policy } }),
        json!("Pause"),
        json!({ "Cancel": { "id": "i" } }),
        json!({ "Discard": { "id": "i" } }),
        json!("ListStored"),
        json!({ "Inspect": { "run": 1, "names": ["n"], "answers": answers } }),
        json!({ "Import": { "run": 1, "names": [], "answers": answers } }),
        json!({ "Keep": { "title": "t", "model": { "Gguf": file } } }),
        json!({ "Rename": { "id": "i", "title": "t" } }),
        json!({ "Generate": { "run": 1, "settings": settings } }),
        json!({ "Continue": { "run": 1, "words": 2 } }),
        json!({ "Resume": { "run": 1, "settings": settings, "ids": [1, 2], "shown": 3, "words": 4 } }),
        json!({ "Fork": { "run": 1, "settings": settings } }),
        json!({ "Read": { "run": 1, "settings": settings, "ids": [] } }),
        json!({ "Look": { "run": 1, "at": { "Byte": 2 }, "view": "LookedAt" } }),
        json!({ "Look": { "run": 1, "at": "Last", "view": "Way" } }),
        json!({ "Mark": { "run": 1, "on": true } }),
        json!({ "Encode": { "run": 1, "text": "t" } }),
        json!("Stop"),
        json!({ "Bench": { "run": 1, "prompt_tokens": 2, "tokens": 3 } }),
        json!({ "Verify": { "run": 1 } }),
        json!({ "Export": { "run": 1, "format": "Gguf16", "model": model } }),
        json!({ "Publish": {
            "run": 1, "publication": { "title": "t", "sentence": "s", "prompts": ["p"], "defaults": "words=1", "others": true },
            "base": "b", "release": "r", "model": null,
        } }),
        json!("StopConverting"),
        json!({ "Tokenize": { "number": 1, "text": "t" } }),
    ];
    requests.into_iter().for_each(comes_back::<Request>);
    let train = crate::app::training::TrainSettings::default();
    let train = serde_json::to_value(train).unwrap();
    let requests = [
        json!("Look"),
        json!({ "Threads": null }),
        json!({ "Read": { "number": 1, "from": null, "seed": 2 } }),
        json!({ "Measure": { "number": 1, "settings": train } }),
        json!({ "Begin": { "settings": train, "title": "t" } }),
        json!("Model"),
    ];
    requests.into_iter().for_each(comes_back::<TrainRequest>);
}

#[test]
fn the_trainers_events_are_read_as_they_are_written() {
    let sample = json!({ "step": 1, "prompt": "p", "text": "t" });
    let curve = json!({ "csv": "c", "svg": "s" });
    let settings = serde_json::to_value(crate::app::training::TrainSettings::default()).unwrap();
    let run = json!({
        "title": "t", "settings": settings, "parameters": 1, "step": 2, "steps": 3, "curve": curve, "samples": [sample],
    });
    let progress =
        json!({ "step": 1, "loss": 2.5, "tokens_per_second": 3.5, "seconds_left": 4.5, "wasm_memory_bytes": 5 });
    let events = [
        json!({ "Stored": [{ "title": "t", "step": 1, "steps": 2 }, null] }),
        json!({ "Stored": [null, "why"] }),
        json!({ "ModelWanted": 1 }),
        json!({ "Measured": [1, { "parameters": 1, "threads": 2, "tokens_per_second": 3.5, "seconds": 4.5 }] }),
        json!({ "Failed": [null, "m"] }),
        json!({ "Begun": run }),
        json!({ "Alone": "a" }),
        json!({ "Progress": progress }),
        json!({ "Point": [curve, sample] }),
        json!({ "Saved": [1, null] }),
        json!({ "Paused": true }),
        json!({ "Evaluating": [1, 2] }),
        json!({ "Ended": { "Learned": null } }),
        json!({ "Ended": { "Learned": 1.5 } }),
        json!({ "Ended": "Stopped" }),
        json!({ "Ended": { "Diverged": ["d", 1] } }),
        json!({ "Model": "m" }),
    ];
    events.into_iter().for_each(comes_back::<TrainEvent>);
}

#[test]
fn what_is_seen_inside_is_read_as_it_is_written() {
    let chances = json!({ "repetition_penalty": 0.5, "temperature": 0.25, "top_k": 0.125, "top_p": 1.0, "min_p": 0.0 });
    let token = json!({
        "position": 1, "id": 2, "text": "t", "window_start": 0, "probability": 0.5, "rank": 1, "entropy_bits": 2.5, "chances": chances,
        "is_prompt": false, "is_taken": true, "draw": { "fraction": 0.5, "from": 0.25, "to": 0.75 },
        "alternatives": [{ "id": 3, "text": "u", "probability": 0.25, "chances": chances }],
    });
    let norms = json!({ "embedding": 1.5, "attention": [2.5], "mlp": [3.5] });
    let likely = json!({ "id": 3, "text": "u", "probability": 0.25 });
    let answers = [
        json!({ "token": token }),
        json!({ "lens": { "position": 1, "window_start": 0, "layers": [[likely]], "norms": norms } }),
        json!({ "attention": { "position": 1, "window_start": 0, "layers": [[[0.5, 0.5]]], "norms": norms } }),
        json!({ "looked_at": { "position": 1, "window_start": 0, "layers": [[[0.5]]] } }),
    ];
    answers.into_iter().for_each(comes_back::<crate::explain::Answer>);
}

#[test]
fn a_catalog_is_read_as_it_is_written() {
    let catalog: Json = serde_json::from_str(include_str!("../../../weights/catalog.json")).unwrap();
    let entries = catalog.as_array().unwrap().clone();
    assert!(!entries.is_empty());
    entries.into_iter().for_each(comes_back::<crate::app::catalog::Entry>);
}

#[test]
fn of_a_policy_what_is_not_said_is_as_by_default() {
    let policy: TransferPolicy = read(&json!({ "again_ms": 0 })).unwrap();
    assert_eq!(policy, TransferPolicy { again_ms: 0, ..TransferPolicy::default() });
}

#[test]
fn what_is_wrong_is_named() {
    let wrong = |value: Json| read::<Event, _>(&value).unwrap_err();
    assert_eq!(wrong(json!({ "Paused": { "received": "1", "total": 2 } })), "`received`: expected a number");
    assert_eq!(wrong(json!({ "Paused": { "received": 1 } })), "`total`: expected a number");
    assert_eq!(wrong(json!({ "Notice": 1 })), "expected a text");
    assert_eq!(wrong(json!({ "Kept": { "file": 1 } })), "`id`: expected a text");
    for other in [json!("Other"), json!(1), json!(null), json!({}), json!([])] {
        assert_eq!(wrong(other), "expected a variant of Event");
    }
    assert_eq!(read::<StoredRun, _>(&json!([])).unwrap_err(), "`title`: expected a text");
}
