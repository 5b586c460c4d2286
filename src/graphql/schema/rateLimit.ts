/** How the calling key stands. Needs no scope. */
import { OPERATION_LIMITS, POINTS_PER_REQUEST } from '../../limits/operationLimits.js';
import type { RateLimitResult, WindowState } from '../../limits/slidingWindow.js';
import { builder } from './builder.js';

const resetAt = ({ resetAfter }: WindowState) => new Date(Date.now() + resetAfter);

const Window = builder.objectRef<WindowState>('RateLimitWindow').implement({
  fields: (t) => ({
    name: t.exposeString('name'),
    length: t.exposeInt('length', { description: 'Seconds.' }),
    limit: t.exposeInt('limit', { description: 'Requests in any stretch of that length.' }),
    remaining: t.exposeInt('remaining'),
    resetAt: t.field({
      type: 'DateTime',
      resolve: resetAt,
      description: 'When the oldest request that counts leaves the window.',
    }),
  }),
});

const Cost = builder.objectRef<object>('OperationLimits').implement({
  description: 'What one operation may be, at most.',
  fields: (t) => ({
    maxCost: t.int({
      description: 'Points: an object 1, a connection times its size.',
      resolve: () => OPERATION_LIMITS.cost,
    }),
    pointsPerRequest: t.int({
      description: 'An operation counts as one request, and one more for every so many points.',
      resolve: () => POINTS_PER_REQUEST,
    }),
    maxDepth: t.int({ resolve: () => OPERATION_LIMITS.depth }),
    maxAliases: t.int({ resolve: () => OPERATION_LIMITS.aliases }),
    maxRootFields: t.int({ resolve: () => OPERATION_LIMITS.rootFields }),
    maxTokens: t.int({ resolve: () => OPERATION_LIMITS.tokens }),
    maxCharacters: t.int({ resolve: () => OPERATION_LIMITS.characters }),
    maxBatch: t.int({ resolve: () => OPERATION_LIMITS.batch }),
  }),
});

const widest = ({ windows }: RateLimitResult): WindowState => {
  const last = windows.at(-1);
  if (!last) throw new Error('a key has at least one window');
  return last;
};

const RateLimit = builder.objectRef<RateLimitResult>('RateLimit').implement({
  description: 'The limits of the calling key; the first fields are of its widest window.',
  fields: (t) => ({
    limit: t.int({ resolve: (state) => widest(state).limit }),
    remaining: t.int({ resolve: (state) => widest(state).remaining }),
    resetAt: t.field({ type: 'DateTime', resolve: (state) => resetAt(widest(state)) }),
    windows: t.field({ type: [Window], resolve: ({ windows }) => [...windows] }),
    cost: t.field({ type: Cost, resolve: () => ({}) }),
  }),
});

builder.queryField('rateLimit', (t) =>
  t.field({
    type: RateLimit,
    description: 'How the key stands against its limits. An operation of this alone is free 60 times a minute.',
    resolve: (_root, _args, { principal, services }) => services.keyLimits.peek(principal),
  }),
);
