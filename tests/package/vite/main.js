import { load } from "peargpt";
import { peargpt } from "peargpt/weights";
import "peargpt/element";

document.querySelector("pear-gpt").model = peargpt;
const out = document.querySelector("#out");
try {
  const gpt = await load(peargpt);
  for await (const text of gpt.generate("ROMEO:", { words: 12, seed: 7 })) out.append(text);
  document.title = "done";
} catch (error) {
  document.title = `failed: ${error.message}`;
}
