//! The program of the Web Worker, for every browser with WebAssembly SIMD; built by Trunk. The whole of it is in
//! [`peargpt::worker::engine`].

#[cfg(target_arch = "wasm32")]
fn main() {
    peargpt::worker::engine::start();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This program runs in a Web Worker: build the site with `cargo xtask serve`.");
    std::process::exit(2);
}
