/** Ids of rows: UUIDv7, which count up within a process, those of one millisecond too. */
import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

/** Bytes of one id. */
const RANDOM = 16;
/** Taken from the system at once: a change of many rows needs thousands of ids. */
const POOL = Buffer.alloc(RANDOM * 1024);

let taken = POOL.length;
let msecs = 0;
let seq = 0;

export function newId(): string {
  if (taken === POOL.length) {
    randomFillSync(POOL);
    taken = 0;
  }
  const random = POOL.subarray(taken, taken + RANDOM);
  taken += RANDOM;
  const now = Date.now();
  if (now > msecs) {
    msecs = now;
    // So that there is room to count up.
    seq = random.readUInt32BE(0) >>> 1;
  } else if (seq < 0xff_ff_ff_ff) {
    seq += 1;
  } else {
    msecs += 1;
    seq = 0;
  }
  return v7({ msecs, seq, random });
}
