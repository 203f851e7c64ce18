//! The program of the engine's worker, for browsers with relaxed SIMD; other browsers refuse to compile it.
//! `embed/programs.js` chooses between this one and `worker.rs`.

#[cfg(target_arch = "wasm32")]
fn main() {
    peargpt::kernels::use_relaxed_simd();
    peargpt::worker::engine::start();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This program runs in a Web Worker: build the site with `cargo xtask serve`.");
    std::process::exit(2);
}
