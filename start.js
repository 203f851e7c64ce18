// Runs before any WebAssembly loads: says what an old browser lacks, else starts the page. The build adds this file to
// the document with the names of the page's two files.

const script = document.querySelector("script[data-js][data-wasm]");

// As in src/page/theme.rs, but before the first paint.
function applyTheme() {
  try {
    const media = { light: "not all", dark: "all" }[localStorage.getItem("peargpt:theme")];
    if (media) document.getElementById("dark").media = media;
  } catch (error) {
    // Storage may be forbidden; then the system decides.
  }
}

// A module whose one function makes a v128 out of an i32 and counts its bits: (i8x16.popcnt (i8x16.splat (i32.const 0)))
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

// A module whose one function makes a reference and drops it: (drop (ref.null extern))
const REFERENCES = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 7, 1, 5, 0, 208, 111, 26, 11,
]);

// As SIMD, with relaxed SIMD: (i32x4.relaxed_dot_i8x16_i7x16_add_s v v v), v being (i8x16.splat (i32.const 0))
const RELAXED_SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0,
  10, 19, 1, 17, 0, 65, 0, 253, 15, 65, 0, 253, 15, 65, 0, 253, 15, 253, 147, 2, 11,
]);

// Whether the page's policy lets WebAssembly run: browsers that do not know its 'wasm-unsafe-eval' forbid it.
function mayCompile() {
  try {
    return Boolean(new WebAssembly.Module(SIMD));
  } catch (error) {
    return false;
  }
}

// What else the programs use is older than SIMD, in each browser; tests/site/builds.rs has the list.
function lacking() {
  if (typeof WebAssembly !== "object") return "WebAssembly";
  if (!WebAssembly.validate(SIMD)) return "WebAssembly SIMD";
  if (!WebAssembly.validate(REFERENCES)) return "WebAssembly's reference types";
  if (!mayCompile()) return "WebAssembly in pages with a strict policy ('wasm-unsafe-eval')";
  if (typeof Worker !== "function") return "web workers";
  if (typeof BigInt !== "function") return "BigInt";
  return null;
}

function say(sentence) {
  const message = document.createElement("p");
  message.dataset.testid = "error";
  message.setAttribute("role", "alert");
  message.textContent = sentence;
  const main = document.createElement("main");
  main.className = "boot";
  main.append(message);
  const app = document.getElementById("app");
  app.textContent = "";
  app.append(main);
}

const meta = (name) => document.querySelector(`meta[name='peargpt:${name}']`);

// A browser without relaxed SIMD would refuse the build that has it as a whole.
function chooseWorker() {
  if (WebAssembly.validate(RELAXED_SIMD)) meta("worker").content = "worker-relaxed";
}

// The pages that compute fetch the worker's files beside the page's own; the worker then finds them in the cache.
function fetchWorkerEarly() {
  if (!/^#\/(peargpt|gpt2|model|bench)/.test(location.hash)) return;
  const [worker, version] = [meta("worker").content, meta("version").content];
  for (const file of [`${worker}.js`, `${worker}_bg.wasm`]) {
    // What fails here fails again where it is used, and is told there.
    fetch(`${file}?v=${version}`).catch(() => {});
  }
}

async function start() {
  const { default: init } = await import(new URL(script.dataset.js, document.baseURI));
  await init({ module_or_path: new URL(script.dataset.wasm, document.baseURI) });
}

applyTheme();
const missing = lacking();
if (missing) {
  say(
    `This page runs its models in the browser, and this browser lacks ${missing}. ` +
      "Please open it in Chrome or Edge 97, Firefox 89, Safari 16.4, or newer.",
  );
} else {
  chooseWorker();
  fetchWorkerEarly();
  start().catch((error) => {
    console.error(error);
    say(`The page could not be started (${error.message}). Load it again; if that does not help, try a newer browser.`);
  });
}
