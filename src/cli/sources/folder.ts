import path from 'node:path';

/** Where the command was called: npm runs it in the package's own folder. */
export const callersFolder = () => process.env['INIT_CWD'] ?? process.cwd();

export const fromCaller = (file: string) => path.resolve(callersFolder(), file);
