/** Tasks that are moved on a board. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GraphQLAnswer, startTestServer, type TestServer } from './support/server.js';

/** Of the board that many move on at once. */
const TASKS = Number(process.env['MOVE_TASKS'] ?? 30);

let server: TestServer;
let key: string;
beforeAll(async () => {
  server = await startTestServer();
  key = (await server.createKey(['admin:*'], 'LIVE', { ratePerMinute: 10_000, ratePerHour: 200_000 })).key;
});
afterAll(() => server.stop());

const codes = ({ errors }: GraphQLAnswer) => errors?.map(({ extensions }) => extensions['code']);
const move = (input: object) =>
  server.gql(
    `mutation ($input: MoveTaskInput!) { moveTask(input: $input) { task { id projectId status position updatedAt } } }`,
    { input },
    key,
  );
async function board(count: number) {
  const { data } = await server.gql('mutation { createProject(input: { name: "Board" }) { project { id } } }', {}, key);
  const projectId = data.createProject.project.id as string;
  const ids: string[] = [];
  for (let i = 0; i < count; i += 1) ids.push(await add(projectId));
  return { projectId, ids };
}
async function add(projectId: string | null): Promise<string> {
  const { data } = await server.gql(
    'mutation ($p: ID) { createTask(input: { title: "T", projectId: $p }) { task { id } } }',
    { p: projectId },
    key,
  );
  return data.createTask.task.id;
}
async function order(projectId: string): Promise<string[]> {
  const ids: string[] = [];
  for (let after: string | null = null; ; ) {
    const { data } = await server.gql(
      `query ($id: ID!, $after: String) {
        project(id: $id) { tasks(first: 1000, after: $after, orderBy: [{ field: POSITION }]) {
          nodes { id } pageInfo { hasNextPage endCursor }
        } }
      }`,
      { id: projectId, after },
      key,
    );
    const { nodes, pageInfo } = data.project.tasks;
    ids.push(...nodes.map(({ id }: { id: string }) => id));
    if (!pageInfo.hasNextPage) return ids;
    after = pageInfo.endCursor;
  }
}

describe('a task', () => {
  it('goes before or after another, to the end, to another column and project', async () => {
    const { projectId, ids } = await board(4);
    const [a, b, c, d] = ids as [string, string, string, string];
    expect(await order(projectId)).toEqual([a, b, c, d]);
    await move({ id: d, beforeId: a });
    expect(await order(projectId)).toEqual([d, a, b, c]);
    await move({ id: d, afterId: a });
    expect(await order(projectId)).toEqual([a, d, b, c]);
    const { data } = await move({ id: a, status: 'DONE' });
    expect(data.moveTask.task.status).toBe('DONE');
    expect(await order(projectId)).toEqual([d, b, c, a]);
    // What is new comes last.
    const e = await add(projectId);
    expect(await order(projectId)).toEqual([d, b, c, a, e]);
    const other = await board(2);
    await move({ id: b, projectId: other.projectId, beforeId: other.ids[1] });
    expect(await order(other.projectId)).toEqual([other.ids[0], b, other.ids[1]]);
    expect(await order(projectId)).toEqual([d, c, a, e]);
    await move({ id: b, projectId: null });
    expect(await order(other.projectId)).toEqual(other.ids);
  });

  it('stays where it is when the place is none', async () => {
    const { projectId, ids } = await board(3);
    const [a, b] = ids as [string, string];
    const elsewhere = (await board(1)).ids[0];
    expect(codes(await move({ id: a, beforeId: a }))).toEqual(['BAD_USER_INPUT']);
    expect(codes(await move({ id: a, beforeId: b, afterId: b }))).toEqual(['BAD_USER_INPUT']);
    expect(codes(await move({ id: a, beforeId: elsewhere }))).toEqual(['BAD_USER_INPUT']);
    expect(codes(await move({ id: a, afterId: 'none' }))).toEqual(['NOT_FOUND']);
    expect(codes(await move({ id: 'none' }))).toEqual(['NOT_FOUND']);
    expect(codes(await move({ id: a, projectId: 'none' }))).toEqual(['NOT_FOUND']);
    expect(codes(await move({ id: a, expectedUpdatedAt: '2020-01-01T00:00:00Z' }))).toEqual(['CONFLICT']);
    expect(await order(projectId)).toEqual(ids);
    const bound = await server.createKey(['tasks:read', 'tasks:write']);
    await server.system.apiKey.update({ where: { id: bound.apiKey.id }, data: { projectIds: projectId } });
    const { errors } = await server.gql(
      'mutation ($input: MoveTaskInput!) { moveTask(input: $input) { task { id } } }',
      { input: { id: a, beforeId: elsewhere } },
      bound.key,
    );
    expect(errors?.[0]?.extensions['code']).toBe('NOT_FOUND');
  });

  it('finds a place between two for ever, and among many in one place', { timeout: 120_000 }, async () => {
    const { projectId, ids } = await board(3);
    const [a, b, c] = ids as [string, string, string];
    // Each halves the distance between the first two.
    for (let i = 0; i < 120; i += 1) {
      const [, second] = await order(projectId);
      await move({ id: second === b ? c : b, afterId: a });
      expect((await order(projectId)).slice(0, 2)).toEqual([a, second === b ? c : b]);
    }
    const end = await board(3);
    for (let i = 0; i < 120; i += 1) {
      await move({ id: end.ids[i % 3] });
      expect((await order(end.projectId)).at(-1)).toBe(end.ids[i % 3]);
    }
    const same = await board(40);
    await server.system.task.updateMany({ where: { projectId: same.projectId }, data: { position: 7 } });
    await move({ id: same.ids[39], beforeId: same.ids[20] });
    const shown = await order(same.projectId);
    expect(shown).toHaveLength(40);
    expect(shown.indexOf(same.ids[39] ?? '')).toBe(shown.indexOf(same.ids[20] ?? '') - 1);
    expect(shown.filter((id) => id !== same.ids[39])).toEqual(same.ids.slice(0, 39));
  });

  it('moves with many others at once: one order, and no move is lost', { timeout: 300_000 }, async () => {
    const MOVES = 200;
    const { projectId, ids } = await board(TASKS);
    const random = (most: number) => Math.floor(Math.random() * most);
    const client = async () => {
      for (let i = 0; i < MOVES; i += 1) {
        const [id, anchor] = [ids[random(ids.length)], ids[random(ids.length)]];
        if (id === anchor) continue;
        const answer = await move({ id, [i % 2 ? 'beforeId' : 'afterId']: anchor });
        expect(answer.errors).toBeUndefined();
      }
    };
    await Promise.all([client(), client(), client(), client()]);
    const shown = await order(projectId);
    expect(shown.toSorted()).toEqual(ids.toSorted());
    const rows = await server.system.task.findMany({ where: { projectId }, select: { position: true } });
    expect(new Set(rows.map(({ position }) => position)).size).toBe(ids.length);
    // Each client moves its own half behind one task, all at once: what was moved last stands first.
    const [anchor, ...others] = ids as [string, ...string[]];
    const halves = [others.slice(0, TASKS / 2), others.slice(TASKS / 2)];
    await Promise.all(
      halves.map(async (half) => {
        for (const id of half) expect((await move({ id, afterId: anchor })).errors).toBeUndefined();
      }),
    );
    const after = await order(projectId);
    expect(after).toHaveLength(ids.length);
    expect(after[0]).toBe(anchor);
    // Of each client in the order of its moves.
    for (const half of halves) expect(after.filter((id) => half.includes(id))).toEqual(half.toReversed());
  });
});
