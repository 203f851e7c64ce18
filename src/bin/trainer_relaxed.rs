//! The program of the trainer's worker, for browsers with relaxed SIMD; other browsers refuse to compile it.
//! `embed/programs.js` chooses between this one and `trainer.rs`.

#[cfg(target_arch = "wasm32")]
fn main() {
    peargpt::kernels::use_relaxed_simd();
    peargpt::kernels::product::select(peargpt::kernels::product::relaxed());
    peargpt::worker::trainer::start();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This program runs in a Web Worker: build the site with `cargo xtask serve`.");
    std::process::exit(2);
}
