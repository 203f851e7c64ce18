//! Arrows between modules point one way: no module imports one that imports it, directly or through others.
//!
//! Reads every `crate::` and `super::` path outside comments and tests. What `mod.rs` re-exports belongs to the module
//! that it comes from. A folder's modules are held against each other at every level.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

mod common;

/// A module's path below `src`, without its own name for `mod.rs`.
type Module = Vec<String>;

struct Source {
    module: Module,
    code: String,
}

fn sources(folder: &Path, module: &Module, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let inner = || module.iter().cloned().chain([name.clone()]).collect();
        if path.is_dir() {
            sources(&path, &inner(), found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_left_out(module, &name) {
            let module = if name == "mod" { module.clone() } else { inner() };
            found.push(Source { module, code: without_comments(&std::fs::read_to_string(&path).unwrap()) });
        }
    }
}

/// The crate's root, its programs, and what only tests use.
fn is_left_out(module: &Module, name: &str) -> bool {
    let is_root = module.is_empty() && name == "lib";
    is_root || name == "tests" || name == "testing" || module.first().is_some_and(|first| first == "bin")
}

/// The code up to its unit tests, which stand last.
fn without_comments(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]\n").next().unwrap();
    code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Every path of a piece of code that begins so, up to its first name in small letters or its list of names.
fn paths<'a>(code: &'a str, beginning: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(beginning) {
        let is_whole = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        if is_whole {
            found.push(&code[at + beginning.len()..]);
        }
    }
    found
}

/// The names that stand directly behind a path: `a` of `a::b`, or `a` and `c` of `{a::b, c}`.
fn names(rest: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(list) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let (mut depth, mut names, mut item) = (0, Vec::new(), String::new());
    for character in list.chars() {
        match character {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(std::mem::take(&mut item)),
            _ if depth == 0 => item.push(character),
            _ => {}
        }
    }
    names.push(item);
    names.iter().map(|item| word(item.trim())).filter(|name| !name.is_empty()).collect()
}

struct House {
    modules: BTreeSet<Module>,
    /// Of each `mod.rs` the names that it re-exports, and the module below that they come from.
    exported: BTreeMap<(Module, String), Module>,
}

impl House {
    fn new(sources: &[Source]) -> House {
        let modules: BTreeSet<Module> = sources.iter().map(|source| source.module.clone()).collect();
        let mut exported = BTreeMap::new();
        for Source { module, code } in sources {
            for statement in code.split(';').filter_map(|statement| statement.split("use ").nth(1)) {
                let Some((first, rest)) = statement.trim().split_once("::") else { continue };
                let below: Module = module.iter().cloned().chain([first.to_string()]).collect();
                if modules.contains(&below) {
                    names(rest)
                        .into_iter()
                        .for_each(|name| drop(exported.insert((module.clone(), name), below.clone())));
                }
            }
        }
        House { modules, exported }
    }

    /// The module that `name` in `base` is, or comes from.
    fn resolve(&self, base: &Module, name: &str) -> Module {
        let below: Module = base.iter().cloned().chain([name.to_string()]).collect();
        if self.modules.contains(&below) || self.modules.iter().any(|module| module.starts_with(&below)) {
            return below;
        }
        self.exported.get(&(base.clone(), name.to_string())).unwrap_or(base).clone()
    }

    /// The modules that a source names.
    fn imports(&self, Source { module, code }: &Source) -> Vec<Module> {
        let absolute = paths(code, "crate::").into_iter().map(|rest| (Vec::new(), rest));
        let relative = paths(code, "super::").into_iter().map(|rest| {
            let (mut base, mut rest) = (module[..module.len().saturating_sub(1)].to_vec(), rest);
            while let Some(further) = rest.strip_prefix("super::") {
                base.pop();
                rest = further;
            }
            (base, rest)
        });
        let all = absolute.chain(relative);
        all.flat_map(|(base, rest)| names(rest).into_iter().map(move |name| (base.clone(), name)))
            .map(|(base, name)| self.resolve(&base, &name))
            .collect()
    }
}

