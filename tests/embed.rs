//! The module for other pages takes the settings that the page takes.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test")]

use peargpt::app::settings::{Kind, PARAMETERS};
use peargpt::generation::{MOST_STOP_CHARACTERS, MOST_STOPS};

const OPTIONS: &str = include_str!("../embed/options.js");
const TYPES: &str = include_str!("../embed/peargpt.d.ts");

/// `top_k` as JavaScript has it.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap().to_string();
    words.fold(first, |all, word| all + &word[..1].to_uppercase() + &word[1..])
}

#[test]
fn options_have_the_bounds_of_the_pages_parameters() {
    let expect = |line: String| assert!(OPTIONS.contains(&line), "embed/options.js does not have `{line}`");
    for parameter in PARAMETERS.iter().filter(|parameter| parameter.name != "prompt") {
        let name = camel(parameter.name);
        assert!(TYPES.contains(&format!("  {name}?: ")), "embed/peargpt.d.ts does not have {name}");
        match parameter.kind {
            Kind::Whole { min, max, .. } => expect(format!("  {name}: [{min}, {max}, true],\n")),
            Kind::Real { min, max } => expect(format!("  {name}: [{min}, {max}, false],\n")),
            Kind::Choice(names) => expect(format!("const WINDOWS = {names:?};\n")),
            Kind::Text | Kind::Lines | Kind::List(_) => expect(format!("\"{name}\"")),
        }
    }
    expect(format!("const MOST_STOPS = {MOST_STOPS};\n"));
    expect(format!("const MOST_STOP_CHARACTERS = {MOST_STOP_CHARACTERS};\n"));
}
