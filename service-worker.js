// The site's service worker. It answers for the page and the files of its release, and for nothing else: weights and other
// origins go their own way.
//
// - Its answers carry the headers that isolate the page from other origins. SharedArrayBuffer needs them, and most static
//   hosts do not send them.
// - It keeps a release whole, so that the page starts without a network. A newer one is fetched beside it and used from the
//   next start on; its files are held against release.json, which index.html pins.
//
// An origin may hold several sites, so each cache's name begins with the scope:
// "<scope> <time> <release> <page>" has a release's files; the last two are sha256 of its release.json and its page. The page
// is put there last: a cache without one is not whole.
// "<scope> arrived" has files that came before any release was kept, so that they do not come twice.

const SCOPE = registration.scope;
const ARRIVED = `${SCOPE} arrived`;
const PAGES = ["", "index.html"];

const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

// Milliseconds after which a server counts as one that cannot be reached: where a start waits for it, and elsewhere.
const SOON = 3000;
const LATER = 30000;

const isWeights = (path) => path.startsWith("weights/") && !path.endsWith(".json");
// The build names these by their content, so that one name never means two files.
const isFile = (path) => /-[0-9a-f]{16}(_bg)?\.\w+$/.test(path) && !isWeights(path);
// These have the same name in every release: whoever asks for one says by its integrity which is meant.
const MANIFEST = "release.json";
const SERVICE_WORKER = "service-worker.js";

function isolated(answer) {
  const headers = new Headers(answer.headers);
  // Of the body as it came over the wire.
  for (const name of ["Content-Encoding", "Content-Length", "Vary"]) headers.delete(name);
  for (const [name, value] of Object.entries(isolation)) headers.set(name, value);
  return new Response(answer.body, { status: answer.status, statusText: answer.statusText, headers });
}

// From the server, not from a cache.
async function ask(path, patience) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), patience);
  try {
    return await fetch(new URL(path, SCOPE).href, { cache: "no-store", signal: stop.signal });
  } finally {
    clearTimeout(timer);
  }
}

// Trunk's server, which builds a release after each change and isolates the page itself, runs on the reader's machine.
const isHere = /^(localhost|127\.[\d.]+|\[::1\])$/.test(new URL(SCOPE).hostname);
const isDevelopment = (answer) => isHere && answer.headers.has("Cross-Origin-Embedder-Policy");
const titleOf = async (answer) => ((await answer.clone().text()).match(/<title>[^<]*/) || [""])[0];

const digest = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

