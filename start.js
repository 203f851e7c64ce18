// Runs before any WebAssembly loads: says what an old browser lacks, else registers the service worker and starts the page.
// No file of a program is used whose hash is not the one that the document names.

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

const NEWER = "There is a newer release of this page. Reload it.";

// An error, with a button where only loading the page again helps.
function alertOf(sentence) {
  const message = document.createElement("p");
  message.dataset.testid = sentence === NEWER ? "newer-release" : "error";
  message.setAttribute("role", "alert");
  message.textContent = sentence;
  const box = document.createElement("div");
  box.className = "failure";
  box.append(message);
  if (sentence === NEWER) {
    const reload = document.createElement("button");
    reload.type = "button";
    reload.dataset.testid = "reload";
    reload.textContent = "Reload";
    reload.addEventListener("click", reloadNewer);
    box.append(reload);
  }
  return box;
}

// In the place of the page.
function say(sentence) {
  const main = document.createElement("main");
  main.className = "boot";
  const name = document.createElement("h1");
  name.className = "brand";
  name.textContent = "peargpt";
  main.append(name, alertOf(sentence));
  const app = document.getElementById("app");
  app.textContent = "";
  app.append(main);
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const meta = (name) => document.querySelector(`meta[name='peargpt:${name}']`);
const absolute = (path) => new URL(path, document.baseURI).href;

// By the name that a file has before the build adds its hash: its path and its integrity.
const files = JSON.parse(meta("files").content);

// The browser refuses an answer that is not the file of this release. It checks all of it before the first byte is used.
function fetchFile(name) {
  const [path, integrity] = files[name];
  return fetch(absolute(path), { integrity });
}

const releaseOf = (page) => {
  const element = page.querySelector("meta[name='peargpt:release']");
  return element ? element.content : undefined;
};

// The release that the server has now; nothing where it cannot be asked.
async function releaseOnServer() {
  try {
    const answer = await fetch(absolute(""), { cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return answer.ok ? releaseOf(page) : undefined;
  } catch (error) {
    return undefined;
  }
}

// Why a file of this release could not be had, as a sentence.
async function explain(path, error) {
  const release = await releaseOnServer();
  if (release === undefined) return `${path} could not be fetched (${error.message}).`;
  return release === meta("release").content ? `${path} is damaged or missing on the server.` : NEWER;
}

// Above the page, so that texts in it stay.
function sayNewer() {
  if (!document.querySelector("[data-testid=newer-release]")) document.body.prepend(alertOf(NEWER));
}

const scope = absolute("./");
const SERVICE_WORKER = absolute("service-worker.js");

// What registers service workers; nothing in browsers and frames that have none.
const container = (() => {
  try {
    return globalThis.isSecureContext && self === top ? navigator.serviceWorker : undefined;
  } catch (error) {
    return undefined;
  }
})();

// The site's service worker, once it is registered; a promise where it will be.
let registration = null;
let registered = Promise.resolve();
let isRefused = !container;

// A service worker of a folder above may answer as well.
const isOurs = () => Boolean(container && container.controller && container.controller.scriptURL === SERVICE_WORKER);
const cameFromIt = isOurs();

// Trunk's server isolates the page itself and builds a release after each change, so that nothing must be kept of it. Only
// there, on this machine, is the server asked; the service worker asks it in the same way.
async function isDevelopment() {
  if (!globalThis.crossOriginIsolated || !/^(localhost|127\.[\d.]+|\[::1\])$/.test(location.hostname)) return false;
  try {
    const answer = await fetch(absolute(""), { cache: "no-store" });
    return answer.headers.has("Cross-Origin-Embedder-Policy");
  } catch (error) {
    return false;
  }
}

async function ownRegistration() {
  const found = await container.getRegistration(scope);
  return found && found.scope === scope ? found : null;
}

async function register() {
  if (await isDevelopment()) {
    const old = await ownRegistration();
    if (old) await old.unregister();
    return;
  }
  registration = await container.register(SERVICE_WORKER, { scope, updateViaCache: "none" });
}

// Whether this tab has not yet been loaded again for the service worker; asked once.
function mayReload() {
  try {
    // The origin may hold several sites.
    const name = `peargpt:isolated:${new URL(scope).pathname}`;
    const isFirst = sessionStorage.getItem(name) === null;
    sessionStorage.setItem(name, "1");
    return isFirst;
  } catch (error) {
    return false;
  }
}

// Registers the service worker. True where the page is now loaded again, to get the service worker's headers: on the first
// visit only, never in a frame, and not after a reload with Shift, which goes past it.
async function isolates() {
  if (!container) return false;
  const isFirst = !globalThis.crossOriginIsolated && !cameFromIt && !(await ownRegistration().catch(() => true));
  const controlled = new Promise((resolve) => container.addEventListener("controllerchange", resolve, { once: true }));
  registered = register();
  registered.catch(() => {
    isRefused = true;
  });
  if (!isFirst || !mayReload()) return false;
  const isControlled = await Promise.race([registered.then(() => controlled).then(() => true, () => false), sleep(3000)]);
  if (!isControlled) return false;
  // Chromium keeps this document behind the next one, and shows it again where that is reloaded.
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
  location.reload();
  return true;
}

// Why there is no SharedArrayBuffer, which many cores need; empty where it is there.
function whyAlone() {
  if (typeof SharedArrayBuffer === "function") return "";
  if (self !== top) return "the page is inside a frame";
  if (!globalThis.isSecureContext) return "the page came over plain http";
  if (globalThis.crossOriginIsolated) return "this browser does not offer it";
  if (isRefused) return "this browser runs no service worker for this page";
  return cameFromIt ? "this browser does not isolate the page" : "the page came without its service worker; load it again";
}

// Has the service worker keep the release that the server has now.
async function keepRelease({ hasFailed } = {}) {
  await registered.catch(() => {});
  const worker = registration && (registration.active || registration.waiting || registration.installing);
  if (worker) worker.postMessage({ release: meta("release").content, hasFailed: hasFailed === true });
}

// The release that the next start will have, as the service worker says.
let nextRelease = null;

function hearOfReleases() {
  if (!container) return;
  container.addEventListener("message", ({ data }) => {
    nextRelease = data.release;
    if (nextRelease && nextRelease !== meta("release").content) sayNewer();
  });
  container.startMessages();
  // A deploy in the middle of a visit.
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && keepRelease());
  addEventListener("online", () => keepRelease());
}

// Once the service worker has the newer release, or the server gives it.
async function reloadNewer() {
  if (registration && (!nextRelease || nextRelease === meta("release").content)) {
    const told = new Promise((resolve) => container.addEventListener("message", resolve, { once: true }));
    await keepRelease();
    await Promise.race([told, sleep(10000)]);
  }
  location.reload();
}

// `use` of a file; an error is a sentence.
async function load(name, use) {
  try {
    return await use(await fetchFile(name));
  } catch (error) {
    throw new Error(await explain(files[name][0], error));
  }
}

// embed/programs.js, and the programs of this release, once they are here.
let bridges;
let programs;

async function startWorker(name) {
  try {
    return await programs.start(name);
  } catch (error) {
    if (error.message === NEWER) sayNewer();
    throw error;
  }
}

// What the site is called, and which model is its home.
let site = null;

// What the page calls, see src/page/release.rs.
globalThis.peargpt = {
  site: () => site,
  bridge: (name, report) => new bridges.Bridge(() => startWorker(name), report),
  async lookForRelease() {
    const release = await releaseOnServer();
    if (release !== undefined && release !== meta("release").content) sayNewer();
  },
  keepRelease: () => keepRelease(),
  release: () => meta("release").content,
  async sha256(text) {
    if (!globalThis.crypto || !crypto.subtle) return "";
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
    return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  },
  whyAlone,
  pathOf: (name) => (files[name] || [name])[0],
  integrityOf: (name) => (files[name] || [name, ""])[1],
};

// Of a site whose home is a model, that one's page computes too.
async function computes(described) {
  if (/^#\/(peargpt|gpt2|model|bench)/.test(location.hash)) return true;
  return /^(#\/?)?(\?|$)/.test(location.hash) && Boolean((await described).home);
}

// The pages that compute have the worker's files fetched beside the page's own.
async function loadWorkerEarly(described) {
  if (!(await computes(described))) return;
  // What fails here fails again where it is used, and is told there.
  programs.load(meta("worker").content).catch(() => {});
}

// By an element first: import() alone checks no integrity, and finds the same module under the same address.
function addScript(name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.type = "module";
    script.src = absolute(files[name][0]);
    script.integrity = files[name][1];
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error("its script did not arrive")));
    document.head.append(script);
  });
}

