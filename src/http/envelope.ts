/** The error envelope that the clients of all documented systems can read; only the codes differ by prefix. */
import { type ApiError, type ErrorCode, HTTP_STATUS } from '../errors.js';

/** Under which prefix a path lies, which decides the words of its errors. */
export type Prefix = 'api' | 'v1';

export const prefixOf = (path: string): Prefix => (path === '/v1' || path.startsWith('/v1/') ? 'v1' : 'api');

const API_CODES: Partial<Record<ErrorCode, string>> = {
  UNAUTHENTICATED: 'INVALID_API_KEY',
  FORBIDDEN: 'INSUFFICIENT_PERMISSIONS',
  RATE_LIMITED: 'RATE_LIMIT_EXCEEDED',
  BAD_USER_INPUT: 'INVALID_REQUEST',
  INTERNAL_SERVER_ERROR: 'INTERNAL_ERROR',
};
const V1_CODES: Partial<Record<ErrorCode, string>> = {
  UNAUTHENTICATED: 'unauthorized',
  FORBIDDEN: 'forbidden',
  RATE_LIMITED: 'RATE_LIMIT_EXCEEDED',
  HTTPS_REQUIRED: 'HTTPS_REQUIRED',
  BAD_USER_INPUT: 'bad_request',
  INTERNAL_SERVER_ERROR: 'internal_error',
};
const MESSAGES: Record<Prefix, Partial<Record<ErrorCode, string>>> = {
  api: {
    UNAUTHENTICATED: 'The provided API key is invalid or has been revoked.',
    FORBIDDEN: "Your API key doesn't have access to this resource.",
  },
  v1: {
    UNAUTHENTICATED: 'Invalid or missing API key',
    FORBIDDEN: "Your API key doesn't have access to this resource.",
  },
};

interface Envelope {
  readonly error: { readonly code: string; readonly message: string; readonly details?: object };
  readonly message: string;
  /** Beside the error, where a documented client looks for it. */
  readonly code?: string;
  readonly errors?: Readonly<Record<string, readonly string[]>>;
  readonly requestId: string;
}

export function envelopeOf(prefix: Prefix, error: ApiError, requestId: string) {
  const { details } = error;
  const fields = details['fields'] as Readonly<Record<string, readonly string[]>> | undefined;
  const problems = fields ?? (details['parameters'] as typeof fields);
  const missingScopes = details['missingScopes'] as readonly string[] | undefined;
  const invalid = prefix === 'v1' && error.code === 'BAD_USER_INPUT' && fields !== undefined;
  const code = invalid ? 'validation_error' : codeOf(prefix, error.code);
  const reason = details['reason'] as string | undefined;
  const usual = MESSAGES[prefix][error.code];
  // What the documents have for every refusal says nothing of one that has another reason than a scope.
  const message = usual && reason ? `${usual} ${reason}` : (usual ?? error.message);
  const shown = {
    ...Object.fromEntries(Object.entries(problems ?? {}).map(([field, reasons]) => [field, reasons.join('; ')])),
    ...(missingScopes && { missingScopes }),
    ...(reason && { reason }),
  };
  const body: Envelope = {
    error: { code, message, ...(Object.keys(shown).length > 0 && { details: shown }) },
    message,
    ...(error.code === 'RATE_LIMITED' && { code }),
    ...(problems && { errors: problems }),
    requestId,
  };
  const headers: Record<string, string> = {};
  if (details['retryAfter'] !== undefined) headers['retry-after'] = String(details['retryAfter']);
  if (details['allow'] !== undefined) headers['allow'] = String(details['allow']);
  if (error.code === 'UNAUTHENTICATED') headers['www-authenticate'] = String(details['challenge'] ?? 'Bearer');
  // RFC 6750 3.1
  if (error.code === 'FORBIDDEN' && missingScopes?.length) {
    headers['www-authenticate'] = `Bearer error="insufficient_scope", scope="${missingScopes.join(' ')}"`;
  }
  return { status: invalid ? (422 as const) : HTTP_STATUS[error.code], body, headers };
}

function codeOf(prefix: Prefix, code: ErrorCode): string {
  if (prefix === 'api') return API_CODES[code] ?? code;
  return V1_CODES[code] ?? code.toLowerCase();
}
