/**
 * What is risky about a key, and what it could do without: pure rules over what it may do and what it was used for. The weights say
 * in which order people should look; a key of HIGH risk has several of the reasons, or one of the worst.
 */
import { type Scope, scopeSet } from '../scopes/scope.js';
import { type Authority, listOf, type StoredKey } from './authority.js';

const DAY = 86_400_000;

/** What a key was used for in the days that are looked at. */
export interface KeyUse {
  readonly requests: number;
  /** Requests of the busiest day. */
  readonly busiestDay: number;
  readonly scopes: ReadonlySet<string>;
  readonly projects: ReadonlySet<string>;
  readonly networks: ReadonlySet<string>;
  /** Whenever that was. */
  readonly lastUsedAt: Date | null;
  /** Hashes of the operations of its latest set that ran in these days. */
  readonly operations: ReadonlySet<string>;
}

export const REVIEW_CODES = {
  NEVER_USED: 'It was never used.',
  NOT_USED: 'It was not used for long.',
  ADMINISTRATOR: 'It may do everything.',
  MAKES_KEYS: 'It makes and changes keys.',
  WILDCARD: 'It holds all actions of a resource, those that will be added too.',
  UNUSED_SCOPES: 'It holds scopes of which nothing was used.',
  UNUSED_PROJECTS: 'It is bound to projects of which nothing was used.',
  UNUSED_OPERATIONS: 'It is locked to operations that did not run.',
  NO_EXPIRY: 'It never expires.',
  OLD: 'It is older than a year.',
  ONE_NETWORK: 'All use came from one network, and it may be used from any.',
  HIGH_LIMIT: 'Its limit is far above what it uses.',
} as const;
type ReviewCode = keyof typeof REVIEW_CODES;

interface Reason {
  readonly code: ReviewCode;
  readonly message: string;
  readonly weight: number;
}

export const RISKS = ['NONE', 'LOW', 'MEDIUM', 'HIGH'] as const;
export type Risk = (typeof RISKS)[number];

/** What may be taken back from a key; undefined: nothing of that kind. */
export interface Proposal {
  readonly scopes?: readonly string[];
  readonly projects?: readonly string[];
  /** The one network that it was used from. */
  readonly allowedIps?: readonly string[];
}

export interface Review {
  readonly risk: Risk;
  readonly score: number;
  /** The weightiest first. */
  readonly reasons: readonly Reason[];
  readonly proposal: Proposal;
}

export interface ReviewOptions {
  /** How many days were looked at. */
  readonly days: number;
  readonly now: Date;
}

/** Days after which a key that nobody used is taken for forgotten. */
const FORGOTTEN = 30;
/** Requests from which on use says where a key is used from. */
const MEANINGFUL = 20;
/** How far above the busiest day a limit is far above. */
const FAR = 1000;
const DANGEROUS: readonly Scope[] = ['keys:write', 'keys:delete', 'users:write', 'users:delete'];

export function reviewKey(key: StoredKey, authority: Authority, use: KeyUse, options: ReviewOptions): Review {
  const proposal = proposalOf(key, authority, use, options);
  const reasons = [...reasonsOf(key, authority, use, options, proposal)].sort((a, b) => b.weight - a.weight);
  const score = Math.min(
    100,
    reasons.reduce((sum, { weight }) => sum + weight, 0),
  );
  const risk = score >= 60 ? 'HIGH' : score >= 30 ? 'MEDIUM' : score > 0 ? 'LOW' : 'NONE';
  return { risk, score, reasons, proposal };
}

/** What a key used of what it has; nothing is proposed of a kind that it used all of, or none. */
function proposalOf(key: StoredKey, authority: Authority, use: KeyUse, { now, days }: ReviewOptions): Proposal {
  // Use of a key that is younger than the days that are looked at says no more than that it is young.
  const isKnown =
    now.getTime() - key.createdAt.getTime() >= Math.min(days, FORGOTTEN) * DAY || use.requests >= MEANINGFUL;
  if (!isKnown || use.requests === 0) return {};
  const used = [...authority.scopes].filter((scope) => use.scopes.has(scope));
  const projects = [...(authority.projects ?? [])].filter((id) => use.projects.has(id));
  const [network] = use.networks;
  return {
    ...(key.lock === null && isNarrower(used, key) && { scopes: used.sort() }),
    ...(authority.projects && projects.length > 0 && projects.length < authority.projects.size && { projects }),
    ...(key.allowedIps === null &&
      use.networks.size === 1 &&
      network !== undefined &&
      network !== 'other' &&
      use.requests >= MEANINGFUL && { allowedIps: [network] }),
  };
}

