//! convert

fn main() {}
