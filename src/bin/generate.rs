//! generate

fn main() {}