function isNarrower(scopes: readonly string[], { scopes: grants }: StoredKey): boolean {
  return scopeSet(scopes).size < scopeSet(listOf(grants)).size;
}

function* reasonsOf(
  key: StoredKey,
  { scopes, granted, limits }: Authority,
  use: KeyUse,
  { now, days }: ReviewOptions,
  proposal: Proposal,
): Generator<Reason> {
  const reason = (code: ReviewCode, weight: number, message: string): Reason => ({ code, weight, message });
  const age = Math.floor((now.getTime() - key.createdAt.getTime()) / DAY);
  const idle = use.lastUsedAt && Math.floor((now.getTime() - use.lastUsedAt.getTime()) / DAY);
  if (use.lastUsedAt === null && age >= FORGOTTEN) {
    yield reason('NEVER_USED', 40, `It was made ${age} days ago and never used.`);
  } else if (idle !== null && idle >= FORGOTTEN) {
    yield reason('NOT_USED', 30, `It was used ${idle} days ago for the last time.`);
  }
  if (scopes.has('admin:*') && key.lock === null) yield reason('ADMINISTRATOR', 30, REVIEW_CODES.ADMINISTRATOR);
  else {
    const dangerous = DANGEROUS.filter((scope) => scopes.has(scope));
    if (dangerous.length > 0) yield reason('MAKES_KEYS', 15, `It changes keys or people: ${dangerous.join(', ')}.`);
  }
  const wildcards = listOf(key.scopes).filter((grant) => grant.endsWith(':*') && grant !== 'admin:*');
  if (wildcards.length > 0) yield reason('WILDCARD', 5, `It holds ${wildcards.join(', ')}, with what will be added.`);
  const unused = [...granted].filter((scope) => !use.scopes.has(scope) && scope !== 'admin:*');
  if (key.lock === null && unused.length > 0 && (proposal.scopes || use.requests === 0) && age >= 1) {
    const isWorse = unused.some((scope) => !scope.endsWith(':read'));
    const weight = Math.min(30, 5 + 2 * unused.length) + (isWorse ? 5 : 0);
    yield reason('UNUSED_SCOPES', weight, `In ${days} days it used nothing of ${unused.join(', ')}.`);
  }
  const { projects } = proposal;
  if (projects) {
    const idleProjects = listOf(key.projectIds).filter((id) => !projects.includes(id));
    yield reason('UNUSED_PROJECTS', 10, `In ${days} days it used nothing of the projects ${idleProjects.join(', ')}.`);
  }
  const quiet = [...(key.lock?.values() ?? [])].flatMap(([operation]) =>
    operation && operation.endsAt === null && !use.operations.has(operation.hash) ? operation.name : [],
  );
  if (quiet.length > 0 && age >= FORGOTTEN) {
    const shown =
      quiet.length > 10 ? `${quiet.slice(0, 10).join(', ')} and ${quiet.length - 10} more` : quiet.join(', ');
    yield reason('UNUSED_OPERATIONS', 5, `In ${days} days it did not run ${shown}.`);
  }
  if (key.expiresAt === null) yield reason('NO_EXPIRY', 10, REVIEW_CODES.NO_EXPIRY);
  if (age > 365) yield reason('OLD', 10, `It was made ${age} days ago. Rotate it.`);
  if (proposal.allowedIps) {
    yield reason('ONE_NETWORK', 10, `All use came from ${proposal.allowedIps[0]}, and it may be used from anywhere.`);
  }
  const perDay = limits.perHour === null ? limits.perMinute * 1440 : limits.perHour * 24;
  if (use.requests >= MEANINGFUL && perDay > use.busiestDay * FAR) {
    yield reason(
      'HIGH_LIMIT',
      5,
      `It may make ${perDay} requests a day, and made ${use.busiestDay} on its busiest one.`,
    );
  }
}
