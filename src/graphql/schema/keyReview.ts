/** What keys could do without: their review, and taking back what they do not use. */
import { callerOf } from '../../auth/principal.js';
import { badInput } from '../../errors.js';
import { MOST_DAYS, type ReviewedKey, reviewKeys } from '../../keys/keyReview.js';
import { type Proposal, REVIEW_CODES, type Review, RISKS } from '../../keys/review.js';
import { partsOf, scopesTaken, TIGHTENED_PARTS, type Tightened, type TightenedPart } from '../../keys/tightening.js';
import { dayOf } from '../../keys/usage.js';
import { MAX_OFFSET } from '../../operations/pageLimits.js';
import { OFFSET_DESCRIPTION } from '../connections/keyset.js';
import { ApiKey, Count, EnvironmentEnum } from './apiKey.js';
import { builder, expectedUpdatedAt, rowField } from './builder.js';

const USUAL_DAYS = 90;
const SHOWN = 50;
const MOST_SHOWN = 200;
/** Points: all keys and their use are looked at. */
const ALL_KEYS = 200;

const KeyRisk = builder.enumType('KeyRisk', { values: RISKS });
const ReviewCodeEnum = builder.enumType('KeyReviewCode', {
  values: Object.fromEntries(Object.entries(REVIEW_CODES).map(([code, description]) => [code, { description }])) as {
    [Code in keyof typeof REVIEW_CODES]: { description: string };
  },
});

const Reason = builder.objectRef<Review['reasons'][number]>('KeyReviewReason').implement({
  fields: (t) => ({
    code: t.expose('code', { type: ReviewCodeEnum }),
    message: t.exposeString('message'),
    weight: t.exposeInt('weight', { description: 'Of the score.' }),
  }),
});

const ProposalType = builder.objectRef<Proposal>('KeyProposal').implement({
  description: 'What may be taken back from a key; null: nothing of that kind.',
  fields: (t) => ({
    scopes: t.stringList({
      nullable: true,
      description: 'Those that it used, in place of those that it holds.',
      resolve: ({ scopes }) => (scopes ? [...scopes] : null),
    }),
    projects: t.idList({
      nullable: true,
      description: 'Those that it used, of those that it is bound to.',
      resolve: ({ projects }) => (projects ? [...projects] : null),
    }),
    allowedIps: t.stringList({
      nullable: true,
      description: 'The one network that it was used from.',
      resolve: ({ allowedIps }) => (allowedIps ? [...allowedIps] : null),
    }),
  }),
});

const KeyReviewType = builder.objectRef<ReviewedKey>('KeyReview').implement({
  description: 'A key, what is risky about it, and what it could do without.',
  fields: (t) => ({
    risk: t.expose('risk', { type: KeyRisk }),
    score: t.exposeInt('score', { description: '0 to 100.' }),
    reasons: t.field({
      type: [Reason],
      description: 'The weightiest first.',
      extensions: { size: 5 },
      resolve: ({ reasons }) => [...reasons],
    }),
    proposal: t.field({ type: ProposalType, resolve: ({ proposal }) => proposal }),
    requests: t.int({ description: 'In the days that were looked at.', resolve: ({ use }) => use.requests }),
    lastUsedAt: t.field({ type: 'DateTime', nullable: true, resolve: ({ use }) => use.lastUsedAt }),
    apiKey: t.prismaField({
      type: ApiKey,
      nullable: true,
      authScopes: { scope: 'keys:read' },
      extensions: { cost: 5 },
      resolve: (query, { key }, _args, { db }) => db.apiKey.findUnique({ ...query, where: { id: key.id } }),
    }),
  }),
});

builder.queryField('keyReview', (t) =>
  t.field({
    type: [KeyReviewType],
    nullable: true,
    description: 'The keys of the environment that work, those that should be looked at first.',
    authScopes: { scope: 'keys:read' },
    extensions: { cost: ALL_KEYS },
    args: {
      days: t.arg.int({ defaultValue: USUAL_DAYS, description: `Whose use is looked at, at most ${MOST_DAYS}.` }),
      risk: t.arg({ type: KeyRisk, description: 'Only those of this risk, or of a higher one.' }),
      first: t.arg.int({ defaultValue: SHOWN, description: `At most ${MOST_SHOWN}.` }),
      offset: t.arg.int({ description: OFFSET_DESCRIPTION }),
      environment: t.arg({ type: EnvironmentEnum, description: "By default the calling key's." }),
    },
    resolve: async (_root, { days, risk, first, offset, environment }, { db, services, principal }) => {
      const [take, skip] = [first ?? SHOWN, offset ?? 0];
      if (take < 0 || take > MOST_SHOWN) throw badInput({ first: [`must be from 0 to ${MOST_SHOWN}`] });
      if (skip < 0 || skip > MAX_OFFSET) throw badInput({ offset: [`must be from 0 to ${MAX_OFFSET}`] });
      const options = { days: days ?? USUAL_DAYS, now: services.clock(), plan: principal.plan };
      const all = await reviewKeys(db, options, { environment: environment ?? principal.environment });
      const least = RISKS.indexOf(risk ?? 'NONE');
      return all.filter((one) => RISKS.indexOf(one.risk) >= least).slice(skip, skip + take);
    },
  }),
);

