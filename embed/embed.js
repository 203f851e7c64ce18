// What embed.html runs: the lines that it shows.

import { load } from "./peargpt.js";
import "./pear-gpt.js";

// As start.js does it on the site's other page.
try {
  const media = { light: "not all", dark: "all" }[localStorage.getItem("peargpt:theme")];
  if (media) document.getElementById("dark").media = media;
} catch (error) {
  // Storage may be forbidden; then the system decides.
}

const byId = (id) => document.getElementById(id);

// The lines name this site, so that they work wherever they are pasted.
document.querySelectorAll("[data-module]").forEach((span) => {
  span.textContent = new URL(span.dataset.module, document.baseURI).href;
});
document.querySelectorAll("[data-origin]").forEach((span) => {
  span.textContent = location.origin;
});

async function copy(button) {
  const code = document.querySelector(`[data-testid="${button.dataset.copy}"]`);
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch (error) {
    // Without a clipboard the lines are selected.
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
  setTimeout(() => {
    button.textContent = "Copy";
  }, 2000);
}

document.querySelectorAll("[data-copy]").forEach((button) => button.addEventListener("click", () => copy(button)));

function tell(error) {
  byId("problem").textContent = error ? error.message : "";
  byId("problem").hidden = !error;
}

const percent = ({ received, total }) => (total > 0 ? ` ${Math.floor((100 * received) / total)} %` : "");
const say = (progress) => {
  byId("status").textContent = `${progress.state}${progress.state === "downloading" ? percent(progress) : ""}`;
};

let gpt = null;
let stop = null;

async function have(signal) {
  if (!gpt) gpt = await load("peargpt", { signal, onprogress: say });
  return gpt;
}

// One at a time, so that the model is loaded once.
function setBusy(isBusy) {
  [byId("run").disabled, byId("more-run").disabled] = [isBusy, isBusy];
}

async function run() {
  stop = new AbortController();
  const { signal } = stop;
  setBusy(true);
  byId("stop").disabled = false;
  tell(null);
  try {
    const stream = (await have(signal)).generate("ROMEO:", { words: 60, seed: 7, signal });
    byId("out").textContent = "ROMEO:";
    byId("status").textContent = "writing";
    for await (const text of stream) byId("out").append(text);
    const { stats, seed } = await stream.result;
    byId("status").textContent = `${stats.words} words, ${Math.round(stats.tokensPerSecond)} tokens/s, seed ${seed}`;
  } catch (error) {
    byId("status").textContent = signal.aborted ? "stopped" : "failed";
    if (!signal.aborted) tell(error);
  }
  setBusy(false);
  byId("stop").disabled = true;
}

// One thing that a handle can do, as a line.
const line = (name, value) => byId("more-out").append(`${name}: ${JSON.stringify(value)}\n`);

async function more() {
  setBusy(true);
  byId("more-out").textContent = "";
  tell(null);
  try {
    const model = await have();
    if (!model.text) await model.generate("ROMEO:", { words: 20, seed: 7 }).result;
    const other = model.clone();
    const { text, reason } = await other.continue({ words: 20 }).result;
    line("continue", { text: text.slice(model.text.length), reason });
    other.destroy();
    line("tokenize", await model.tokenize("ROMEO:"));
    const { bitsPerCharacter, perplexity, tokens } = await model.evaluate("To be, or not to be");
    line("evaluate", { bitsPerCharacter, perplexity, last: tokens[tokens.length - 1] });
    const { text: token, probability, rank, entropy_bits } = await model.explain(8);
    line("explain", { text: token, probability, rank, entropy_bits });
  } catch (error) {
    tell(error);
  }
  setBusy(false);
}

byId("run").addEventListener("click", run);
byId("stop").addEventListener("click", () => stop.abort());
byId("more-run").addEventListener("click", more);
