/** Structured logs. Nothing that a line is made of may hold a key: headers and bodies are never logged. */
import { pino } from 'pino';
import type { Config } from '../config.js';
import { SECRET_PATTERN } from '../keys/format.js';

export type Logger = pino.Logger;

/**
 * Lines are written together, so many characters or after so many milliseconds, and when the process ends: to write each by
 * itself takes longer than to make it.
 */
const BUFFER = 8192;
const FLUSH_EVERY = 100;

export function createLogger(config: Pick<Config, 'logLevel'>, destination?: pino.DestinationStream): Logger {
  const options: pino.LoggerOptions = {
    level: config.logLevel,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (level) => ({ level }) },
    serializers: { err: (error) => redact(pino.stdSerializers.err(error)) },
  };
  return pino(
    options,
    destination ?? pino.destination({ dest: 1, sync: false, minLength: BUFFER, periodicFlush: FLUSH_EVERY }),
  );
}

/** The last line of defence: an error's message may quote what a caller sent. */
function redact<T>(value: T): T {
  return JSON.parse(JSON.stringify(value).replace(SECRET_PATTERN, (secret) => `${secret.slice(0, 8)}[redacted]`)) as T;
}
