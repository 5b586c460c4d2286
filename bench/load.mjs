// One operation sent for a while over several connections.
import autocannon from 'autocannon';

/**
 * @param body as it is sent in JSON
 * @returns requests a second, and the 99th percentile in milliseconds
 */
export async function load(port, body, { credential, seconds, connections, expected = 200 }) {
  const result = await autocannon({
    url: `http://127.0.0.1:${port}/graphql`,
    method: 'POST',
    duration: seconds,
    connections,
    headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const other = Object.keys(result.statusCodeStats ?? {}).filter((status) => Number(status) !== expected);
  if (other.length > 0 || result.errors > 0) throw new Error(`status ${other.join(', ')}, ${result.errors} errors`);
  return { rate: result.requests.average, p99: result.latency.p99 };
}