/// Where two modules part: the folder that holds both, and the entry of each in it.
fn entries(from: &Module, to: &Module) -> Option<(Module, String, String)> {
    let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
    Some((from[..shared].to_vec(), from.get(shared)?.clone(), to.get(shared)?.clone()))
}

/// A way from `from` to `to` along the arrows.
fn way(
    arrows: &BTreeMap<String, BTreeSet<String>>,
    from: &str,
    to: &str,
    seen: &mut BTreeSet<String>,
) -> Option<String> {
    for next in arrows.get(from).into_iter().flatten() {
        if next == to {
            return Some(format!("{from} → {to}"));
        }
        if seen.insert(next.clone())
            && let Some(rest) = way(arrows, next, to, seen)
        {
            return Some(format!("{from} → {rest}"));
        }
    }
    None
}

/// Every circle, each entry's shortest found.
fn circles(sources: &[Source]) -> Vec<String> {
    let house = House::new(sources);
    let mut folders: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for source in sources {
        for (folder, from, to) in house.imports(source).iter().filter_map(|to| entries(&source.module, to)) {
            folders.entry(folder).or_default().entry(from).or_default().insert(to);
        }
    }
    let mut found = Vec::new();
    for (folder, arrows) in folders {
        for entry in arrows.keys() {
            if let Some(way) = way(&arrows, entry, entry, &mut BTreeSet::new()) {
                found.push(format!("src/{}: {way}", folder.join("/")));
            }
        }
    }
    found
}

#[test]
fn no_module_imports_one_that_imports_it() {
    let mut found = Vec::new();
    sources(&common::path("src"), &Vec::new(), &mut found);
    assert!(found.len() > 150, "{} files", found.len());
    let circles = circles(&found);
    assert!(circles.is_empty(), "{} circles:\n{}", circles.len(), circles.join("\n"));
}

/// The modules of `lib.rs`, in its order.
fn floor() -> Vec<String> {
    let lib = std::fs::read_to_string(common::path("src/lib.rs")).unwrap();
    lib.lines().filter_map(|line| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_string())).collect()
}

#[test]
fn each_module_imports_only_those_that_stand_below_it_in_lib_rs() {
    let mut found = Vec::new();
    sources(&common::path("src"), &Vec::new(), &mut found);
    let (house, floor) = (House::new(&found), floor());
    let place = |module: &Module| floor.iter().position(|name| Some(name) == module.first());
    for source in &found {
        let here = place(&source.module).unwrap_or_else(|| panic!("{:?} does not stand in lib.rs", source.module));
        for to in house.imports(source) {
            let there = place(&to).unwrap_or_else(|| panic!("{:?} imports {to:?}", source.module));
            assert!(here <= there, "{:?} imports {to:?}, which stands above it", source.module);
        }
    }
}

#[test]
fn the_ground_floor_has_at_most_sixteen_entries() {
    let entries = std::fs::read_dir(common::path("src")).unwrap().count();
    assert!((10..=16).contains(&entries), "{entries} entries directly under src/");
}

#[test]
fn circles_are_found_through_lists_reexports_and_others() {
    let source = |module: &str, code: &str| Source {
        module: module.split('/').filter(|part| !part.is_empty()).map(String::from).collect(),
        code: without_comments(code),
    };
    let house = |c: &str| {
        let sources = [
            source("a", "use crate::b::{self, One};"),
            source("b", "mod inner;\npub use inner::{Two, Three as Four};"),
            source("b/inner", "use super::super::c::Five;"),
            source("c", c),
        ];
        circles(&sources)
    };
    assert_eq!(house("// use crate::a::One;\nfn f() {}\n#[cfg(test)]\nmod tests { use crate::a::One; }"), [""; 0]);
    assert_eq!(house("use crate::{a::One, d};").len(), 3);
    assert_eq!(house("fn f() -> super::b::Two { }"), ["src/: b → c → b", "src/: c → b → c"]);
    let siblings = [source("k", "pub use x::X;"), source("k/x", "use super::y;"), source("k/y", "use super::X;")];
    assert_eq!(circles(&siblings), ["src/k: x → y → x", "src/k: y → x → y"]);
}
