//! The program of the trainer's worker, for every browser with WebAssembly SIMD. Trunk builds it; all of its code is in
//! [`peargpt::worker::trainer`].

#[cfg(target_arch = "wasm32")]
fn main() {
    peargpt::worker::trainer::start();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This program runs in a Web Worker: build the site with `cargo xtask serve`.");
    std::process::exit(2);
}
