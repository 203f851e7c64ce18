// <pear-gpt model="peargpt" prompt="ROMEO:" words="100"></pear-gpt>: a text field, a button, and what the model writes.
//
// Attributes: `model` (a catalog's id or the address of a GGUF), `prompt`, `words`, `seed`, `temperature`, `label`,
// `assets`, `threads`. The property `model` takes whatever `load` takes. Nothing is fetched before the first press of the
// button. Elements with the same model share it.
//
// For style: the parts `form`, `label`, `prompt`, `button`, `status`, `output`, `error`, and the custom properties
// --pear-gpt-accent, --pear-gpt-on-accent, --pear-gpt-border, --pear-gpt-radius, --pear-gpt-error, --pear-gpt-font.

import { load } from "./peargpt.js";

const STYLE = `
:host {
  display: block;
  font: var(--pear-gpt-font, inherit);
}
:host([hidden]), [hidden] { display: none; }
form { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: flex-end; margin: 0; }
label { flex: 1 1 12rem; display: flex; flex-direction: column; gap: 0.25rem; min-width: 0; }
textarea, button { font: inherit; border-radius: var(--pear-gpt-radius, 0.4rem); padding: 0.5rem 0.75rem; box-sizing: border-box; }
textarea {
  width: 100%;
  resize: vertical;
  color: inherit;
  background: transparent;
  border: 1px solid var(--pear-gpt-border, rgba(128, 128, 128, 0.75));
}
button {
  min-width: 6rem;
  min-height: 2.75rem;
  border: 0;
  cursor: pointer;
  color: var(--pear-gpt-on-accent, #fff);
  background: var(--pear-gpt-accent, #33691e);
}
textarea:focus-visible, button:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
[part~="status"] { margin: 0.5rem 0 0; min-height: 1.5em; font-size: 0.9em; opacity: 0.85; }
[part~="output"] { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0.5rem 0 0; }
[part~="error"] {
  margin: 0.5rem 0 0;
  padding-left: 0.6rem;
  border-left: 3px solid currentColor;
  color: var(--pear-gpt-error, inherit);
}
`;

let sheet;

// A style sheet that a strict policy allows; old browsers get an element.
function style(root) {
  if (!("adoptedStyleSheets" in root)) {
    const element = document.createElement("style");
    element.textContent = STYLE;
    root.append(element);
    return;
  }
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
  }
  root.adoptedStyleSheets = [sheet];
}

function make(name, part, properties = {}, attributes = {}) {
  const element = Object.assign(document.createElement(name), properties);
  element.setAttribute("part", part);
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  return element;
}

// The models that elements have, each loaded once.
const shared = new Set();

// A model for one more element, and how it is given back.
function share(what, options, listen) {
  const how = JSON.stringify(options);
  let entry = [...shared].find((entry) => entry.what === what && entry.how === how);
  if (!entry) {
    entry = { what, how, users: 0, stop: new AbortController(), listeners: new Set([listen]) };
    shared.add(entry);
    const { listeners, stop } = entry;
    const onprogress = (progress) => listeners.forEach((listen) => listen(progress));
    entry.model = load(what, { ...options, onprogress, signal: stop.signal });
    entry.model.catch(() => shared.delete(entry));
  }
  entry.users += 1;
  entry.listeners.add(listen);
  const release = () => {
    entry.users -= 1;
    entry.listeners.delete(listen);
    if (entry.users > 0) return;
    shared.delete(entry);
    entry.stop.abort();
    entry.model.then((model) => model.destroy(), () => {});
  };
  return { gpt: entry.model.then((model) => model.clone()), release };
}

// In steps, since each is read out.
const percent = ({ received, total }) => (total > 0 ? ` (${10 * Math.floor((10 * received) / total)} %)` : "");

const SAYS = {
  starting: () => "Starting…",
  waiting: () => "Waiting for another tab…",
  downloading: (progress) => `Fetching the model${percent(progress)}…`,
  converting: (progress) => `Reading the model${percent(progress)}…`,
  retrying: ({ message }) => `Trying again: ${message}`,
  opening: () => "Opening the model…",
  ready: () => "Ready.",
};

function summary({ reason, seed, stats: { words, tokensPerSecond } }) {
  const runaway = reason === "runaway" ? "Stopped: the model writes hardly any spaces, so its words cannot be counted. " : "";
  return `${runaway}${words} ${words === 1 ? "word" : "words"}, ${Math.round(tokensPerSecond)} tokens/s, seed ${seed}.`;
}

// So that the module can be imported where there is no page.
const Base = typeof HTMLElement === "function" ? HTMLElement : class {};

