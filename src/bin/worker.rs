//! The program of the Web Worker; built by Trunk.

#[cfg(target_arch = "wasm32")]
fn main() {
    wasm_bindgen_futures::spawn_local(async {
        if let Err(error) = peargpt::worker::serve().await {
            wasm_bindgen::throw_val(error); // reaches the page as the worker's `error` event
        }
    });
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This program runs in a Web Worker: build the site with `cargo xtask serve`.");
    std::process::exit(2);
}
