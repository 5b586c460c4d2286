/**
 * What is asked, unless it takes too long. An answer that has come while this process itself was busy counts: it is read
 * in the turn after the timer.
 * @param milliseconds
 * @throws Error with the message, or what the asking failed with
 */
export async function answeredWithin<T>(milliseconds: number, message: string, asked: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => setImmediate(() => reject(new Error(message))), milliseconds);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
