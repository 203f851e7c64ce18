// Small GPTs in a web page:
//
//     import { load } from "./peargpt.js";
//     const gpt = await load("peargpt");
//     for await (const text of gpt.generate("ROMEO:", { words: 100, seed: 7 })) out.append(text);
//
// peargpt.d.ts describes it all.

import { Engine, folder, programsOf } from "./engine.js";
import { PearGptError, fetchFile, here, onAbort, reasonOf, throwIfAborted, watchPolicy } from "./errors.js";
import { number, settings, text } from "./options.js";

export { PearGptError };

const REASONS = {
  Words: "words",
  Tail: "tail",
  EndOfText: "end-of-text",
  Runaway: "runaway",
  Tokens: "tokens",
  Sequence: "stop",
  Stopped: "stopped",
};
const VIEWS = { token: "Token", lens: "Lens", attention: "Attention", "looked-at": "LookedAt" };

// What ends the answer before. A look at a token that there is not fails at once, and nobody hears of it.
const NO_MARKS = { Mark: { run: 0, on: false } };
const NO_LOOK = { Look: { run: 0, at: { Position: 4294967295 }, view: "Token" } };

// A ReadableStream as an async iterable, where the browser has none of these.
function iterate() {
  const reader = this.getReader();
  return {
    next: () => reader.read(),
    // Leaving the loop ends the text.
    async return(value) {
      await reader.cancel();
      reader.releaseLock();
      return { done: true, value };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

// The text as it is written, with a promise of its end.
function textStream(source, result) {
  const stream = new ReadableStream(source);
  if (!stream[Symbol.asyncIterator]) Object.defineProperty(stream, Symbol.asyncIterator, { value: iterate });
  return Object.defineProperty(stream, "result", { value: result, enumerable: true });
}

const bytesOf = (text) => new TextEncoder().encode(text).length;

const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
const statsOf = (stats) => Object.fromEntries(Object.entries(stats).map(([name, value]) => [camel(name), value]));

function modelOf(summary) {
  const { id, title, parameters, context, layers, heads, alphabet, backend, threads, sha256 } = summary;
  const vocabulary = summary.vocabulary === "Characters" ? "characters" : "byte-pairs";
  return {
    id, title, parameters, context, layers, heads, vocabulary, alphabet: alphabet || null, backend, threads, sha256,
    embedding: summary.n_embd, vocabularySize: summary.vocabulary_size, bytes: summary.weight_bytes,
  };
}

/** A model with a text. `load` makes one. */
class PearGpt {
  constructor(engine, summary) {
    this._engine = engine;
    this._summary = summary;
    this._settings = null;
    this._ids = [];
    this._text = "";
    this._runs = new Set();
    this._isDestroyed = false;
    engine.users += 1;
  }

  /** What the model is. */
  get model() {
    return modelOf(this._summary);
  }

  /** What has been written, without the prompt. */
  get text() {
    return this._text;
  }

  /** What the text began with. */
  get prompt() {
    return this._settings ? this._settings.prompt : "";
  }

  /** The seed of the text. */
  get seed() {
    return this._settings ? this._settings.seed : null;
  }

  /** The tokens that have been written. */
  get ids() {
    return [...this._ids];
  }

  /** Writes a new text. */
  generate(prompt = "", options = {}) {
    this._check();
    const made = settings(this._summary.defaults, prompt, options);
    this._know(made.prompt);
    // One that is refused leaves the text that there is.
    const begin = () => {
      [this._settings, this._ids, this._text] = [made, [], ""];
    };
    return this._write(options.signal, () => ["Generate", { settings: made }, begin]);
  }

  /** Goes on with the text. */
  continue({ words, signal } = {}) {
    this._check();
    if (words !== undefined) number("words", words);
    return this._write(signal, () => {
      if (!this._settings) throw new PearGptError("no-text", "There is no text to go on from. Call generate first.");
      const more = words === undefined ? this._summary.defaults.words : words;
      if (this._engine.writer === this) return ["Continue", { words: more }];
      const shown = bytesOf(this._text);
      return ["Resume", { settings: this._settings, ids: this._ids, shown, words: more }];
    });
  }

  // Has a text written once it is this one's turn; `request` then says what to ask for.
  _write(signal, request) {
    const engine = this._engine;
    const run = { controller: null, isOver: false, isWaiting: true, isWriting: false };
    const stop = () => run.isWriting && engine.stop();
    let settle;
    const result = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    // Who only reads the text hears of an error there.
    result.catch(() => {});
    run.end = (error) => {
      settle.reject(error);
      this._runs.delete(run);
      if (run.isOver) return;
      run.isOver = true;
      run.controller.error(error);
      stop();
    };
    let written;
    const source = {
      start(controller) {
        run.controller = controller;
      },
      cancel: () => {
        run.isOver = true;
        // What waits for its turn has nothing to end.
        if (run.isWaiting) return this._finish(run, settle);
        stop();
        return written.then(() => {}, () => {});
      },
    };
    const stream = textStream(source, result);
    this._runs.add(run);
    const forget = onAbort(signal, run.end);
    if (signal && signal.aborted) run.end(reasonOf(signal));
    written = engine.turn(() => !run.isOver, () => this._run(run, request()));
    written.then((done) => this._finish(run, settle, done), run.end).then(forget);
    return stream;
  }

  // What the worker says of a run until its end.
  async _run(run, [name, fields, begin]) {
    const engine = this._engine;
    [engine.writer, engine.reader] = [null, null];
    [run.isWaiting, run.isWriting] = [false, true];
    try {
      const done = await engine.ask(name, fields, (event, value) => {
        if (event === "Started" && begin) begin();
        if (event === "Text") this._take(run, value);
        return event === "Done" ? value : undefined;
      });
      engine.writer = this;
      return done;
    } finally {
      run.isWriting = false;
    }
  }

  _take(run, { delta, ids }) {
    for (const id of ids) this._ids.push(id);
    this._text += delta;
    if (delta && !run.isOver) run.controller.enqueue(delta);
  }

  _finish(run, { resolve }, done) {
    this._runs.delete(run);
    if (done) {
      const { reason, stats } = done;
      resolve({ text: this._text, seed: this.seed, ids: this.ids, reason: REASONS[reason], stats: statsOf(stats) });
    } else {
      // It was given up before it began.
      resolve({ text: "", seed: null, ids: [], reason: "stopped", stats: {} });
    }
    if (run.isOver) return;
    run.isOver = true;
    run.controller.close();
  }

  /** Another handle on the same model, which has this text and goes on by itself. */
  clone() {
    this._check();
    const clone = new PearGpt(this._engine, this._summary);
    [clone._settings, clone._ids, clone._text] = [this._settings, [...this._ids], this._text];
    return clone;
  }

  /** The tokens of a text. */
  async tokenize(input) {
    this._check();
    this._know(text("text", input));
    await this._engine.have();
    const { Ok, Err } = await this._engine.ask("Encode", { text: input }, (name, { ids }) => ids);
    if (Err !== undefined) throw new PearGptError("failed", `The text has no tokens: ${Err}.`);
    return Ok;
  }

  /** How well the model predicts a text. */
  evaluate(input, { signal } = {}) {
    return this._ask(signal, NO_MARKS, async (engine) => {
      this._know(text("text", input));
      await this._read({ ...this._summary.defaults, prompt: input, seed: 0 }, []);
      try {
        return await engine.ask("Mark", { on: true }, (name, { surprise, rated }) => {
          if (name === "Interrupted") return {};
          if (name !== "Marked") return undefined;
          const tokens = rated.map(([id, text, bits]) => ({ id, text, bits }));
          return { bitsPerCharacter: surprise.bits_per_character, perplexity: surprise.perplexity, tokens };
        });
      } finally {
        engine.notify(NO_MARKS);
      }
    });
  }

  /** How the token at a position of the text, the prompt's included, came to stand there. */
  explain(position, view = "token", { signal } = {}) {
    return this._ask(signal, NO_LOOK, async (engine) => {
      if (!Number.isInteger(position) || position < 0) {
        throw new PearGptError("bad-option", `position takes a whole number from 0 on, found ${position}.`);
      }
      if (!VIEWS[view]) {
        throw new PearGptError("bad-option", `view takes ${Object.keys(VIEWS).join(", ")}, found ${JSON.stringify(view)}.`);
      }
      if (!this._settings) throw new PearGptError("no-text", "There is no text to look into. Call generate first.");
      if (engine.writer !== this && engine.reader !== this) {
        await this._read(this._settings, this._ids);
        engine.reader = this;
      }
      return engine.ask("Look", { at: { Position: position }, view: VIEWS[view] }, (name, { answer }) => {
        if (name === "Interrupted") return {};
        return name === "Seen" ? Object.values(JSON.parse(answer))[0] : undefined;
      });
    });
  }

  // Something that is answered at once when it is this one's turn, and the request that ends it before.
  async _ask(signal, end, act) {
    this._check();
    throwIfAborted(signal);
    const engine = this._engine;
    let isOver = false;
    return new Promise((resolve, reject) => {
      const run = {
        end: (error) => {
          isOver = true;
          this._runs.delete(run);
          reject(error);
          // Nobody waits for the rest of it.
          if (run.isAsking) engine.notify(end);
        },
      };
      this._runs.add(run);
      const forget = onAbort(signal, run.end);
      const done = engine.turn(() => !isOver, async () => {
        run.isAsking = true;
        try {
          return await act(engine);
        } finally {
          run.isAsking = false;
        }
      });
      done.then(resolve, reject).then(() => {
        forget();
        this._runs.delete(run);
      });
    });
  }

  // Has the worker read a text without writing.
  async _read(made, ids) {
    const engine = this._engine;
    [engine.writer, engine.reader] = [null, null];
    await engine.ask("Read", { settings: made, ids }, (name) => (name === "Read" ? true : undefined));
  }

  // Characters that the model does not know are named before anything runs.
  _know(input) {
    const { alphabet, title } = this._summary;
    if (!alphabet) return;
    const known = new Set(alphabet);
    const characters = [...new Set(input)].filter((character) => !known.has(character));
    if (characters.length === 0) return;
    const named = characters.slice(0, 20).map((character) => JSON.stringify(character)).join(", ");
    const message = `${title} does not know ${named}. Leave out these characters.`;
    throw new PearGptError("unknown-characters", message, { characters });
  }

  _check() {
    if (this._isDestroyed) throw new PearGptError("destroyed", "This handle was destroyed. Load the model again.");
    this._engine.check();
  }

  /** Ends what this handle does. The worker ends with the last handle on its model. */
  destroy() {
    if (this._isDestroyed) return;
    this._isDestroyed = true;
    const error = new PearGptError("destroyed", "This handle was destroyed while it worked.");
    [...this._runs].forEach((run) => run.end(error));
    this._engine.users -= 1;
    if (this._engine.users === 0) this._engine.destroy(error);
  }
}

if (Symbol.dispose) {
  PearGpt.prototype[Symbol.dispose] = PearGpt.prototype.destroy;
}

// Where the catalog lies beside this module. A bundler must not take it for a file of its own: what the catalog names would
// be missing there.
const CATALOG = "./weights/catalog.json";
const BESIDE = import.meta.url;

async function entryOf(id, assets, signal) {
  const url = new URL(CATALOG, assets === undefined ? BESIDE : folder(assets));
  let catalog;
  try {
    catalog = await (await fetchFile(url, signal)).json();
  } catch (error) {
    throwIfAborted(signal);
    // A bundler may leave the module without its folder, at an address that is no server's.
    const obstacles = url.protocol.startsWith("http") ? ["policy", "cors", "network"] : ["policy", "cors"];
    if (obstacles.includes(error.code)) throw error;
    throw new PearGptError(
      "unknown-model",
      `"${id}" was looked for in ${url.href}, which is no catalog of models. Import the model from "peargpt/weights", or ` +
        "pass the address of a GGUF, or the folder with weights/ as `assets`.",
    );
  }
  const entry = catalog.find((entry) => entry.id === id);
  if (entry) return { entry, catalog_url: url.href };
  const known = catalog.map((entry) => entry.id).join(", ");
  throw new PearGptError(
    "unknown-model",
    `There is no model "${id}"; there are: ${known}. For a file of yours pass its address, such as "./${id}.gguf".`,
    { known: catalog.map((entry) => entry.id) },
  );
}

// After some tries a download fails, and does not wait for the network for ever.
const POLICY = { again_ms: 0 };

const loadOf = ({ entry, catalog_url }) => ({ load: { entry, catalog_url, policy: POLICY, consent: true } });

// The bytes of an answer, as they come.
async function bytes(url, signal, tell) {
  const answer = await fetchFile(url, signal);
  const total = Number(answer.headers.get("Content-Length")) || 0;
  const reader = answer.body.getReader();
  const chunks = [];
  let received = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return new Blob(chunks);
      chunks.push(value);
      received += value.length;
      // Of what comes compressed the length is another.
      tell({ state: "downloading", received, total: received > total ? 0 : total });
    }
  } catch (error) {
    throwIfAborted(signal);
    throw new PearGptError("network", `${url.href} arrived in part only (${error.message}). Try again.`);
  }
}

function nameOf({ pathname }) {
  const name = pathname.split("/").pop() || "model";
  try {
    return decodeURIComponent(name);
  } catch (error) {
    return name;
  }
}

const titleOf = (name) => name.split("/").pop().replace(/\.\w+$/, "") || name;

const ggufOf = (blob, name) => ({
  file: { id: "", title: titleOf(name), bytes: blob.size, sha256: "", checksums: [], location: "Message" },
  blob,
});

async function isGguf(blob) {
  const bytes = new Uint8Array(await blob.slice(0, 4).arrayBuffer());
  return String.fromCharCode(...bytes) === "GGUF";
}

// The address, if it is one; an id has none of these characters.
function urlOf(what) {
  if (typeof what === "string" && !/[/.:]/.test(what)) return null;
  try {
    return new URL(what, here());
  } catch (error) {
    throw new PearGptError("bad-url", `"${what}" is no address. Pass a catalog's id, the address of a GGUF, or a File.`);
  }
}

// Files with their names. A GGUF is opened as it is.
async function filesOf(files) {
  if (files.length === 0) throw new PearGptError("bad-model", "load was given no file.");
  const given = { names: files.map(([, name]) => name), files: files.map(([blob]) => blob) };
  const [[blob, name]] = files;
  return files.length === 1 && (await isGguf(blob)) ? { ...ggufOf(blob, name), given } : { given };
}

// What the engine is to open: what a catalog names, or files.
async function sourceOf(what, { assets, signal, onprogress }) {
  if (what instanceof Blob) return filesOf([[what, what.name || "The file"]]);
  if (Array.isArray(what) || (typeof FileList === "function" && what instanceof FileList)) {
    return filesOf([...what].map((file) => [file, file.webkitRelativePath || file.name]));
  }
  if (what && Array.isArray(what.parts)) return loadOf({ entry: what, catalog_url: here() });
  if (typeof what !== "string" && !(what instanceof URL)) {
    throw new PearGptError("bad-option", "load takes a catalog's id, the address of a GGUF, a File, or a list of Files.");
  }
  const url = urlOf(what);
  if (!url) return loadOf(await entryOf(what, assets, signal));
  const blob = await bytes(url, signal, (progress) => onprogress && onprogress(progress));
  return filesOf([[blob, nameOf(url)]]);
}

/** Loads a model: a catalog's id, the address of a GGUF, a File, or what "peargpt/weights" exports. */
export async function load(what, options = {}) {
  const { signal, onprogress, threads, assets } = options;
  throwIfAborted(signal);
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= 8)) {
    throw new PearGptError("bad-option", `threads takes a whole number from 1 to 8, found ${threads}.`);
  }
  watchPolicy();
  const engine = new Engine(programsOf(assets), threads, onprogress);
  let forget;
  const aborted = new Promise((_, reject) => {
    forget = onAbort(signal, (reason) => {
      engine.destroy(reason);
      reject(reason);
    });
  });
  aborted.catch(() => {});
  try {
    if (onprogress) onprogress({ state: "starting", received: 0, total: 0 });
    // The program comes beside the weights.
    engine.bridge.open();
    const opened = sourceOf(what, options).then((source) => {
      engine.source = source;
      return engine.have();
    });
    const summary = await Promise.race([opened, aborted]);
    if (onprogress) onprogress({ state: "ready", received: summary.weight_bytes, total: summary.weight_bytes });
    return new PearGpt(engine, summary);
  } catch (error) {
    engine.destroy(error);
    throw error;
  } finally {
    forget();
  }
}
