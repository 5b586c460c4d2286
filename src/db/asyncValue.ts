/**
 * A value for all that a call sets off, until the promise that it answers is settled; what the call leaves running without
 * being awaited loses it then. While no call has a value, the runtime follows no promises for it: until Node 24 that takes a
 * sixth of the time of a short request, whether anything asks for the value or not.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

interface Call<T> {
  readonly value: T;
  isOver: boolean;
}

export class AsyncValue<T> {
  readonly #storage = new AsyncLocalStorage<Call<T>>();
  #running = 0;

  /** @param run answers a promise for what takes longer; anything else has ended when it answers */
  run<R>(value: T, run: () => R): R {
    const call: Call<T> = { value, isOver: false };
    const end = () => {
      call.isOver = true;
      this.#running -= 1;
      if (this.#running === 0) this.#storage.disable();
    };
    this.#running += 1;
    let result: R;
    try {
      result = this.#storage.run(call, run);
    } catch (error) {
      end();
      throw error;
    }
    if (result instanceof Promise) result.then(end, end);
    else end();
    return result;
  }

  get(): T | undefined {
    const call = this.#storage.getStore();
    return call?.isOver === false ? call.value : undefined;
  }
}
