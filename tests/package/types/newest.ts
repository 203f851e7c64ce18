// What only the newest libraries of TypeScript know.

import { load } from "peargpt";
import { peargpt } from "peargpt/weights";

export async function disposes(): Promise<string[]> {
  using gpt = await load(peargpt);
  const texts: string[] = [];
  for await (const text of gpt.generate("ROMEO:").values({ preventCancel: true })) texts.push(text);
  return texts;
}
