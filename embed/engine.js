// The engine in its worker, as promises: it opens a model, and answers one request after another.

import { Bridge, Programs, compile, engineProgram, fileBeside, unpack } from "./programs.js";
import { PearGptError, fetchFile, here, isRefused, policyError, watchPolicy } from "./errors.js";

// An empty module.
const EMPTY = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);

// Whether the page's policy lets WebAssembly run: browsers that do not know its 'wasm-unsafe-eval' forbid it.
function mayCompile() {
  try {
    return Boolean(new WebAssembly.Module(EMPTY));
  } catch (error) {
    return false;
  }
}

const OLD = "It needs Chrome or Edge 97, Firefox 89, Safari 16.4, or newer.";

// Why a program does not run, as an error that says what to do.
async function whyNot(error) {
  if (error instanceof PearGptError) return error;
  if (!mayCompile()) return policyError("run WebAssembly", ["script-src 'wasm-unsafe-eval'"]);
  if (await isRefused(["worker-src", "child-src", "script-src", "script-src-elem", "default-src"], "blob")) {
    return policyError("start a worker", ["worker-src blob:"]);
  }
  return new PearGptError("crashed", `The engine crashed (${error.message}). Ask again: it starts anew.`);
}

// A worker's error is an event, or what its panic says.
const causeOf = (error, { message }) => (error instanceof Error ? error : new Error(message));

// Of a message that may be a part of a sentence.
const sentence = (message) => `${message[0].toUpperCase()}${message.slice(1).replace(/\.$/, "")}.`;

const MOVED = "Where a bundler has moved the module, copy the files of its folder, and name that folder as `assets`.";

async function fetchProgram(url) {
  try {
    return await fetchFile(url);
  } catch (error) {
    throw error.code === "not-found" ? new PearGptError("assets", `${url.href} is not there. ${MOVED}`) : error;
  }
}

// A file of a program that is used in this way; what came instead of it is named.
async function program(url, use) {
  const answer = await fetchProgram(url);
  try {
    return await use(answer);
  } catch (error) {
    if (!mayCompile()) throw policyError("run WebAssembly", ["script-src 'wasm-unsafe-eval'"]);
    const is = (answer.headers.get("Content-Type") || "").includes("html") ? "a page" : "another file";
    throw new PearGptError(
      "assets",
      `${url.href} cannot be run (${error.message}): the server sent ${is}, or this browser is too old. ${OLD} ${MOVED}`,
    );
  }
}

const isScript = async (answer) => {
  const script = await answer.text();
  if (!script.includes("wasm_bindgen")) throw new Error("it is no program of the engine");
  return script;
};

const isMissing = (name) => typeof globalThis[name] === "undefined";

function lacking() {
  const name = ["WebAssembly", "Worker", "BigInt", "ReadableStream"].find(isMissing);
  if (name) throw new PearGptError("unsupported", `This browser lacks ${name}. ${OLD}`);
}

/** The address of a folder, absolute and with a slash at its end. */
export function folder(assets) {
  try {
    return new URL(String(assets).replace(/\/?$/, "/"), here());
  } catch (error) {
    throw new PearGptError("bad-url", `assets takes the address of a folder, found ${JSON.stringify(assets)}.`);
  }
}

// By where their files lie, so that those of several models are loaded once.
const programs = new Map();

/** The programs whose files lie beside the module, or in the folder `assets`. */
export function programsOf(assets) {
  lacking();
  watchPolicy();
  const at = assets === undefined ? "" : folder(assets).href;
  if (!programs.has(at)) {
    const url = (name) => (at ? new URL(name, at) : new URL(fileBeside(name)));
    const get = (name, use) => program(url(name), use === compile ? compile : isScript);
    programs.set(at, new Programs(get));
  }
  return programs.get(at);
}

// Milliseconds that the page waits for an answer which tells why.
const PROBE_MS = 5000;

