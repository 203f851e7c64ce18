// Starts the programs that run in web workers, and carries messages to and from them. peargpt.js stands on it, and so does
// the site's own page (start.js).

// Where the files of the programs lie: beside this module. Literal, so that bundlers find them; a build of the site writes
// their hashes here.
const BESIDE = {
  "worker.js": () => new URL("./worker.js", import.meta.url),
  "worker_bg.wasm": () => new URL("./worker_bg.wasm", import.meta.url),
  "worker-relaxed.js": () => new URL("./worker-relaxed.js", import.meta.url),
  "worker-relaxed_bg.wasm": () => new URL("./worker-relaxed_bg.wasm", import.meta.url),
  "converter.js": () => new URL("./converter.js", import.meta.url),
  "converter_bg.wasm": () => new URL("./converter_bg.wasm", import.meta.url),
};

/** The address of a program's file beside this module. */
export const fileBeside = (name) => BESIDE[name]();

// A module whose one function is
// (i32x4.relaxed_dot_i8x16_i7x16_add_s v v v), v being (i8x16.splat (i32.const 0))
const RELAXED_SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0,
  10, 19, 1, 17, 0, 65, 0, 253, 15, 65, 0, 253, 15, 65, 0, 253, 15, 253, 147, 2, 11,
]);

/** The engine's program for this browser. One without relaxed SIMD would refuse the build that has it as a whole. */
export const engineProgram = () => (WebAssembly.validate(RELAXED_SIMD) ? "worker-relaxed" : "worker");

/** A module from a server's answer, also where that calls it something else. */
export async function compile(answer) {
  const type = (answer.headers.get("Content-Type") || "").trim().toLowerCase();
  // The standard takes no parameters behind the type.
  return type === "application/wasm" ? WebAssembly.compileStreaming(answer) : WebAssembly.compile(await answer.arrayBuffer());
}

// What the members of a team do at the memory that they share, see src/team/board.rs and src/worker/team/memory.rs: each
// in one call, since a token takes fifty of them. The counter of an order has the number 0; counters are 16 numbers apart,
// and behind each stands how many sleep at it.
function makeTeam() {
  const place = (counter) => counter * 16;
  const pause = typeof Atomics.pause === "function" ? () => Atomics.pause() : () => {};
  // Whether a counter gets another value within so many milliseconds.
  const spin = (counters, counter, value, ms) => {
    const at = place(counter);
    const end = performance.now() + ms;
    for (;;) {
      for (let round = 0; round < 100; round += 1) {
        if (Atomics.load(counters, at) !== value) return true;
        pause();
      }
      if (performance.now() > end) return false;
    }
  };
  // Whether a member, whose counter grows and overflows, gets as far as this.
  const arrives = (counters, counter, target, ms) => {
    let value = Atomics.load(counters, place(counter));
    while (((value - target) | 0) < 0) {
      if (!spin(counters, counter, value, ms)) return false;
      value = Atomics.load(counters, place(counter));
    }
    return true;
  };
  // Writes, arrives, and, once the others are there, reads what is theirs. False where one of them is late.
  const exchange = (counters, numbers, own, ownAt, all, allAt, first, members, member, target, order, ms) => {
    if (own.length > 0) numbers.set(own, ownAt);
    const here = place(first + member);
    Atomics.store(counters, here, target);
    if (Atomics.load(counters, here + 1) > 0) Atomics.notify(counters, here);
    for (let other = 0; other < members; other += 1) if (!arrives(counters, first + other, target, ms)) return false;
    if (Atomics.load(counters, place(0)) !== order) return false;
    if (all.length > 0) {
      const [begin, end] = [ownAt - allAt, ownAt - allAt + own.length];
      if (begin > 0) all.set(numbers.subarray(allAt, ownAt));
      if (end < all.length) all.set(numbers.subarray(allAt + end, allAt + all.length), end);
    }
    return true;
  };
  return { spin, exchange };
}