async function loadScript(name) {
  try {
    await addScript(name);
  } catch (error) {
    throw new Error(await explain(files[name][0], error));
  }
  return import(absolute(files[name][0]));
}

async function start(described) {
  bridges = await loadScript("programs.js");
  programs = new bridges.Programs(load);
  meta("worker").content = bridges.engineProgram();
  // What fails here is told where the page starts.
  loadWorkerEarly(described).catch(() => {});
  const module = load("page_bg.wasm", bridges.compile);
  // Told below, also where the script fails first.
  module.catch(() => {});
  const { default: init } = await loadScript("page.js");
  site = await described;
  await init({ module_or_path: await module });
}

async function begin() {
  if (await isolates()) return;
  hearOfReleases();
  const described = load("site.json", (answer) => answer.json());
  // Told where the page starts, also where something else fails first.
  described.catch(() => {});
  try {
    await start(described);
    // The others do it when their model is loaded, which fetches more than a release does.
    if (!(await computes(described))) keepRelease();
  } catch (error) {
    console.error(error);
    // What is kept may be damaged.
    keepRelease({ hasFailed: true });
    if (error.message === NEWER) return say(NEWER);
    say(`The page could not be started (${error.message}). Load it again; if that does not help, try a newer browser.`);
  }
}

applyTheme();
const missing = lacking();
if (missing) {
  say(
    `This page runs its models in the browser, and this browser lacks ${missing}. ` +
      "Please open it in Chrome or Edge 97, Firefox 89, Safari 16.4, or newer.",
  );
} else {
  begin();
}
