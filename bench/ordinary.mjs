// 20 ordinary clients in a thread of their own, so that what the hostile ones cost their program is not measured: a page, a
// task, a change, now and then, as people's tools do. Answers the times since it was asked last, in milliseconds.
import { Agent, request as send } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';

const { origin, key, taskId } = workerData;
const agent = new Agent({ keepAlive: true });
function call(route, method, body) {
  const started = performance.now();
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const request = send(origin + route, { method, agent, headers }, (response) => {
      response.resume();
      response.once('end', () => resolve({ status: response.statusCode, ms: performance.now() - started }));
    });
    request.once('error', () => resolve({ status: 0, ms: performance.now() - started }));
    request.end(body);
  });
}
const graphql = (query, variables) => call('/graphql', 'POST', JSON.stringify({ query, variables }));
const ORDINARY = [
  () => graphql('{ tasks(first: 20) { nodes { id title status project { id name } } } }'),
  () => graphql('query ($id: ID!) { task(id: $id) { id title } }', { id: taskId }),
  () => graphql('mutation { createTask(input: { title: "ordinary" }) { task { id } } }'),
  () => call('/v1/tasks?limit=10', 'GET'),
];
let times = [];
parentPort.on('message', () => {
  parentPort.postMessage(times);
  times = [];
});
await Promise.all(
  Array.from({ length: 20 }, async (_, i) => {
    for (let turn = i; ; turn += 1) {
      const { status, ms } = await ORDINARY[turn % ORDINARY.length]();
      times.push(status === 200 || status === 201 ? ms : Number.POSITIVE_INFINITY);
      await new Promise((resolve) => setTimeout(resolve, 150 + Math.random() * 100));
    }
  }),
);
