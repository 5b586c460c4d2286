// The conformance suite names an export of node:fs that Node 20 has not, for a command that is not run here.
import { register } from 'node:module';

const hooks = `
export const resolve = (specifier, context, next) =>
  specifier === 'fs' && context.parentURL?.includes('@modelcontextprotocol/conformance/')
    ? { url: 'conformance:fs', shortCircuit: true }
    : next(specifier, context);
export const load = (url, context, next) =>
  url === 'conformance:fs'
    ? {
        format: 'module',
        shortCircuit: true,
        source: "import * as fs from 'node:fs'; export * from 'node:fs'; export const globSync = fs.globSync;",
      }
    : next(url, context);`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
