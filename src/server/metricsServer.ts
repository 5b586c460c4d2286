/** GET /metrics on a port of its own (METRICS_PORT), without a key: so the port must be reachable by the operator's machines alone. */
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { AggregatorRegistry } from 'prom-client';
import { METRICS_TYPE } from '../metrics.js';

export interface MetricsServer {
  close(): Promise<void>;
}

/**
 * @param text the figures; by default those of all workers together
 * @throws with the code EADDRINUSE or EACCES when the port cannot be had
 */
export async function listenForMetrics(
  { host, metricsPort }: { readonly host: string; readonly metricsPort: number | undefined },
  text?: () => Promise<string>,
): Promise<MetricsServer | undefined> {
  // Workers are asked by the primary process.
  if (metricsPort === undefined || cluster.isWorker) return undefined;
  const figuresOf = text ?? ofWorkers();
  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    if (request.url?.split('?', 1)[0] !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    figuresOf().then(
      (figures) => response.writeHead(200, { 'content-type': METRICS_TYPE }).end(figures),
      () => response.writeHead(503).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(Object.assign(error, { variable: 'METRICS_PORT' })));
    server.listen(metricsPort, host, resolve);
  });
  // It is no reason for a process to stay.
  server.unref();
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function ofWorkers(): () => Promise<string> {
  const registry = new AggregatorRegistry();
  return () => registry.clusterMetrics();
}
