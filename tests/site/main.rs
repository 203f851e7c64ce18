//! The whole site in a real browser, from the built `dist/`. `cargo xtask test` builds the site, installs the browser
//! and runs these; with both at hand: `cargo test --test site`.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)] // in tests, and in what they share

// What a test stands on.
mod axe;
mod browser;
mod console;
mod downloads;
mod fault;
mod model;
#[path = "../common/numbers.rs"]
mod numbers;
mod offer;
mod reader;
mod release;
mod request;
mod server;
mod subject;
mod trap;
mod weights;
mod worker;

// The tests.
mod about;
mod asks;
mod builds;
mod drops;
mod embed;
mod engines;
mod exports;
mod faults;
mod hosted;
mod hub;
mod inside;
mod isolation;
mod lasting;
mod looks;
mod memory;
mod newer;
mod offline;
mod own;
mod package;
mod phone;
mod privacy;
mod publish;
mod published;
mod replay;
mod retries;
mod sharing;
mod stops;
mod tabs;
mod team;
mod threads;
mod tokens;
mod toolbar;
mod train;
mod turns;
mod typing;
mod verify;
mod view;
mod writing;
