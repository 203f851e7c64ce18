// What can go wrong, each thing with a code and a sentence that says what to do; and fetching, which says why it fails.

/** An error with a `code` for programs and a sentence for people. */
export class PearGptError extends Error {
  constructor(code, message, details) {
    super(message);
    this.name = "PearGptError";
    this.code = code;
    Object.assign(this, details);
  }
}

/** The reason of a signal that is aborted. */
export const reasonOf = (signal) =>
  signal.reason === undefined ? new DOMException("The operation was aborted.", "AbortError") : signal.reason;

/** Throws where a signal is aborted. */
export function throwIfAborted(signal) {
  if (signal && signal.aborted) throw reasonOf(signal);
}

/** Calls `act` when the signal is aborted; what is returned takes that back. */
export function onAbort(signal, act) {
  if (!signal) return () => {};
  const listen = () => act(reasonOf(signal));
  signal.addEventListener("abort", listen, { once: true });
  return () => signal.removeEventListener("abort", listen);
}

// What the page's policy has refused lately. A browser says so in an event, apart from the error.
const refused = [];
let isListening = false;

/** From now on notes what the page's policy refuses. */
export function watchPolicy() {
  if (isListening) return;
  isListening = true;
  addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) => {
    refused.push({ directive: effectiveDirective, blocked: blockedURI, at: performance.now() });
    if (refused.length > 20) refused.shift();
  });
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Milliseconds for which the event may be late, and for which it is news.
const LATE = 100;
const NEWS = 2000;

/** Whether the page's policy has refused, just now and by one of these directives, an address that begins like this. */
export async function isRefused(directives, begin) {
  await sleep(LATE);
  const since = performance.now() - NEWS;
  const isIt = ({ directive, blocked, at }) => at >= since && directives.includes(directive) && blocked.startsWith(begin);
  return refused.some(isIt);
}

/** What to add to the page's policy, as an error. */
export const policyError = (what, add) =>
  new PearGptError(
    "policy",
    `This page's Content-Security-Policy does not let it ${what}. Add ${add.join(", and ")}.`,
    { add },
  );

/** The base of relative addresses. */
export const here = () => (typeof document === "object" ? document.baseURI : location.href);

// Whether the server is there and answers, but not to scripts of this origin.
async function hidesFromOthers(url) {
  if (url.origin === location.origin || !url.protocol.startsWith("http")) return false;
  try {
    await fetch(url.href, { method: "HEAD", mode: "no-cors", cache: "no-store" });
    return true;
  } catch (error) {
    return false;
  }
}

// Why nothing came, as an error.
async function why(url, error) {
  if (await isRefused(["connect-src", "default-src"], url.origin)) {
    // The event does not say where an address has led to.
    const other = url.origin === location.origin ? "" : ", or what it redirects to";
    return policyError(`fetch ${url.href}${other}`, [`connect-src ${url.origin}`]);
  }
  if (await hidesFromOthers(url)) {
    return new PearGptError(
      "cors",
      `${url.origin} does not let pages of other origins read ${url.href}. ` +
        "Its server has to send Access-Control-Allow-Origin (CORS); or put the file beside your page.",
    );
  }
  const mayHide = url.origin === location.origin ? "" : ", and whether its server sends Access-Control-Allow-Origin (CORS)";
  return new PearGptError(
    "network",
    `${url.href} could not be fetched (${error.message}). Check the address and the network${mayHide}.`,
  );
}

/** The server's answer, once it is a good one. */
export async function fetchFile(url, signal) {
  let answer;
  try {
    answer = await fetch(url.href, { signal });
  } catch (error) {
    throwIfAborted(signal);
    throw await why(url, error);
  }
  if (answer.ok) return answer;
  const code = answer.status === 404 || answer.status === 410 ? "not-found" : "network";
  throw new PearGptError(code, `${url.href} could not be fetched: the server answered ${answer.status}. Check the address.`);
}
