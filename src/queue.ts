/**
 * A first-in first-out queue over a ring of slots, used wherever messages wait. It has no bound of its own: each user of it has one.
 */
export class Queue<T> {
  /** As many as a power of two, or none: most queues stay empty. */
  #slots: (T | undefined)[] = [];
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(value: T): void {
    if (this.#length === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#length) & (this.#slots.length - 1)] = value;
    this.#length += 1;
  }

  peek(): T | undefined {
    return this.#slots[this.#head];
  }

  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const value = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.#length -= 1;
    return value;
  }

  #grow(): void {
    const ordered = [...this.#slots.slice(this.#head), ...this.#slots.slice(0, this.#head)];
    for (let left = Math.max(FIRST_SLOTS, ordered.length); left > 0; left -= 1) ordered.push(undefined);
    this.#slots = ordered;
    this.#head = 0;
  }
}

const FIRST_SLOTS = 16;
