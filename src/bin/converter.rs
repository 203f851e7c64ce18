//! The program of the converter's worker; all of its code is in [`peargpt::worker::converter`].

#[cfg(target_arch = "wasm32")]
fn main() {
    peargpt::worker::converter::start();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This program runs in a Web Worker: build the site with `cargo xtask serve`.");
    std::process::exit(2);
}
