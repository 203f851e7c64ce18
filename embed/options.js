// The options of a text: what they take, and how the engine calls them. Their defaults come from the engine.

import { PearGptError } from "./errors.js";

// As PARAMETERS in src/app/settings.rs, to which tests/embed.rs holds this: least, greatest, and whether it is whole.
const NUMBERS = {
  words: [1, 5000, true],
  tokens: [1, 200000, true],
  seed: [0, 4294967295, true],
  temperature: [0, 10, false],
  topK: [0, 100000, true],
  topP: [0, 1, false],
  minP: [0, 1, false],
  repetitionPenalty: [0.1, 10, false],
};
const SAMPLING = {
  temperature: "temperature",
  topK: "top_k",
  topP: "top_p",
  minP: "min_p",
  repetitionPenalty: "repetition_penalty",
};
const MOST_STOPS = 4;
const MOST_STOP_CHARACTERS = 100;
const WINDOWS = ["rolling", "exact"];
const OTHERS = ["stop", "window", "take", "off", "signal"];

function refuse(name, takes, found) {
  let text;
  try {
    // JSON has no NaN.
    text = typeof found === "number" ? String(found) : JSON.stringify(found);
  } catch (error) {
    text = String(found);
  }
  throw new PearGptError("bad-option", `${name} takes ${takes}, found ${text === undefined ? String(found) : text}.`);
}

/** The number, once it is one that the option takes. */
export function number(name, value) {
  const [least, most, isWhole] = NUMBERS[name];
  const fits = typeof value === "number" && value >= least && value <= most && (!isWhole || Number.isInteger(value));
  return fits ? value : refuse(name, `a ${isWhole ? "whole " : ""}number from ${least} to ${most}`, value);
}

/** The text, once it is one. */
export const text = (name, value) => (typeof value === "string" ? value : refuse(name, "text", value));

function stops(value) {
  const list = typeof value === "string" ? [value] : value;
  const isStop = (stop) => typeof stop === "string" && stop.length > 0 && [...stop].length <= MOST_STOP_CHARACTERS;
  const fits = Array.isArray(list) && list.length <= MOST_STOPS && list.every(isStop);
  return fits ? list : refuse("stop", `up to ${MOST_STOPS} texts of 1 to ${MOST_STOP_CHARACTERS} characters each`, value);
}

const isIndex = (value) => Number.isInteger(value) && value >= 0 && value <= 4294967295;

function takes(value) {
  const isTake = (take) => take && isIndex(take.position) && isIndex(take.id);
  const isOnce = ({ position }, index) => value.findIndex((take) => take.position === position) === index;
  const fits = Array.isArray(value) && value.every(isTake) && value.every(isOnce);
  if (!fits) refuse("take", "a list of { position, id }, each position once", value);
  return value.map(({ position, id }) => ({ position, id })).sort((one, other) => one.position - other.position);
}

// As an address has it: "0.3" a head, "mlp.2" an MLP.
function part(name) {
  const [, layer, inner] = /^(mlp|\d{1,9})\.(\d{1,9})$/.exec(name) || refuse("off", 'names such as "0.3" or "mlp.2"', name);
  return layer === "mlp" ? { Mlp: { layer: Number(inner) } } : { Head: { layer: Number(layer), head: Number(inner) } };
}

function parts(value) {
  return Array.isArray(value) ? value.map(part) : refuse("off", 'a list of names such as "0.3" or "mlp.2"', value);
}

/** A seed at random. */
export const drawSeed = () => crypto.getRandomValues(new Uint32Array(1))[0];

/** What the engine is asked for: its own defaults, and in their place what is given. */
export function settings(defaults, prompt, options) {
  const unknown = Object.keys(options).find((name) => !(name in NUMBERS) && !OTHERS.includes(name));
  if (unknown) {
    const known = [...Object.keys(NUMBERS), ...OTHERS].join(", ");
    throw new PearGptError("bad-option", `There is no option ${unknown}; there are: ${known}.`);
  }
  const made = { ...defaults, sampling: { ...defaults.sampling }, prompt: text("prompt", prompt), seed: drawSeed() };
  for (const name of Object.keys(NUMBERS)) {
    if (options[name] === undefined || options[name] === null) continue;
    const place = name in SAMPLING ? made.sampling : made;
    place[SAMPLING[name] || name] = number(name, options[name]);
  }
  const { stop, window, take, off } = options;
  if (stop !== undefined) made.stop = stops(stop);
  if (window !== undefined) made.window = WINDOWS.includes(window) ? window : refuse("window", WINDOWS.join(" or "), window);
  if (take !== undefined) made.take = takes(take);
  if (off !== undefined) made.off = parts(off);
  return made;
}