// Why there is no model, as an error. A worker hears neither of a policy nor of CORS, so the page asks for the file that
// the message names.
async function whyNone({ load }, message) {
  if (!load) return new PearGptError("bad-model", message);
  const part = load.entry.parts.find(({ url }) => message.includes(url));
  const probe = new AbortController();
  // What has stalled may do so again.
  setTimeout(() => probe.abort(), PROBE_MS);
  try {
    if (part) await fetchFile(new URL(part.url, load.catalog_url), probe.signal);
  } catch (error) {
    if (["policy", "cors", "not-found"].includes(error.code)) return error;
  }
  probe.abort();
  return new PearGptError("network", message);
}

const NO_ANSWERS = { model: null, heads: null, alphabet: null, as_they_are: null };

// What was measured on this device, by a model's shape: how fast so many threads are.
const measured = new Map();

/** One worker with one model. Requests wait for their turn; a model is opened again where the worker has crashed. */
export class Engine {
  constructor(programs, threads, onprogress) {
    this.programs = programs;
    this.threads = threads;
    this.onprogress = onprogress;
    this.bridge = new Bridge(() => this.start(), (...message) => this.hear(...message));
    // Those who wait for an answer, by the request's number.
    this.asked = new Map();
    this.number = 0;
    this.turns = Promise.resolve();
    // Who waits for the model, and for the converter.
    this.opening = null;
    this.converter = null;
    // The model, once somebody wanted it.
    this.having = null;
    // Whose text the worker has, and whether it can go on behind the last token that was sent.
    this.writer = null;
    this.reader = null;
    this.users = 0;
    this.isDestroyed = false;
  }

  async start() {
    lacking();
    return this.programs.start(engineProgram());
  }

  hear(event, files, error) {
    const [name, value] = unpack(event);
    if (name === "Panicked") return this.fail(causeOf(error, value));
    if (name === "Measured") return measured.set(value.shape, value);
    const task = name === "Failed" ? value.task : null;
    const number = task && typeof task === "object" ? task.Run : value.run;
    if (number !== undefined && number !== null) return this.answer(number, name, value);
    if (this.opening) this.opening.hear(name, value);
  }

  answer(number, name, value) {
    const waiting = this.asked.get(number);
    if (!waiting) return;
    if (name === "Failed") waiting.reject(new PearGptError("failed", sentence(value.message)));
    else waiting.hear(name, value);
  }

  // The worker is gone, and with it the model.
  async fail(error) {
    const lost = [...this.asked.values(), ...(this.opening ? [this.opening] : [])];
    this.asked.clear();
    [this.opening, this.having, this.writer, this.reader] = [null, null, null, null];
    const told = await whyNot(error);
    lost.forEach(({ reject }) => reject(told));
  }

  /**
   * Sends a request. `hear(name, value)` gets the events of its number; the answer is the first result of it that is not
   * undefined.
   */
  ask(name, fields, hear) {
    this.number += 1;
    const number = this.number;
    const answered = new Promise((resolve, reject) => {
      this.check();
      const take = (name, value) => {
        try {
          const result = hear(name, value);
          if (result !== undefined) resolve(result);
        } catch (error) {
          reject(error);
        }
      };
      this.asked.set(number, { hear: take, reject });
      this.bridge.post({ [name]: { run: number, ...fields } });
    });
    const forget = () => this.asked.delete(number);
    answered.then(forget, forget);
    return answered;
  }

  /** Tells the worker something that it does not answer, if there is one. */
  notify(request) {
    if (this.bridge.isOpen) this.bridge.post(request);
  }

  /** Ends the run that is being written. */
  stop() {
    this.notify("Stop");
  }

  /** Does something with the open model once all before it is done, unless it is no longer wanted then. */
  turn(isWanted, act) {
    const done = this.turns.then(async () => {
      if (!isWanted()) return undefined;
      this.check();
      await this.have();
      return isWanted() ? act() : undefined;
    });
    this.turns = done.catch(() => {});
    return done;
  }

  check() {
    if (this.isDestroyed) throw new PearGptError("destroyed", "This model was destroyed. Load it again.");
  }

