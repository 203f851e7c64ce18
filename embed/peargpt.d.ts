/** Small GPTs in a web page. */

/** What went wrong, for programs. */
export type ErrorCode =
  /** No catalog has a model of this id; `known` lists those there are. */
  | "unknown-model"
  /** What was given is no address. */
  | "bad-url"
  /** The server has no such file. */
  | "not-found"
  /** Nothing came, not all of it, or not what the catalog names. */
  | "network"
  /** The server does not let pages of other origins read the file. */
  | "cors"
  /** The page's Content-Security-Policy forbids it; `add` says what to add. */
  | "policy"
  /** A file of the module is not where it was looked for. */
  | "assets"
  /** The browser lacks something. */
  | "unsupported"
  /** The file is no model that can be read. */
  | "bad-model"
  /** The model does not know these `characters`. */
  | "unknown-characters"
  /** An option does not take this value. */
  | "bad-option"
  /** There is no text to go on from, or to look into. */
  | "no-text"
  /** The handle or its model was destroyed. */
  | "destroyed"
  /** The engine broke. The next request starts it anew. */
  | "crashed"
  /** Something else. */
  | "failed";

/** An error with a code for programs and a sentence for people. */
export class PearGptError extends Error {
  constructor(code: ErrorCode, message: string, details?: object);
  readonly name: "PearGptError";
  readonly code: ErrorCode;
  /** With "unknown-model": the models there are. */
  readonly known?: string[];
  /** With "policy": what to add to the policy. */
  readonly add?: string[];
  /** With "unknown-characters": these characters. */
  readonly characters?: string[];
}

/** How far loading is. */
export interface Progress {
  state: "starting" | "waiting" | "downloading" | "converting" | "retrying" | "opening" | "ready";
  /** Bytes that are here. */
  received: number;
  /** Bytes in all; 0 where that is not known. */
  total: number;
  /** With "retrying": why. */
  message?: string;
}

/** A model of a catalog, as "peargpt/weights" exports them. */
export interface CatalogEntry {
  id: string;
  title: string;
  parameters: number;
  context: number;
  shape?: { layers: number; heads: number; n_embd: number; n_inner: number; vocabulary_size: number };
  format: string;
  bytes: number;
  parts: { url: string; bytes: number; sha256: string }[];
  converted?: { bytes: number; sha256: string };
  source: string;
}

export interface LoadOptions {
  /** Ends loading, also before it begins. */
  signal?: AbortSignal;
  /** Hears how far it is. */
  onprogress?: (progress: Progress) => void;
  /** Threads that compute, 1 to 8, where the page is isolated from other origins; as many as are fastest if left out. */
  threads?: number;
  /** The folder where the module's files lie, if that is not beside it. */
  assets?: string | URL;
}

/** How a text is written. What is left out has the page's defaults. */
export interface GenerateOptions {
  /** Words to write, 1 to 5000; then the paragraph is finished. 200 if left out. */
  words?: number;
  /** Exactly so many tokens, in place of `words` and `stop`. */
  tokens?: number;
  /** Same seed, same text. Drawn if left out. */
  seed?: number;
  /** 0 (always the most likely) to 10. */
  temperature?: number;
  /** The k most likely tokens only; 0 is off. */
  topK?: number;
  /** The most likely tokens that together reach this probability. */
  topP?: number;
  /** Drops tokens below this fraction of the most likely. */
  minP?: number;
  /** Above 1, tokens in the context become less likely. */
  repetitionPenalty?: number;
  /** What happens past the context: keep its newer half, or recompute all of it for each token. */
  window?: "rolling" | "exact";
  /** Up to four texts; writing ends before any of them. */
  stop?: string | string[];
  /** Tokens that stand at these positions, whatever is drawn; the prompt counts. */
  take?: { position: number; id: number }[];
  /** Parts that are switched off: "layer.head" and "mlp.layer". */
  off?: string[];
  /** Ends the text within a token. The stream and `result` then reject with its reason. */
  signal?: AbortSignal;
}

export interface Stats {
  /** Tokens written. */
  tokens: number;
  /** Words written. */
  words: number;
  tokensPerSecond: number;
  /** Milliseconds from the request to the first token. */
  firstTokenMs: number | null;
  prefilled: number;
  forwardedRows: number;
  windowCrossings: number;
  wasmMemoryBytes: number;
}

