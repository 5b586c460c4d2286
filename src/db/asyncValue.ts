/**
 * A value for all that a call sets off, until the promise that it answers is settled. What the call leaves running without
 * being awaited loses it then. While no call has a value, the runtime follows no promises for it: until Node 24 that takes a
 * sixth of the time of a short request, whether anything asks for the value or not.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

export class AsyncValue<T> {
  readonly #storage = new AsyncLocalStorage<T>();
  #running = 0;

  /** @param call answers a promise for what takes longer; anything else has ended when it answers */
  run<R>(value: T, call: () => R): R {
    this.#running += 1;
    let result: R;
    try {
      result = this.#storage.run(value, call);
    } catch (error) {
      this.#end();
      throw error;
    }
    if (result instanceof Promise) result.then(this.#end, this.#end);
    else this.#end();
    return result;
  }

  get(): T | undefined {
    return this.#storage.getStore();
  }

  readonly #end = (): void => {
    this.#running -= 1;
    if (this.#running === 0) this.#storage.disable();
  };
}