/** The element `<pear-gpt>`. */
export class PearGptElement extends Base {
  static get observedAttributes() {
    return ["prompt", "label", "model", "assets", "threads"];
  }

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    style(root);
    this._form = make("form", "form");
    this._label = make("label", "label");
    this._name = make("span", "name", { textContent: "Prompt" });
    this._prompt = make("textarea", "prompt", { rows: 2 });
    this._button = make("button", "button", { type: "submit", textContent: "Write" });
    this._status = make("p", "status", {}, { role: "status" });
    this._output = make("div", "output", {}, { role: "log", "aria-live": "polite", "aria-label": "Text" });
    this._error = make("p", "error", { hidden: true }, { role: "alert" });
    this._label.append(this._name, this._prompt);
    this._form.append(this._label, this._button);
    root.append(this._form, this._error, this._status, this._output);
    this._form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this._stop) this.stop();
      else this.write();
    });
    this._prompt.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !this._stop) this.write();
    });
    this._model = null;
    this._shared = null;
    this._stop = null;
  }

  attributeChangedCallback(name, old, value) {
    if (name === "prompt") this._prompt.value = value || "";
    else if (name === "label") this._name.textContent = value || "Prompt";
    else if (name === "model") this.model = value;
    else if (old !== value) this._free();
  }

  // What was set before the element was defined stands on it as plain properties.
  connectedCallback() {
    for (const name of ["model", "prompt"]) {
      if (!Object.prototype.hasOwnProperty.call(this, name)) continue;
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
  }

  disconnectedCallback() {
    // One that is only moved is there again.
    queueMicrotask(() => this.isConnected || this._free());
  }

  /** What is loaded: whatever `load` takes. */
  get model() {
    return this._model || "peargpt";
  }

  set model(what) {
    if (what === this._model) return;
    this._model = what;
    this._free();
  }

  /** What stands in the text field. */
  get prompt() {
    return this._prompt.value;
  }

  set prompt(text) {
    this._prompt.value = text;
  }

  /** The text, the prompt included. */
  get text() {
    return this._output.textContent;
  }

  /** Ends the text that is being written. */
  stop() {
    if (this._stop) this._stop.abort();
  }

  /** Writes a text; resolves to what `generate` says of it, or to nothing where it was stopped or failed. */
  async write() {
    this.stop();
    const stop = new AbortController();
    this._stop = stop;
    const isCurrent = () => this._stop === stop;
    this._error.hidden = true;
    this._button.textContent = "Stop";
    this._output.setAttribute("aria-busy", "true");
    try {
      return await this._write(stop.signal, isCurrent);
    } catch (error) {
      if (stop.signal.aborted) {
        if (isCurrent()) this._say("Stopped.");
      } else {
        this._fail(error);
      }
      return undefined;
    } finally {
      if (isCurrent()) {
        this._stop = null;
        this._button.textContent = "Write";
        this._output.setAttribute("aria-busy", "false");
      }
    }
  }

  async _write(signal, isCurrent) {
    const prompt = this._prompt.value;
    const options = this._options();
    const gpt = await this._have(signal, isCurrent);
    this._say("Waiting…");
    const stream = gpt.generate(prompt, { ...options, signal });
    this._output.textContent = prompt;
    for await (const text of stream) {
      if (!isCurrent()) continue;
      this._say("Writing…");
      this._output.append(text);
    }
    const result = await stream.result;
    this._say(summary(result));
    this.dispatchEvent(new CustomEvent("done", { detail: result }));
    return result;
  }

  // What is no number is refused as it stands there.
  _number(name) {
    const text = this.getAttribute(name);
    if (text === null || text.trim() === "") return undefined;
    return Number.isNaN(Number(text)) ? text : Number(text);
  }

  _options() {
    return { words: this._number("words"), seed: this._number("seed"), temperature: this._number("temperature") };
  }

  // The model, which stays until the element is taken away.
  async _have(signal, isCurrent) {
    if (!this._shared) {
      const options = { threads: this._number("threads") };
      if (this.hasAttribute("assets")) options.assets = this.getAttribute("assets");
      const tell = (progress) => {
        if (this._stop) this._say(SAYS[progress.state](progress));
      };
      this._shared = share(this.model, options, tell);
    }
    const current = this._shared;
    const aborted = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    try {
      return await Promise.race([current.gpt, aborted]);
    } catch (error) {
      // Nobody waits for it any more, or it cannot be had; then the next press tries again. A newer text waits for it still.
      if (isCurrent() && this._shared === current) this._release();
      throw error;
    }
  }

  // Ends what goes on, and gives the model back.
  _free() {
    this.stop();
    this._release();
  }

  _release() {
    const current = this._shared;
    this._shared = null;
    if (!current) return;
    current.gpt.then((gpt) => gpt.destroy(), () => {});
    current.release();
  }

  // A text that is set again may be read out again.
  _say(text) {
    if (this._status.textContent !== text) this._status.textContent = text;
  }

  _fail(error) {
    this._error.textContent = error.message;
    this._error.hidden = false;
    this._say("");
    this.dispatchEvent(new CustomEvent("failed", { detail: error }));
  }
}

if (typeof customElements === "object" && !customElements.get("pear-gpt")) {
  customElements.define("pear-gpt", PearGptElement);
}
