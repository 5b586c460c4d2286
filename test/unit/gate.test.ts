/** The gate that operations go through, on a clock of its own. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ExecutionGate } from '../../src/limits/executionGate.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Waits in the line; `state` is what it was told. */
function waiter(gate: ExecutionGate) {
  const entry: { state: boolean | undefined } = { state: undefined };
  void gate.enter().then((mayBegin) => {
    entry.state = mayBegin;
  });
  return entry;
}

let now = 0;
beforeEach(() => {
  now = 1_000_000;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => vi.restoreAllMocks());

describe('the gate', () => {
  it('begins one operation a turn of the event loop, in the order of their coming', async () => {
    const gate = new ExecutionGate({ running: 10, line: 100 });
    const entries = Array.from({ length: 5 }, () => waiter(gate));
    for (let begun = 1; begun <= 5; begun += 1) {
      await turn();
      const states = entries.map(({ state }) => state === true);
      const count = states.filter(Boolean).length;
      expect(states).toEqual(Array.from({ length: 5 }, (_, index) => index < count));
      expect(count).toBeLessThanOrEqual(begun + 1);
    }
    await turn();
    expect(entries.every(({ state }) => state)).toBe(true);
  });

  it('never runs more at once than it may', async () => {
    const gate = new ExecutionGate({ running: 2, line: 100 });
    const entries = Array.from({ length: 4 }, () => waiter(gate));
    for (let i = 0; i < 20; i += 1) await turn();
    expect(entries.map(({ state }) => state)).toEqual([true, true, undefined, undefined]);
    gate.leave();
    for (let i = 0; i < 5; i += 1) await turn();
    expect(entries.map(({ state }) => state)).toEqual([true, true, true, undefined]);
  });

  it('lets a burst wait, and refuses the oldest when it does not end', async () => {
    const gate = new ExecutionGate({ running: 1, line: 10 });
    expect(await gate.enter()).toBe(true);
    const burst = Array.from({ length: 200 }, () => waiter(gate));
    await turn();
    expect(burst.every(({ state }) => state === undefined)).toBe(true);
    now += 500;
    const more = Array.from({ length: 60 }, () => waiter(gate));
    await turn();
    expect(more.filter(({ state }) => state === false).length).toBeGreaterThan(0);
    const waiting = [...burst, ...more].filter(({ state }) => state === undefined);
    expect(waiting.length).toBeLessThanOrEqual(10);
    expect(burst[0]?.state).toBe(false);
    expect(gate.isFull()).toBe(true);
  });

  it('is open again a second after the last refusal', async () => {
    const gate = new ExecutionGate({ running: 1, line: 4 });
    expect(await gate.enter()).toBe(true);
    for (let i = 0; i < 10; i += 1) waiter(gate);
    now += 500;
    for (let i = 0; i < 60; i += 1) waiter(gate);
    expect(gate.isFull()).toBe(true);
    now += 1001;
    expect(gate.isFull()).toBe(false);
  });
});
