// npm run dev: compiles as files change, and starts the server again after each compilation.
import { execSync, spawn } from 'node:child_process';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
execSync('npm run --silent build', { cwd: root, stdio: 'inherit' });
const options = { cwd: root, stdio: 'inherit' };
const children = [
  spawn(
    process.execPath,
    ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--watch', '--preserveWatchOutput'],
    options,
  ),
  spawn(process.execPath, ['--watch', '--conditions=modules', 'dist/modules/main.js', 'serve'], options),
];
process.on('SIGINT', () => {
  for (const child of children) child.kill();
});
