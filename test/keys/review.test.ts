/** What keys could do without, and taking it back; scopes for a while; who can do what. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillTenant } from '../support/factories.js';
import { type GraphQLAnswer, startTestServer, type TestServer } from '../support/server.js';
import { until } from '../support/stream.js';

const DAY = 86_400_000;
let server: TestServer;
let inside: Awaited<ReturnType<typeof fillTenant>>;
let outside: Awaited<ReturnType<typeof fillTenant>>;
beforeAll(async () => {
  server = await startTestServer();
  inside = await fillTenant(server.system, server.workspace.id, 'LIVE');
  outside = await fillTenant(server.system, server.workspace.id, 'LIVE');
});
afterAll(() => server.stop());

const codes = ({ errors }: GraphQLAnswer) => errors?.map(({ extensions }) => extensions['code']);
const age = (id: string, days: number) =>
  server.system.apiKey.update({ where: { id }, data: { createdAt: new Date(Date.now() - days * DAY) } });
async function use(key: string, times: number, query = '{ tasks { totalCount } }') {
  for (let i = 0; i < times; i += 1) await server.gql(query, {}, key);
  await server.flushUsage();
}

describe('the review of keys', () => {
  const review = async (args = '', by = server.adminKey) =>
    server.gql(
      `{ keyReview(first: 200${args}) { risk score reasons { code message } proposal { scopes projects allowedIps } requests apiKey { id } } }`,
      {},
      by,
    );
  const of = async (id: string, args = '') => {
    const { data, errors } = await review(args);
    if (errors) throw new Error(JSON.stringify(errors));
    return data.keyReview.find((one: { apiKey: { id: string } }) => one.apiKey.id === id);
  };

  it('says what a key held and did not use, and what to keep', async () => {
    const { key, apiKey } = await server.createKey(['tasks:*', 'projects:write', 'keys:write'], 'LIVE', {
      projects: [inside.projectId, outside.projectId],
    });
    await age(apiKey.id, 100);
    await use(key, 25, `{ task(id: "${inside.taskId}") { id } }`);
    const reviewed = await of(apiKey.id);
    expect(reviewed).toMatchObject({
      risk: 'HIGH',
      requests: 25,
      proposal: { scopes: ['tasks:read'], projects: [inside.projectId], allowedIps: ['127.0.0.0/24'] },
    });
    const found = reviewed.reasons.map(({ code }: { code: string }) => code);
    for (const code of ['UNUSED_SCOPES', 'UNUSED_PROJECTS', 'MAKES_KEYS', 'WILDCARD', 'NO_EXPIRY', 'ONE_NETWORK']) {
      expect(found).toContain(code);
    }
    const scopes = reviewed.reasons.find(({ code }: { code: string }) => code === 'UNUSED_SCOPES');
    expect(scopes.message).toContain('projects:write');
  });

  it('proposes nothing of a key that is young, and says which were never used', async () => {
    const young = await server.createKey(['tasks:*']);
    await use(young.key, 3);
    expect((await of(young.apiKey.id)).proposal).toEqual({ scopes: null, projects: null, allowedIps: null });
    const idle = await server.createKey(['tasks:*']);
    await age(idle.apiKey.id, 50);
    expect((await of(idle.apiKey.id)).reasons[0].code).toBe('NEVER_USED');
    const narrow = await server.createKey(['tasks:read'], 'LIVE', { expiresAt: new Date(Date.now() + 30 * DAY) });
    await use(narrow.key, 3);
    expect(await of(narrow.apiKey.id)).toMatchObject({ risk: 'NONE', reasons: [] });
  });

  it('shows those first that matter most, of the environment, to whoever may see keys', async () => {
    const { data } = await review(', risk: MEDIUM');
    const scores = data.keyReview.map(({ score }: { score: number }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(Math.min(...scores)).toBeGreaterThanOrEqual(30);
    expect(codes(await review('', await server.key(['tasks:read'])))).toEqual(['FORBIDDEN']);
    expect(codes(await review(', days: 0'))).toEqual(['BAD_USER_INPUT']);
    const bound = await server.createKey(['keys:read', 'tasks:read'], 'LIVE', { projects: [inside.projectId] });
    const own = await review('', bound.key);
    expect(own.data.keyReview.map((one: { apiKey: { id: string } }) => one.apiKey.id)).toEqual([bound.apiKey.id]);
  });
});

describe('what a key used', () => {
  const noted = async (id: string, dimension: string) => {
    await server.flushUsage();
    const rows = await server.system.apiKeyUsage.findMany({ where: { keyId: id, dimension } });
    return rows.map(({ value }) => value).sort();
  };
  const run = async (query: string, key: string, variables = {}) => {
    const { data, errors } = await server.gql(query, variables, key);
    expect(errors).toBeUndefined();
    return data;
  };

  it('has the scopes that no field declares: for rows of others, for what it gives, for what an id turns out to be', async () => {
    const adminsComment = async () => {
      const text = 'mutation ($t: ID!) { createComment(input: { taskId: $t, body: "Hello" }) { comment { id } } }';
      return (await run(text, server.adminKey, { t: inside.taskId })).createComment.comment.id;
    };
    const user = (email: string) =>
      server.system.user.create({
        data: { workspaceId: server.workspace.id, environment: 'LIVE', email, name: 'Somebody', role: 'MEMBER' },
      });
    const member = await user('acting@example.com');
    const cases: [scopes: string[], used: string[], text: string, variables: object, more?: object][] = [
      [
        ['tasks:*'],
        ['tasks:delete', 'tasks:write'],
        'mutation ($c: ID!) { deleteComment(input: { id: $c }) { __typename } }',
        { c: await adminsComment() },
        { actsAsId: member.id },
      ],
      [
        ['keys:write', 'tasks:read', 'users:read'],
        ['keys:write', 'tasks:read'],
        'mutation { createApiKey(input: { name: "Given", scopes: ["tasks:read"] }) { __typename } }',
        {},
      ],
      [
        ['users:delete', 'keys:delete', 'tasks:read'],
        ['keys:delete', 'users:delete'],
        'mutation ($u: ID!) { deleteUser(input: { id: $u, revokeKeys: true }) { revokedKeys } }',
        { u: (await user('gone@example.com')).id },
      ],
      [['tasks:read', 'users:read'], ['tasks:read'], 'query ($t: ID!) { node(id: $t) { id } }', { t: inside.taskId }],
      [
        ['users:write', 'tasks:*', 'projects:*', 'users:read'],
        ['projects:read', 'tasks:read', 'users:read', 'users:write'],
        'mutation { inviteUser(input: { email: "viewer@example.com", role: VIEWER }) { __typename } }',
        {},
      ],
    ];
    for (const [scopes, used, text, variables, more] of cases) {
      const { key, apiKey } = await server.createKey(scopes, 'LIVE', more);
      await run(text, key, variables);
      expect([text, await noted(apiKey.id, 'scope')]).toEqual([text, used]);
    }
  });

  it('has nothing of what it does to itself', async () => {
    const { key, apiKey } = await server.createKey(['keys:write', 'tasks:read']);
    await run('mutation ($k: ID!) { updateApiKey(input: { id: $k, name: "Mine" }) { __typename } }', key, {
      k: apiKey.id,
    });
    expect(await noted(apiKey.id, 'scope')).toEqual(['keys:write']);
  });

  it('has the projects that it wrote to, or was told of', async () => {
    const projects = [inside.projectId, outside.projectId];
    const bound = () => server.createKey(['tasks:*', 'projects:*', 'audit:read'], 'LIVE', { projects });
    const ofTask = { t: outside.taskId };
    const comment = 'mutation ($t: ID!) { createComment(input: { taskId: $t, body: "Hello" }) { comment { id } } }';
    await run(comment, server.adminKey, ofTask);
    const gone = await run(
      'mutation ($p: ID!) { createTask(input: { title: "Gone", projectId: $p }) { task { id } } }',
      server.adminKey,
      { p: outside.projectId },
    );
    await run('mutation ($t: ID!) { deleteTask(input: { id: $t }) { __typename } }', server.adminKey, {
      t: gone.createTask.task.id,
    });
    const tie = await run(
      'mutation ($a: ID!, $b: ID!) { createTaskRelationship(input: { type: RELATES_TO, taskId: $a, targetTaskId: $b }) { taskRelationship { id } } }',
      server.adminKey,
      { a: inside.taskId, b: outside.taskId },
    );
    const only = [outside.projectId];
    const both = [...projects].sort();
    const p = { p: outside.projectId };
    const cases: [text: string, variables: object, used: string[]][] = [
      ['mutation ($p: ID!) { createTask(input: { title: "New", projectId: $p }) { __typename } }', p, only],
      [
        'mutation ($p: ID!) { createTasks(input: { tasks: [{ title: "New", projectId: $p }] }) { __typename } }',
        p,
        only,
      ],
      [
        'mutation ($p: ID!) { importTasks(input: { format: CSV, content: "title\\nrow\\n", projectId: $p }) { __typename } }',
        p,
        only,
      ],
      ['query ($t: ID!) { comments(first: 5, filter: { taskId: { eq: $t } }) { nodes { id } } }', ofTask, only],
      ['query ($t: ID!) { task(id: $t) { comments(first: 5) { nodes { body } } } }', ofTask, only],
      [
        'query ($p: ID!) { taskCounts(groupBy: [STATUS], filter: { projectId: { eq: $p } }) { counts { count } } }',
        p,
        only,
      ],
      ['{ taskCounts(groupBy: [LABEL, STATUS]) { counts { count } } }', {}, both],
      ['query ($p: ID!) { tasks(filter: { projectId: { eq: $p } }) { totalCount } }', p, only],
      ['{ tasks { totalCount } }', {}, both],
      ['{ trash { tasks(first: 5, search: "Gone") { nodes { id } } } }', {}, only],
      ['{ labels(first: 5) { nodes { name } } }', {}, both],
      ['query ($r: ID!) { node(id: $r) { id } }', { r: tie.createTaskRelationship.taskRelationship.id }, both],
      ['{ viewer { apiKey { id } } }', {}, []],
    ];
    for (const [text, variables, used] of cases) {
      const { key, apiKey } = await bound();
      await run(text, key, variables);
      expect([text, await noted(apiKey.id, 'project')]).toEqual([text, used]);
    }
  });
});

describe('tightening', () => {
  const BOUNDS = '{ scopes projects allowedIps }';
  const tighten = (id: string, more = '', by = server.adminKey) =>
    server.gql(
      `mutation { tightenApiKey(input: { id: "${id}"${more} }) { applied before ${BOUNDS} after ${BOUNDS} apiKey { scopes projectIds allowedIps } } }`,
      {},
      by,
    );
  const loosen = (id: string, by = server.adminKey) =>
    server.gql(`mutation { loosenApiKey(input: { id: "${id}" }) { apiKey { scopes projectIds allowedIps } } }`, {}, by);
  async function used() {
    const made = await server.createKey(['tasks:*', 'users:read'], 'LIVE', {
      projects: [inside.projectId, outside.projectId],
    });
    await age(made.apiKey.id, 100);
    await use(made.key, 21, `{ task(id: "${inside.taskId}") { id } }`);
    return made;
  }

  it('takes what was not used, shows what was refused since, and gives it back', async () => {
    const { key, apiKey } = await used();
    const dry = await tighten(apiKey.id, ', dryRun: true');
    expect(dry.data.tightenApiKey).toMatchObject({ applied: false, after: { scopes: ['tasks:read'] } });
    expect(dry.data.tightenApiKey.apiKey.scopes).toEqual(['tasks:*', 'users:read']);
    const { data, errors } = await tighten(apiKey.id);
    expect(errors).toBeUndefined();
    expect(data.tightenApiKey).toMatchObject({
      applied: true,
      apiKey: { scopes: ['tasks:read'], projectIds: [inside.projectId], allowedIps: null },
    });
    expect(codes(await server.gql('{ users { totalCount } }', {}, key))).toEqual(['FORBIDDEN']);
    await server.flushUsage();
    const shown = await server.gql(
      `{ apiKey(id: "${apiKey.id}") { tightenings { undoneAt before ${BOUNDS} after ${BOUNDS} refusals { name count } } } }`,
    );
    expect(shown.data.apiKey.tightenings).toMatchObject([
      { undoneAt: null, before: { scopes: ['tasks:*', 'users:read'] }, refusals: [{ name: 'users:read', count: 1 }] },
    ]);
    const back = await loosen(apiKey.id);
    expect(back.data.loosenApiKey.apiKey).toMatchObject({ scopes: ['tasks:*', 'users:read'], allowedIps: null });
    expect([...back.data.loosenApiKey.apiKey.projectIds].sort()).toEqual([inside.projectId, outside.projectId].sort());
    expect((await server.gql('{ users { totalCount } }', {}, key)).errors).toBeUndefined();
    expect(codes(await loosen(apiKey.id))).toEqual(['CONFLICT']);
  });

  it('takes the allow-list where it is asked to, and nothing where there is nothing', async () => {
    const { apiKey } = await used();
    const { data } = await tighten(apiKey.id, ', parts: [ALLOW_LIST]');
    expect(data.tightenApiKey.apiKey).toMatchObject({
      scopes: ['tasks:*', 'users:read'],
      allowedIps: ['127.0.0.0/24'],
    });
    expect((await tighten(apiKey.id, ', parts: [ALLOW_LIST]')).data.tightenApiKey.applied).toBe(false);
  });

  it('is undone within a week, of a key that is as it was, by whoever holds what it gives back', async () => {
    const first = await used();
    await tighten(first.apiKey.id);
    await server.gql(`mutation { updateApiKey(input: { id: "${first.apiKey.id}", scopes: [] }) { apiKey { id } } }`);
    expect(codes(await loosen(first.apiKey.id))).toEqual(['CONFLICT']);
    const second = await used();
    await tighten(second.apiKey.id);
    const narrow = await server.key(['keys:write', 'tasks:read', 'keys:read']);
    expect(codes(await loosen(second.apiKey.id, narrow))).toEqual(['FORBIDDEN']);
    expect(codes(await tighten(second.apiKey.id, '', await server.key(['keys:read'])))).toEqual(['FORBIDDEN']);
    await server.system.keyTightening.updateMany({
      where: { keyId: second.apiKey.id },
      data: { createdAt: new Date(Date.now() - 8 * DAY) },
    });
    expect(codes(await loosen(second.apiKey.id))).toEqual(['CONFLICT']);
  });

  it('leaves the workspace a key that can manage it', async () => {
    const own = await startTestServer();
    const admin = await own.system.apiKey.findFirstOrThrow();
    await own.system.apiKey.update({ where: { id: admin.id }, data: { createdAt: new Date(Date.now() - 100 * DAY) } });
    for (let i = 0; i < 21; i += 1) await own.gql('{ tasks { totalCount } }');
    await own.flushUsage();
    const short = await own.createKey(['admin:*'], 'LIVE', { expiresAt: new Date(Date.now() + DAY) });
    const { errors } = await own.gql(
      `mutation { tightenApiKey(input: { id: "${admin.id}" }) { applied } }`,
      {},
      short.key,
    );
    expect(['CONFLICT', 'FORBIDDEN']).toContain(errors?.[0]?.extensions['code']);
    expect((await own.system.apiKey.findFirstOrThrow({ where: { id: admin.id } })).scopes).toBe('admin:*');
    await own.stop();
  });
});

describe('scopes for a while', () => {
  const GRANT = '{ scopeGrant { id status scopes minutes endsAt decidedByKeyId } }';
  const ask = (key: string, scopes: string[], minutes = 5) =>
    server.gql(
      `mutation ($scopes: [String!]!, $minutes: Int!) { requestScopes(input: { scopes: $scopes, reason: "to mend it", minutes: $minutes }) ${GRANT} }`,
      { scopes, minutes },
      key,
    );
  const decide = (verb: string, id: string, by = server.adminKey, more = '') =>
    server.gql(`mutation { ${verb}(input: { id: "${id}"${more} }) ${GRANT} }`, {}, by);
  const counts = (key: string) => server.gql('{ users { totalCount } }', {}, key);

  it('are asked for, approved by a key whose authority covers them, and lapse by themselves', async () => {
    const { key, apiKey } = await server.createKey(['tasks:read', 'keys:read']);
    expect(codes(await counts(key))).toEqual(['FORBIDDEN']);
    const asked = await ask(key, ['users:read']);
    expect(asked.errors).toBeUndefined();
    const { id, status } = asked.data.requestScopes.scopeGrant;
    expect(status).toBe('PENDING');
    expect(codes(await counts(key))).toEqual(['FORBIDDEN']);
    // People hear of it.
    await until(async () => {
      const { data } = await server.gql(
        '{ alerts(filter: { kind: { eq: SCOPES_REQUESTED } }) { nodes { keyId message } } }',
      );
      return data.alerts.nodes.some((one: { keyId: string }) => one.keyId === apiKey.id);
    });
    const listed = await server.gql(`{ scopeGrants(filter: { status: { eq: PENDING } }) { nodes { id reason } } }`);
    expect(listed.data.scopeGrants.nodes).toContainEqual({ id, reason: 'to mend it' });
    // By no key that does not hold them, or the other key's, and not by the asking one.
    expect(
      codes(await decide('approveGrant', id, await server.key(['keys:write', 'tasks:read', 'keys:read']))),
    ).toEqual(['FORBIDDEN']);
    expect(codes(await decide('approveGrant', id, await server.key(['keys:write', 'users:read'])))).toEqual([
      'FORBIDDEN',
    ]);
    const approved = await decide('approveGrant', id);
    expect(approved.data.approveGrant.scopeGrant).toMatchObject({
      status: 'ACTIVE',
      decidedByKeyId: expect.any(String),
    });
    expect((await counts(key)).errors).toBeUndefined();
    expect(codes(await decide('approveGrant', id))).toEqual(['CONFLICT']);
    // It hears of it without a scope.
    const own = await server.gql('{ viewer { grants { id status scopes endsAt } } }', {}, key);
    expect(own.data.viewer.grants).toMatchObject([{ id, status: 'ACTIVE', scopes: ['users:read'] }]);
    server.clock.advance(5 * 60_000 + 1000);
    expect(codes(await counts(key))).toEqual(['FORBIDDEN']);
    const audit = await server.gql(
      `{ auditLog(first: 50, filter: { targetId: { eq: "${apiKey.id}" } }) { nodes { action } } }`,
    );
    const actions = audit.data.auditLog.nodes.map(({ action }: { action: string }) => action);
    for (const action of ['api_key.request_scopes', 'api_key.approve_grant']) expect(actions).toContain(action);
  });

  it('are handed on to no other key, and given out by no token', async () => {
    const { key } = await server.createKey(['keys:write', 'tasks:read']);
    const { data } = await ask(key, ['users:read']);
    await decide('approveGrant', data.requestScopes.scopeGrant.id);
    expect((await counts(key)).errors).toBeUndefined();
    const minted = await server.gql(
      'mutation { createApiKey(input: { name: "x", scopes: ["users:read"] }) { key } }',
      {},
      key,
    );
    expect(codes(minted)).toEqual(['FORBIDDEN']);
    const token = await fetch(`${server.origin}/api/auth/oauth2/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: (await server.gql('{ viewer { apiKey { id } } }', {}, key)).data.viewer.apiKey.id,
        client_secret: key,
        scope: 'users:read',
      }),
    });
    expect(token.status).toBe(400);
  });

  it('are ended at once, denied, and not asked for where that is no use', async () => {
    const { key } = await server.createKey(['tasks:read']);
    const { data } = await ask(key, ['users:read']);
    const { id } = data.requestScopes.scopeGrant;
    await decide('approveGrant', id, server.adminKey, ', minutes: 3');
    expect((await counts(key)).errors).toBeUndefined();
    expect((await decide('endGrant', id)).data.endGrant.scopeGrant.status).toBe('ENDED');
    expect(codes(await counts(key))).toEqual(['FORBIDDEN']);
    const other = (await ask(key, ['projects:read'])).data.requestScopes.scopeGrant.id;
    expect((await decide('denyGrant', other)).data.denyGrant.scopeGrant.status).toBe('DENIED');
    for (const scopes of [[], ['tasks:read'], ['admin:*'], ['keys:write'], ['nothing']]) {
      expect(codes(await ask(key, scopes)), scopes.join()).toEqual(['BAD_USER_INPUT']);
    }
    expect(codes(await ask(key, ['users:read'], 100_000))).toEqual(['BAD_USER_INPUT']);
    expect(codes(await decide('approveGrant', 'nothing'))).toEqual(['NOT_FOUND']);
  });
});

describe('who can do what', () => {
  const who = (args: string, by = server.adminKey) =>
    server.gql(`{ whoCan(${args}) { totalCount keys(first: 200) { grants apiKey { id } } } }`, {}, by);

  it('is asked by scope, field or operation, and answered with why', async () => {
    const wide = await server.createKey(['users:*']);
    const narrow = await server.createKey(['users:read']);
    const none = await server.createKey(['tasks:read']);
    for (const args of ['scope: "users:read"', 'field: "Task.assignee"', 'document: "{ users { totalCount } }"']) {
      const { data, errors } = await who(args);
      expect(errors, args).toBeUndefined();
      const found = new Map(
        data.whoCan.keys.map((one: { apiKey: { id: string }; grants: string[] }) => [one.apiKey.id, one.grants]),
      );
      // Task.assignee stands on a task.
      if (!args.startsWith('field')) {
        expect(found.get(wide.apiKey.id), args).toEqual(['users:*']);
        expect(found.get(narrow.apiKey.id), args).toEqual(['users:read']);
      }
      expect(found.has(none.apiKey.id), args).toBe(false);
    }
    for (const args of [
      'scope: "nothing"',
      'field: "Task.nothing"',
      'document: "{ nothing }"',
      'scope: "tasks:read", field: "Task.id"',
    ]) {
      expect(codes(await who(args)), args).toEqual(['BAD_USER_INPUT']);
    }
    expect(codes(await who('scope: "tasks:read"', none.key))).toEqual(['FORBIDDEN']);
  });

  it('of one key: whether it may, and what it lacks', async () => {
    const { apiKey } = await server.createKey(['tasks:read']);
    const can = async (document: string) => {
      const { data } = await server.gql(
        'query ($id: ID!, $document: String!) { apiKey(id: $id) { can(document: $document) { allowed missing lockedOut } } }',
        { id: apiKey.id, document },
      );
      return data.apiKey.can;
    };
    expect(await can('{ tasks { nodes { id } } }')).toEqual({ allowed: true, missing: [], lockedOut: false });
    expect(await can('{ tasks { nodes { project { id } assignee { id } } } }')).toEqual({
      ...{ allowed: false, missing: ['projects:read', 'users:read'], lockedOut: false },
    });
    await server.gql(
      'mutation ($id: ID!) { lockApiKey(input: { id: $id, documents: ["{ tasks { totalCount } }"] }) { applied } }',
      { id: apiKey.id },
    );
    expect(await can('{ tasks { nodes { id } } }')).toMatchObject({ allowed: false, lockedOut: true });
    expect(await can('{ tasks { totalCount } }')).toMatchObject({ allowed: true, lockedOut: false });
  });
});
