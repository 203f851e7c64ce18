//! The page's program; the whole of it is in [`peargpt::page`].

#[cfg(target_arch = "wasm32")]
fn main() {
    peargpt::page::start();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This program runs in a browser: build the site with `cargo xtask serve`.");
    std::process::exit(2);
}