async function sha256(bytes) {
  return [...(await digest(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The names of caches with a release, whole or not, oldest first.
async function names() {
  const found = (await caches.keys()).filter((name) => name.startsWith(`${SCOPE} `) && name !== ARRIVED);
  return found.sort((one, other) => timeOf(one) - timeOf(other));
}

const timeOf = (name) => Number(name.split(" ")[1]);

// The releases that are whole, oldest first.
async function releases() {
  const found = [];
  for (const name of await names()) {
    const page = await caches.match(SCOPE, { cacheName: name });
    if (page) found.push({ name, page, release: name.split(" ")[2] });
  }
  return found;
}

const last = (list) => list[list.length - 1];

// What src/worker/storage keeps of a model that is stored whole.
async function record(models, id) {
  try {
    const folder = await models.getDirectoryHandle(id);
    const file = await (await folder.getFileHandle("record.json")).getFile();
    return JSON.parse(await file.text());
  } catch (error) {
    return null;
  }
}

// As src/worker/download decides whether it has to fetch a model.
function isStored(stored, { id, format, parts, title, converted }) {
  // A model without a page of its own is called by its sha256, in whatever parts it came.
  if (stored.sha256 === id) return true;
  const hashes = stored.parts.map((part) => part.sha256);
  if (format === "gguf") return parts.every((part) => hashes.includes(part.sha256));
  if (stored.title !== title || (converted && converted.sha256 !== stored.sha256)) return false;
  return parts.some((part) => part.sha256 === stored.made_from);
}

// Whether each model that is stored is stored as this release's catalog names it, and the model that is its home is there:
// that of another release has another name.
async function hasWeights({ name }) {
  try {
    const models = await (await navigator.storage.getDirectory()).getDirectoryHandle("models");
    const cache = await caches.open(name);
    const isCatalog = ({ url }) => /\/weights\/catalog-[0-9a-f]{16}\.json$/.test(url);
    const entries = await (await cache.match((await cache.keys()).find(isCatalog))).json();
    const stored = await Promise.all(entries.map((entry) => record(models, entry.id)));
    const isHere = (entry, index) => (stored[index] ? isStored(stored[index], entry) : entry.id.length < 64);
    return entries.every(isHere);
  } catch (error) {
    // No storage, or nothing in it: then no release can write without a network.
    return true;
  }
}

// The newest release that can write without a network, or the newest of all.
async function able(kept) {
  for (const release of [...kept].reverse()) {
    if (await hasWeights(release)) return release;
  }
  return last(kept);
}

// What a start gets: the newest release, but an older one where that would have to fetch weights without a network.
async function choose(kept) {
  const other = kept.length > 1 ? await able(kept) : last(kept);
  if (other === last(kept)) return other;
  const isReached = await ask("", SOON).then((answer) => answer.ok, () => false);
  return isReached ? last(kept) : other;
}

async function page(request) {
  const kept = await releases().catch(() => []);
  if (isHere) {
    const answer = await ask("", SOON).catch(() => null);
    if (answer && answer.ok && isDevelopment(answer)) {
      await retire();
      return answer;
    }
    // There, one address serves one site after another.
    const [newest] = kept.slice(-1);
    if (answer && answer.ok && newest && (await titleOf(answer)) !== (await titleOf(newest.page))) return isolated(answer);
  }
  if (kept.length > 0) return (await choose(kept)).page;
  const answer = await fetch(request);
  return answer.ok ? isolated(answer) : answer;
}

let isRetired = false;

// Leaves the site, with all that it kept.
async function retire() {
  isRetired = true;
  await registration.unregister();
  await Promise.all([...(await names()), ARRIVED].map((name) => caches.delete(name)));
}

async function file(event) {
  const { request } = event;
  const kept = await caches.match(request.url).catch(() => null);
  if (kept) return kept;
  const answer = await fetch(request);
  if (!answer.ok) return answer;
  // With an integrity, fetch has held it against that.
  if (request.integrity) event.waitUntil(arrive(request.url, isolated(answer.clone())));
  return isolated(answer);
}

// One of those that keep their names, as that release has it which is meant.
async function pinned(request) {
  for (const { name } of await releases().catch(() => [])) {
    const kept = await caches.match(request.url, { cacheName: name });
    const hash = kept ? await digest(await kept.clone().arrayBuffer()) : [];
    if (`sha256-${btoa(String.fromCharCode(...hash))}` === request.integrity) return kept;
  }
  return fetch(request);
}

async function arrive(url, answer) {
  try {
    await (await caches.open(ARRIVED)).put(url, answer);
  } catch (error) {
    // The storage is full: then it is fetched again for a release.
  }
}

// A file, from the caches where it is there and as it should be, else from the server.
async function verified(path, expected) {
  const url = new URL(path, SCOPE).href;
  for (const find of [() => caches.match(url), () => fetch(url, { cache: "no-store" })]) {
    const answer = await find();
    if (!answer || !answer.ok) continue;
    const bytes = await answer.arrayBuffer();
    if ((await sha256(bytes)) === expected) return new Response(bytes, { headers: answer.headers });
  }
  throw new Error(`${path} is not the file of this release`);
}

// The storage has had no room for a release.
let isFull = false;

// Fetches the server's release beside those that are kept, all of it or nothing. One that is the newest already is looked
// through where a page has failed with it.
async function take(hasFailed) {
  if (isFull) return;
  const answer = await ask("", LATER);
  if (!answer.ok) return;
  if (isDevelopment(answer)) return retire();
  const html = await answer.clone().text();
  const hashOf = (name) => (html.match(`name="peargpt:${name}" content="([0-9a-f]{64})"`) || [])[1];
  const [release, worker] = [hashOf("release"), hashOf("service-worker")];
  // Else it is cut off, or another page, such as that of a hotel's network.
  if (!release || !worker || !html.includes("</html>")) return;
  const kept = await releases();
  const id = `${release} ${await sha256(new TextEncoder().encode(html))}`;
  const newest = kept.length > 0 ? last(kept).name : "";
  if (newest.endsWith(id) && !hasFailed) return;
  // What an earlier try has left is gone on with.
  const whole = kept.map(({ name }) => name);
  const left = (await names()).filter((name) => !whole.includes(name));
  // Clocks are set back.
  const time = Math.max(Date.now(), ...whole.map((name) => timeOf(name) + 1));
  const name = left.find((name) => name.endsWith(id)) || `${SCOPE} ${time} ${id}`;
  try {
    await fill(await caches.open(name), { release, worker, page: answer });
  } catch (error) {
    isFull = error.name === "QuotaExceededError";
    if (isFull) await caches.delete(name);
    throw error;
  }
  const again = whole.filter((name) => name.endsWith(id));
  await Promise.all([...left, ...again].filter((other) => other !== name).map((name) => caches.delete(name)));
}

async function fill(cache, { release, worker, page }) {
  const put = (path, answer) => cache.put(new URL(path, SCOPE).href, isolated(answer));
  const manifest = await verified(MANIFEST, release);
  const files = (await manifest.clone().json()).filter(({ path }) => !isWeights(path));
  await Promise.all(files.map(async ({ path, sha256 }) => put(path, await verified(path, sha256))));
  await put(SERVICE_WORKER, await verified(SERVICE_WORKER, worker));
  await put(MANIFEST, manifest);
  await put("", page);
}

// Removes what no page uses any more, once the only one that is open is the one that asks, and of the newest release. An
// older one that alone can write without a network stays.
async function tidy(release, asker) {
  const windows = await clients.matchAll({ type: "window", includeUncontrolled: true });
  const kept = await releases();
  if (kept.length === 0 || last(kept).release !== release || windows.some(({ id }) => id !== asker)) return;
  const needed = [last(kept), await able(kept)];
  const others = kept.filter((one) => !needed.includes(one)).map(({ name }) => name);
  await Promise.all([...others, ARRIVED].map((name) => caches.delete(name)));
}

// Tells every page of a newer release that the next start will have.
async function tell() {
  const kept = await releases();
  const isNext = kept.length > 0 && (await choose(kept)) === last(kept);
  const release = isNext ? last(kept).release : null;
  for (const client of await clients.matchAll({ type: "window" })) client.postMessage({ release });
}

// One after the other: two that take at once would fetch everything twice.
let work = Promise.resolve();

// A page names its own release and asks for the server's to be kept.
function keep({ release, hasFailed }, asker) {
  const ignore = () => {};
  // Without a network, or where a file is damaged on the server, the old release stays.
  work = work.then(() => take(hasFailed)).catch(ignore);
  work = work.then(() => tidy(release, asker)).catch(ignore).then(tell).catch(ignore);
  return work;
}

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("message", (event) => event.waitUntil(keep(event.data, event.source.id)));
addEventListener("fetch", (event) => {
  const { method, mode, url, integrity } = event.request;
  if (isRetired || method !== "GET" || !url.startsWith(SCOPE)) return;
  const path = url.slice(SCOPE.length).split(/[?#]/)[0];
  if (mode === "navigate" && PAGES.includes(path)) event.respondWith(page(event.request));
  else if (isFile(path)) event.respondWith(file(event));
  else if (integrity && [MANIFEST, SERVICE_WORKER].includes(path)) event.respondWith(pinned(event.request));
});
