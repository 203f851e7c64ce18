//! The page's program; the whole of it is in [`peargpt::page`].

#[cfg(target_arch = "wasm32")]
fn main() {
    peargpt::page::start();
}

/// Natively there is no page.
#[cfg(not(target_arch = "wasm32"))]
fn main() {}
