/** Answers that go on until their client leaves: subscriptions over server-sent events, or in parts. */
import type { ServerResponse } from 'node:http';

export class OpenStreams {
  readonly #open = new Set<ServerResponse>();

  /** @param outgoing the connection's side of an answer; one of another kind is left alone */
  watch(answer: Response, outgoing: ServerResponse | undefined): void {
    if (!outgoing || !/^(?:text\/event-stream|multipart\/mixed)\b/.test(answer.headers.get('content-type') ?? ''))
      return;
    this.#open.add(outgoing);
    outgoing.once('close', () => this.#open.delete(outgoing));
  }

  /** Ends them without a word of completion, so that their clients subscribe again, elsewhere. */
  end(): void {
    for (const outgoing of this.#open) outgoing.end();
  }
}