// What follows the program's script in its worker. A start that fails is thrown outside the promise, where it becomes
// the worker's `error` event.
const BEGIN = () => `
onmessage = ({ data }) => {
  onmessage = null;
  // The engine's worker starts others of the same program, see src/worker/team.
  globalThis.program = { ...data, team: (${makeTeam})() };
  wasm_bindgen({ module_or_path: data.module }).catch((error) => setTimeout(() => { throw error; }));
};`;

// A worker loaded from a URL of its own would not be bound by the page's policy, and could not be of another origin; one
// from a blob inherits the policy.
const asBlob = (script) => URL.createObjectURL(new Blob([script, BEGIN()], { type: "text/javascript" }));

/**
 * The programs, each loaded once. `get(name, use)` fetches a file of this name and resolves to what `use` makes of the
 * server's answer.
 */
export class Programs {
  constructor(get) {
    this.get = get;
    this.loaded = new Map();
  }

  /** The script's address and the compiled module of a program. */
  load(name) {
    if (!this.loaded.has(name)) {
      const script = this.get(`${name}.js`, (answer) => answer.text());
      const program = Promise.all([script.then(asBlob), this.get(`${name}_bg.wasm`, compile)]);
      this.loaded.set(name, program);
      program.catch(() => this.loaded.delete(name));
    }
    return this.loaded.get(name);
  }

  /** A new worker with a program, which says `Ready` once it listens. */
  async start(name) {
    const [script, module] = await this.load(name);
    const worker = new Worker(script);
    worker.postMessage({ module, role: "leader" });
    return worker;
  }
}

/** The name of an event or request, and what it carries: as serde writes an enum. */
export const unpack = (event) => (typeof event === "string" ? [event, {}] : Object.entries(event)[0]);

/**
 * The bridge to a worker: has it started for the first request, holds requests back until it listens, and closes it when it
 * can no longer go on. The request after that starts a new one.
 *
 * `start()` resolves to a worker. `report(event, files, error)` hears its events. A worker that breaks, in whatever way,
 * reports `{ Panicked: { message } }`, with the error where there is one.
 */
export class Bridge {
  constructor(start, report) {
    this.start = start;
    this.report = report;
    this.current = null;
  }

  /** Whether there is a worker, or one on its way. */
  get isOpen() {
    return this.current !== null;
  }

  /** Starts the worker, if there is none. */
  open() {
    if (this.current) return;
    const current = { worker: null, heldBack: [] };
    this.current = current;
    this.start().then(
      // It may have been closed meanwhile.
      (worker) => (this.current === current ? this.connect(worker) : worker.terminate()),
      (error) => this.current === current && this.breakOff(error.message, error),
    );
  }

  connect(worker) {
    this.current.worker = worker;
    worker.onmessage = ({ data: [event, files] }) => this.hear(event, files);
    worker.onerror = (error) => {
      error.preventDefault();
      this.breakOff(error.message || "its worker did not start", error);
    };
  }

  /** Ends the worker; the next request starts another. */
  close() {
    const worker = this.current && this.current.worker;
    this.current = null;
    if (!worker) return;
    worker.onmessage = null;
    worker.onerror = null;
    worker.terminate();
  }

  /** Sends a request with the files that it brings, at the latest when the worker listens. */
  post(request, files = []) {
    this.open();
    const message = [request, files];
    if (this.current.heldBack) {
      this.current.heldBack.push(message);
      return;
    }
    try {
      this.current.worker.postMessage(message);
    } catch (error) {
      this.breakOff(error.message, error);
    }
  }

  hear(event, files) {
    const [name, { message }] = unpack(event);
    if (name === "Panicked") return this.breakOff(message);
    if (name === "Ready") {
      const heldBack = this.current.heldBack || [];
      this.current.heldBack = null;
      heldBack.forEach(([request, files]) => this.post(request, files));
    }
    this.report(event, files);
  }

  breakOff(message, error) {
    this.close();
    this.report({ Panicked: { message } }, [], error);
  }
}
