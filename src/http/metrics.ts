/** Figures for Prometheus. */
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';

export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'taskgate_http_requests_total',
    help: 'Answered HTTP requests.',
    labelNames: ['method', 'status'],
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'taskgate_http_request_duration_seconds',
    help: 'From the first byte of the request to the head of the answer.',
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
    registers: [registry],
  });
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    observe(method: string, status: number, seconds: number): void {
      requests.inc({ method, status });
      duration.observe(seconds);
    },
  };
}
