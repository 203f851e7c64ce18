// Uses all of the package, for `tsc --strict`.

import { load, PearGptError } from "peargpt";
import type { Evaluation, GenerateOptions, Loadable, Model, PearGpt, Progress, Result, TextStream } from "peargpt";
import { gpt2, peargpt } from "peargpt/weights";
import { PearGptElement } from "peargpt/element";

const stop = new AbortController();
const said: string[] = [];

async function loads(file: File, list: FileList): Promise<PearGpt[]> {
  const onprogress = ({ state, received, total, message }: Progress): void => {
    said.push(`${state} ${received / total} ${message ?? ""}`);
  };
  return [
    await load(peargpt, { signal: stop.signal, onprogress, threads: 2, assets: "/peargpt/" }),
    await load(gpt2, { assets: new URL("https://example.org/peargpt/") }),
    await load("peargpt"),
    await load(new URL("https://example.org/mine.gguf")),
    await load(file),
    await load([file, file]),
    await load(list),
  ];
}

async function writes(gpt: PearGpt): Promise<Result> {
  const options: GenerateOptions = {
    words: 100,
    tokens: 50,
    seed: 7,
    temperature: 0.8,
    topK: 40,
    topP: 0.95,
    minP: 0.05,
    repetitionPenalty: 1.1,
    window: "exact",
    stop: ["\n\n"],
    take: [{ position: 12, id: 31 }],
    off: ["0.3", "mlp.2"],
    signal: stop.signal,
  };
  const stream: TextStream = gpt.generate("ROMEO:", options);
  for await (const text of stream) said.push(text.toUpperCase());
  const readable: ReadableStream<string> = gpt.continue({ words: 10, signal: stop.signal });
  await readable.pipeTo(new WritableStream<string>());
  const { text, seed, ids, reason, stats }: Result = await stream.result;
  said.push(text, String(seed), ids.join(), reason, String(stats.tokensPerSecond));
  return stream.result;
}

async function answers(gpt: PearGpt): Promise<number> {
  const model: Model = gpt.model;
  said.push(model.title, model.vocabulary, gpt.text, gpt.prompt, String(gpt.seed), gpt.ids.join());
  const clone: PearGpt = gpt.clone();
  const ids: number[] = await clone.tokenize("ROMEO:");
  const evaluation: Evaluation = await clone.evaluate("To be", { signal: stop.signal });
  const token = await clone.explain(8);
  const surprise: number = "probability" in token ? token.probability : token.window_start;
  const lens = await clone.explain(8, "lens", { signal: stop.signal });
  const weights: number[][][] = (await clone.explain(8, "attention")).layers;
  const later: number[][][] = (await clone.explain(8, "looked-at")).layers;
  clone.destroy();
  return ids.length + evaluation.perplexity + evaluation.tokens[0].bits + surprise + lens.layers.length + weights.length + later.length;
}

function fails(error: unknown): string {
  if (!(error instanceof PearGptError)) return String(error);
  switch (error.code) {
    case "unknown-model":
      return (error.known ?? []).join();
    case "unknown-characters":
      return (error.characters ?? []).join();
    case "policy":
      return (error.add ?? []).join();
    default:
      return error.message;
  }
}

function elements(): void {
  const element: PearGptElement = document.createElement("pear-gpt");
  element.prompt = "ROMEO:";
  element.model = peargpt;
  element.model = null;
  const what: Loadable = element.model;
  said.push(String(what));
  element.addEventListener("done", ({ detail }) => said.push(detail.text));
  element.addEventListener("failed", ({ detail }) => said.push(detail.code));
  const done = ({ detail }: CustomEvent<Result>): void => void said.push(detail.text);
  element.addEventListener("done", done, { once: true });
  element.removeEventListener("done", done);
  element.addEventListener("click", ({ clientX }) => said.push(String(clientX)));
  element.addEventListener("mine", (event: Event) => said.push(event.type));
  element.write().then((result) => said.push(result?.reason ?? "stopped"));
  element.stop();
}

// @ts-expect-error: a code that there is not.
const none: string = new PearGptError("nothing", "").code;
// @ts-expect-error: an option that there is not.
const wrong: GenerateOptions = { temprature: 1 };

export { answers, elements, fails, loads, none, writes, wrong };