type Bounds = Tightened['before'];

const BoundsType = builder.objectRef<Bounds>('KeyBounds').implement({
  fields: (t) => ({
    scopes: t.stringList({ resolve: ({ scopes }) => [...scopes] }),
    projects: t.idList({ nullable: true, resolve: ({ projects }) => (projects ? [...projects] : null) }),
    allowedIps: t.stringList({ nullable: true, resolve: ({ allowedIps }) => (allowedIps ? [...allowedIps] : null) }),
  }),
});

interface TighteningRow {
  readonly keyId: string;
  readonly before: unknown;
  readonly after: unknown;
  readonly createdAt: Date;
  readonly undoneAt: Date | null;
}

const Tightening = builder.objectRef<TighteningRow>('KeyTightening').implement({
  description: 'What was taken back from a key.',
  fields: (t) => ({
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    undoneAt: t.expose('undoneAt', { type: 'DateTime', nullable: true }),
    before: t.field({ type: BoundsType, resolve: (row) => partsOf(row as never).before }),
    after: t.field({ type: BoundsType, resolve: (row) => partsOf(row as never).after }),
    refusals: t.field({
      type: [Count],
      description: 'Requests since, from that day on, that missed one of the scopes that were taken.',
      extensions: { cost: 5, size: 10 },
      resolve: async (row, _args, { db }) => {
        const { before, after } = partsOf(row as never);
        const groups = await db.apiKeyUsage.groupBy({
          by: ['value'],
          where: { keyId: row.keyId, dimension: 'missing', day: { gte: dayOf(row.createdAt) } },
          _sum: { count: true },
          orderBy: { value: 'asc' },
        });
        const taken = scopesTaken(before, after);
        return groups.flatMap(({ value, _sum }) => (taken(value) ? { name: value, count: _sum.count ?? 0 } : []));
      },
    }),
  }),
});

const MOST_TIGHTENINGS = 20;

builder.prismaObjectField(ApiKey, 'tightenings', (t) =>
  t.field({
    type: [Tightening],
    description: `What was taken back from it, the latest first; the ${MOST_TIGHTENINGS} latest.`,
    extensions: { cost: 5, size: 2 },
    resolve: ({ id }, _args, { db }) =>
      db.keyTightening.findMany({ where: { keyId: id }, orderBy: { createdAt: 'desc' }, take: MOST_TIGHTENINGS }),
  }),
);

const Part = builder.enumType('KeyTighteningPart', { values: TIGHTENED_PARTS });
const USUAL_PARTS: readonly TightenedPart[] = ['SCOPES', 'PROJECTS'];

const tightenedFields = (t: object) => rowField<Tightened>(t, 'apiKey', ApiKey, ({ apiKey }) => apiKey.id);

builder.relayMutationField(
  'tightenApiKey',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      days: t.int({ defaultValue: USUAL_DAYS, description: 'Whose use is looked at.' }),
      parts: t.field({ type: [Part], description: 'What is taken back; by default scopes and projects.' }),
      dryRun: t.boolean({ defaultValue: false, description: 'Tells what would become of it, and changes nothing.' }),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description:
      'Takes back what a key did not use, as its review proposes. `loosenApiKey` gives it back within seven days.',
    authScopes: { scope: 'keys:write' },
    grantScopes: ['self'],
    resolve: (_root, { input: { id, days, parts, dryRun, expectedUpdatedAt: expected } }, context) => {
      const { services, actor, principal } = context;
      return services.tightenings.tighten(actor, callerOf(principal), id, {
        ...{ days: days ?? USUAL_DAYS, dryRun: dryRun ?? false, parts: parts ?? USUAL_PARTS },
        expectedUpdatedAt: expected,
      });
    },
  },
  {
    outputFields: (t) => ({
      before: t.field({ type: BoundsType, resolve: ({ before }) => before }),
      after: t.field({ type: BoundsType, resolve: ({ after }) => after }),
      applied: t.exposeBoolean('applied', { description: 'false: it was a dry run, or there is nothing to take.' }),
      ...tightenedFields(t),
    }),
  },
);

builder.relayMutationField(
  'loosenApiKey',
  { inputFields: (t) => ({ id: t.id({ required: true }), expectedUpdatedAt: expectedUpdatedAt(t) }) },
  {
    nullable: true,
    description: 'Gives back what was taken from a key last, within seven days, unless the key was changed since.',
    authScopes: { scope: 'keys:write' },
    grantScopes: ['self'],
    resolve: (_root, { input: { id, expectedUpdatedAt: expected } }, { services, actor, principal }) =>
      services.tightenings.loosen(actor, callerOf(principal), id, expected),
  },
  {
    outputFields: (t) => ({
      after: t.field({ type: BoundsType, resolve: ({ after }) => after }),
      ...tightenedFields(t),
    }),
  },
);
