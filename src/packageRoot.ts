import { createRequire } from 'node:module';
import path from 'node:path';

/** The folder of package.json, wherever the code that runs was built to. */
export const PACKAGE_ROOT = path.dirname(createRequire(import.meta.url).resolve('#package.json'));
