// Measures once, and posts the numbers or what failed.
importScripts('candle.js');

const query = new URLSearchParams(location.search);

async function measure() {
  await wasm_bindgen({ module_or_path: 'candle_bg.wasm' });
  const number = (name) => Number(query.get(name));
  const timing = wasm_bindgen.measure(query.get('model'), number('prompt_tokens'), number('tokens'));
  const { prefill_ms, decode_tokens_per_second } = timing;
  return { prefill_ms, decode_tokens_per_second };
}

measure().then(postMessage, (error) => postMessage({ error: String(error) }));
