//! What a test puts into the worker before its program: it listens to the test there, and breaks what it is told to.

use anyhow::Result;

use crate::reader::Reader;

/// Put before the page: the worker begins with this script.
pub fn worker_that(begins: &str) -> String {
    format!(
        "const begins = `{begins}`;
         const Plain = window.Blob;
         window.Blob = class extends Plain {{
             constructor(parts, options) {{
                 const isWorker = parts?.some((part) => String(part).includes('wasm_bindgen'));
                 super(isWorker ? [begins, ...parts] : parts, options);
             }}
         }};"
    )
}

/// A worker that can be broken, see [`Reader::break_worker`].
pub fn breakable() -> String {
    worker_that(
        "
        const test = new BroadcastChannel('break');
        const nonsense = new MessageEvent('message', { data: ['nonsense', []] });
        let exported;
        for (const name of ['instantiate', 'instantiateStreaming']) {
            const plain = WebAssembly[name];
            WebAssembly[name] = async (...of) => {
                const made = await plain.apply(WebAssembly, of);
                const { exports } = made.instance ?? made;
                // Small programs are tried as well, to see what the processor does.
                if (exports.__wbindgen_export) exported = exports;
                return made;
            };
        }
        const ways = {
            // The allocator, as wasm-bindgen calls it where names are short.
            trap: () => setTimeout(() => exported.__wbindgen_export(-1, 3)),
            // Every long row of small numbers: weights, and what is computed of them.
            numbers: () => {
                const numbers = new Float32Array(exported.memory.buffer);
                for (let begin = 0, end = 0; end <= numbers.length; end += 1) {
                    const size = Math.abs(numbers[end]);
                    if (size > 1e-7 && size < 1) continue;
                    if (end - begin >= 256) numbers.fill(NaN, begin, end);
                    begin = end + 1;
                }
            },
            error: () => setTimeout(() => { throw new Error('broken on purpose'); }),
            message: () => dispatchEvent(nonsense),
        };
        test.onmessage = ({ data }) => ways[data]();",
    )
}

/// How a worker breaks.
#[derive(Clone, Copy)]
pub enum Break {
    /// The program does what it must not and is ended by the browser, as after a panic.
    Trap,
    /// What it computes with is no number any more.
    Numbers,
    /// Something throws that nobody catches.
    Error,
    /// It is asked for what it does not know, and says that it cannot go on.
    Message,
}

impl Reader {
    /// Breaks the worker of a page that was opened after [`breakable`] was put before it.
    pub async fn break_worker(&self, how: Break) -> Result<()> {
        let way = match how {
            Break::Trap => "trap",
            Break::Numbers => "numbers",
            Break::Error => "error",
            Break::Message => "message",
        };
        self.browser.script(&format!("new BroadcastChannel('break').postMessage('{way}')")).await.map(drop)
    }
}
