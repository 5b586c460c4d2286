/** Admission of operations, on a clock of its own. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AdmissionController, type Work } from '../../src/limits/admissionController.js';
import { until } from '../support/stream.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Waits in the line; `state` is what it was told. */
function waiter(gate: AdmissionController, work?: Work) {
  const entry: { state: boolean | undefined; release: (() => void) | undefined } = {
    state: undefined,
    release: undefined,
  };
  void gate.acquire(work).then((release) => {
    entry.state = release !== undefined;
    entry.release = release;
  });
  return entry;
}

let now = 0;
beforeEach(() => {
  now = 1_000_000;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => vi.restoreAllMocks());

describe('admission', () => {
  it('begins one operation a turn of the event loop, in the order of their coming', async () => {
    const gate = new AdmissionController({ running: 10, queue: 100 });
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
    const gate = new AdmissionController({ running: 2, queue: 100 });
    const entries = Array.from({ length: 4 }, () => waiter(gate));
    for (let i = 0; i < 20; i += 1) await turn();
    expect(entries.map(({ state }) => state)).toEqual([true, true, undefined, undefined]);
    entries[0]?.release?.();
    for (let i = 0; i < 5; i += 1) await turn();
    expect(entries.map(({ state }) => state)).toEqual([true, true, true, undefined]);
  });

  it('lets a burst wait, and refuses the oldest when it does not end', async () => {
    const gate = new AdmissionController({ running: 1, queue: 10 });
    expect(await gate.acquire()).toBeDefined();
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
    expect(gate.shouldShed()).toBe(true);
  });

  it('is open again a second after the last refusal', async () => {
    const gate = new AdmissionController({ running: 1, queue: 4 });
    expect(await gate.acquire()).toBeDefined();
    for (let i = 0; i < 10; i += 1) waiter(gate);
    now += 500;
    for (let i = 0; i < 60; i += 1) waiter(gate);
    expect(gate.shouldShed()).toBe(true);
    now += 1001;
    expect(gate.shouldShed()).toBe(false);
  });

  it('gives a key that is alone two large operations, until others are there', async () => {
    now += 10_000;
    const gate = new AdmissionController({ running: 100, queue: 100 });
    const large = (key: string) => waiter(gate, { key, cost: 5000 });
    const [a1, a2, a3] = [large('a'), large('a'), large('a')];
    const states = () => [a1, a2, a3].map((entry) => entry?.state);
    for (let i = 0; i < 20; i += 1) await turn();
    expect(states()).toEqual([true, true, undefined]);
    const small = waiter(gate, { key: 'b', cost: 10 });
    for (let i = 0; i < 20; i += 1) await turn();
    expect(small?.state).toBe(true);
    a1?.release?.();
    now += 900;
    waiter(gate, { key: 'b', cost: 10 });
    for (let i = 0; i < 20; i += 1) await turn();
    // The other one is under way still.
    expect(states()).toEqual([true, true, undefined]);
    now += 10_000;
    const b1 = large('b');
    for (let i = 0; i < 20; i += 1) await turn();
    expect([...states(), b1?.state]).toEqual([true, true, undefined, true]);
    a2?.release?.();
    b1?.release?.();
    now += 10_000;
    await until(() => {
      large('c').release?.();
      return a3?.state === true;
    });
  });

  it('gives a key one large operation at a time, and all keys two; small ones come in between', async () => {
    const gate = new AdmissionController({ running: 100, queue: 100 });
    const large = (key: string) => waiter(gate, { key, cost: 5000 });
    const [a1, a2, b1, c1, small] = [
      large('a'),
      large('a'),
      large('b'),
      large('c'),
      waiter(gate, { key: 'a', cost: 10 }),
    ];
    const states = () => [a1, a2, b1, c1, small].map((entry) => entry?.state);
    for (let i = 0; i < 20; i += 1) await turn();
    expect(states()).toEqual([true, undefined, true, undefined, true]);
    b1?.release?.();
    b1?.release?.();
    for (let i = 0; i < 20; i += 1) await turn();
    // As long as it worked, the others have the process for themselves.
    expect(states()).toEqual([true, undefined, true, undefined, true]);
    now += 10_000;
    // The timer of the controller is the machine's, and may have gone off already: the next that comes has it look again.
    await until(() => {
      waiter(gate, { key: 'd', cost: 10 });
      return c1?.state === true;
    });
    // The key that has one waits on.
    expect(states()).toEqual([true, undefined, true, true, true]);
    a1?.release?.();
    now += 10_000;
    await until(() => {
      waiter(gate, { key: 'd', cost: 10 });
      return a2?.state === true;
    });
  });

  it('gives a key a quarter of all under way, and lets others pass what it sends beyond that', async () => {
    const gate = new AdmissionController({ running: 8, queue: 100 });
    const settled = async () => {
      for (let turns = 0; turns < 20; turns += 1) await turn();
    };
    const many = Array.from({ length: 6 }, () => waiter(gate, { key: 'many', cost: 1 }));
    const begun = () => many.map(({ state }) => state === true);
    await settled();
    expect(begun()).toEqual([true, true, false, false, false, false]);
    expect([gate.running, gate.waiting]).toEqual([2, 4]);
    const other = waiter(gate, { key: 'other', cost: 1 });
    await settled();
    expect(other.state).toBe(true);
    many[0]?.release?.();
    await settled();
    expect(begun()).toEqual([true, true, true, false, false, false]);
    // What has waited too long for the others of its key is refused.
    now += 16_000;
    many[1]?.release?.();
    await settled();
    expect(many.map(({ state }) => state)).toEqual([true, true, true, false, false, false]);
    expect([gate.running, gate.waiting]).toEqual([2, 0]);
    const next = waiter(gate, { key: 'many', cost: 1 });
    await settled();
    expect(next.state).toBe(true);
  });
});
