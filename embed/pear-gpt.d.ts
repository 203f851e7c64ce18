import type { Loadable, PearGptError, Result } from "./peargpt.js";

/** Its events, beside those of all elements. */
export interface PearGptElementEventMap extends HTMLElementEventMap {
  /** A text has ended. */
  done: CustomEvent<Result>;
  /** There is none. */
  failed: CustomEvent<PearGptError>;
}

/**
 * The element `<pear-gpt>`. Attributes: `model`, `prompt`, `words`, `seed`, `temperature`, `label`, `assets`, `threads`.
 * Elements with the same model share it. Parts: `form`, `label`, `name`, `prompt`, `button`, `status`, `output`, `error`.
 */
export class PearGptElement extends HTMLElement {
  /** What is loaded; "peargpt" if nothing is set. The attribute sets it too. */
  get model(): Loadable;
  set model(what: Loadable | null);
  /** What stands in the text field. */
  prompt: string;
  /** The text, the prompt included. */
  readonly text: string;
  /** Writes a text. */
  write(): Promise<Result | undefined>;
  /** Ends the text that is being written. */
  stop(): void;
  addEventListener<K extends keyof PearGptElementEventMap>(
    type: K,
    listener: (this: PearGptElement, event: PearGptElementEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof PearGptElementEventMap>(
    type: K,
    listener: (this: PearGptElement, event: PearGptElementEventMap[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | EventListenerOptions): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "pear-gpt": PearGptElement;
  }
}