  /** Has the model open. */
  async have() {
    this.check();
    if (!this.having) {
      const having = this.open();
      this.having = having;
      // After a crash another may wait for it already.
      having.catch(() => {
        if (this.having === having) this.having = null;
      });
    }
    return this.having;
  }

  // What the engine cannot open, or finds gone after a crash, the converter makes of the files that were given.
  async open() {
    this.check();
    const { source } = this;
    const { file, given } = source;
    try {
      if (file || !given) return await this.opened(source);
    } catch (error) {
      if (!given || error.code !== "bad-model") throw error;
    }
    return this.convert("Import", { run: 1, names: given.names, answers: NO_ANSWERS }, given.files, (made) => {
      this.source = { given, ...made };
      return this.opened(this.source);
    });
  }

  // Posts what opens the model, and waits for it.
  opened(source) {
    const threads = { exactly: this.threads || null, measured: [...measured.values()] };
    return new Promise((resolve, reject) => {
      const end = (settle, value) => {
        if (this.opening === opening) this.opening = null;
        settle(value);
      };
      const hear = (name, value) => {
        if (name === "Loaded") end(resolve, value);
        else if (name === "Failed" && value.task === "Load") whyNone(source, value.message).then((told) => end(reject, told));
        else if (name === "ToFetch") end(resolve, this.fetched(source));
        else if (name === "Paused" || name === "Cancelled") end(reject, new PearGptError("failed", "The download ended."));
        else this.tell(name, value);
      };
      const opening = { hear, reject: (error) => end(reject, error) };
      this.opening = opening;
      if (source.file) this.bridge.post({ Open: { run: null, file: source.file, threads } }, [source.blob]);
      else this.bridge.post({ Load: { ...source.load, threads } });
    });
  }

  // A model of the hub, converted while it arrives.
  async fetched({ load }) {
    const made = await this.convert("Fetch", load, [], (made) => made);
    if (made.blob) this.source = made;
    return this.open();
  }

  /**
   * Has the converter make a GGUF, and resolves to what `use` makes of it. The converter ends after that: until then what it
   * has put into storage is not swept away.
   */
  async convert(name, fields, files, use) {
    this.check();
    const made = new Promise((resolve, reject) => {
      const hear = (event, files, error) => {
        const [name, value] = unpack(event);
        if (name === "Converted" || name === "Fetched") resolve({ file: value.file, blob: files[0] });
        else if (name === "Failed") whyNone(this.source, value.message).then(reject);
        else if (name === "Panicked") whyNot(causeOf(error, value)).then(reject);
        else this.tell(name, value);
      };
      const bridge = new Bridge(() => this.programs.start("converter"), hear);
      const end = (error) => {
        bridge.close();
        reject(error);
      };
      this.converter = { bridge, reject: end };
      bridge.post({ [name]: fields }, files);
    });
    const { converter } = this;
    try {
      return await use(await made);
    } finally {
      converter.bridge.close();
      if (this.converter === converter) this.converter = null;
    }
  }

  // How far it is, for those who listen.
  tell(name, value) {
    const { received = 0, total = 0, done, all, reason } = value;
    const told = {
      Waiting: () => ({ state: "waiting", received: 0, total: 0 }),
      Downloading: () => ({ state: "downloading", received, total }),
      Importing: () => ({ state: "converting", received: done, total: all }),
      Retrying: () => ({ state: "retrying", received: 0, total: 0, message: reason }),
      Opening: () => ({ state: "opening", received: 0, total: 0 }),
    }[name];
    if (told && this.onprogress) this.onprogress(told());
  }

  /** Ends the worker, and all that waits for it. */
  destroy(error) {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    this.bridge.close();
    const reason = error || new PearGptError("destroyed", "The model was destroyed while it worked.");
    const lost = [...this.asked.values(), this.opening, this.converter];
    this.asked.clear();
    lost.forEach((waiting) => waiting && waiting.reject(reason));
  }
}