/** What has been written, once it ends. */
export interface Result {
  /** The whole text behind the prompt, also after `continue`. */
  text: string;
  /** Null for a text that never began. */
  seed: number | null;
  ids: number[];
  /** Why it ended. */
  reason: "words" | "tail" | "end-of-text" | "runaway" | "tokens" | "stop" | "stopped";
  stats: Partial<Stats>;
}

/**
 * A text as it is written: a `ReadableStream` and an async iterable of strings. Cancelling it, or leaving the loop, ends the
 * text within a token; `text` of the handle has all that was written.
 */
export type TextStream = ReadableStream<string> &
  AsyncIterable<string> & {
    /** Its end. Rejects as the stream does. */
    readonly result: Promise<Result>;
  };

export interface Model {
  /** The catalog's id; of a file that was converted its SHA-256; empty for a GGUF that runs as it is. */
  id: string;
  title: string;
  parameters: number;
  /** Longest window, in tokens. */
  context: number;
  layers: number;
  heads: number;
  embedding: number;
  vocabularySize: number;
  vocabulary: "characters" | "byte-pairs";
  /** All characters that a character model knows. */
  alphabet: string | null;
  /** Length of the file. */
  bytes: number;
  /** SHA-256 of the file that runs, in hex; empty for a GGUF of yours that runs as it is. */
  sha256: string;
  /** What computes, for people. */
  backend: string;
  threads: number;
}

export interface Evaluation {
  bitsPerCharacter: number;
  perplexity: number;
  /** Each token from the second on: how surprising it is, in bits. */
  tokens: { id: number; text: string; bits: number }[];
}

export interface Chances {
  [setting: string]: number;
}

export interface Likely {
  id: number;
  text: string;
  probability: number;
}

/** How a token came to stand there. The names are those of `generate --explain`. */
export interface TokenView extends Likely {
  position: number;
  window_start: number;
  rank: number;
  entropy_bits: number;
  chances: Chances;
  is_prompt: boolean;
  is_taken: boolean;
  draw: object | null;
  alternatives?: (Likely & { chances: Chances })[];
}

export interface Norms {
  embedding: number;
  attention: number[];
  mlp: number[];
}

/** What the model would have said after each layer. */
export interface LensView {
  position: number;
  window_start: number;
  layers: Likely[][];
  norms: Norms;
}

/** What a token looks back at: of each layer, of each head, the weights of the tokens from `window_start` on. */
export interface AttentionView {
  position: number;
  window_start: number;
  layers: number[][][];
  norms: Norms;
}

/** Which later tokens look back at one. */
export interface LookedAtView {
  position: number;
  window_start: number;
  layers: number[][][];
}

/** A model with a text. */
export interface PearGpt {
  readonly model: Model;
  /** What has been written, without the prompt. */
  readonly text: string;
  readonly prompt: string;
  readonly seed: number | null;
  /** The tokens that have been written. */
  readonly ids: number[];
  /** Writes a new text; waits for its turn where the model is busy. */
  generate(prompt?: string, options?: GenerateOptions): TextStream;
  /** Goes on with the text, for 200 words if it is not said. */
  continue(options?: { words?: number; signal?: AbortSignal }): TextStream;
  /** Another handle on the same model, which has this text and goes on by itself. */
  clone(): PearGpt;
  /** The tokens of a text. */
  tokenize(text: string): Promise<number[]>;
  /** How well the model predicts a text. */
  evaluate(text: string, options?: { signal?: AbortSignal }): Promise<Evaluation>;
  /** A token of the text, by its position; the prompt's tokens count. The very first was not predicted: it has "attention". */
  explain(position: number, view?: "token", options?: { signal?: AbortSignal }): Promise<TokenView | AttentionView>;
  explain(position: number, view: "lens", options?: { signal?: AbortSignal }): Promise<LensView | AttentionView>;
  explain(position: number, view: "attention", options?: { signal?: AbortSignal }): Promise<AttentionView>;
  explain(position: number, view: "looked-at", options?: { signal?: AbortSignal }): Promise<LookedAtView>;
  /** Ends what this handle does. The worker ends with the last handle on its model. `using` calls it. */
  destroy(): void;
  [Symbol.dispose](): void;
}

declare global {
  // As newer libraries of TypeScript have it.
  interface SymbolConstructor {
    readonly dispose: unique symbol;
  }
}

/**
 * A catalog's id, the address of a GGUF, a File, several Files that are one model, or what "peargpt/weights" exports.
 */
export type Loadable = string | URL | Blob | readonly File[] | FileList | CatalogEntry;

/** Loads a model. */
export function load(what: Loadable, options?: LoadOptions): Promise<PearGpt>;
