// Makes the pages that never change, after the sources were compiled.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { playgroundPage } from '../dist/http/playgroundPage.js';

const folder = path.join(import.meta.dirname, '../dist/pages');
const { body, headers } = playgroundPage();
mkdirSync(folder, { recursive: true });
writeFileSync(path.join(folder, 'playground.html.gz'), body);
writeFileSync(path.join(folder, 'playground.json'), JSON.stringify(headers));
