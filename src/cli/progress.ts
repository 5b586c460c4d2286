/** A progress bar on a terminal; nothing elsewhere. */
import { SingleBar } from 'cli-progress';

export function progressBar(): { update(label: string, done: number, total: number): void; stop(): void } {
  if (!process.stderr.isTTY) return { update() {}, stop() {} };
  const bar = new SingleBar({ format: '{label} {bar} {value}/{total}', stream: process.stderr, hideCursor: true });
  let started = false;
  return {
    update(label, done, total) {
      if (!started) bar.start(total, done, { label: label.padEnd(20) });
      started = true;
      bar.setTotal(total);
      bar.update(done, { label: label.padEnd(20) });
    },
    stop() {
      if (started) bar.stop();
    },
  };
}
