/** The index of texts finds whatever a search finds: each letter that has a case, in the form in which LIKE compares it. */
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { likeContains } from '../../src/db/text.js';
import { TextIndex, trigramsOf } from '../../src/db/textIndex.js';

const database = new Database(':memory:');
database.exec(
  `CREATE VIRTUAL TABLE "t" USING fts5("text", content='', contentless_delete=1, detail=none, tokenize='trigram')`,
);
const insert = database.prepare('INSERT INTO "t" (rowid, "text") VALUES (?, ?)');
const find = database.prepare('SELECT rowid FROM "t" WHERE "t" MATCH ? AND rowid = ?');
const like = likeContains();

function finds(row: number, word: string): boolean {
  const trigrams = trigramsOf(word);
  return (
    trigrams.length === 0 ||
    find.get(trigrams.map((one) => `"${one.replaceAll('"', '""')}"`).join(' AND '), row) !== undefined
  );
}

describe('the index of texts', () => {
  it('finds each letter of Unicode by each of its forms that LIKE takes for the same', () => {
    const missed: string[] = [];
    let compared = 0;
    database.transaction(() => {
      for (let code = 1; code <= 0x10ffff; code += 1) {
        const letter = String.fromCodePoint(code);
        if (!letter.isWellFormed()) continue;
        const forms = new Set([letter.toLowerCase(), letter.toUpperCase(), letter]);
        if (forms.size === 1 && code > 0x3000) continue;
        const text = `abc${letter}def`;
        insert.run(code, text);
        for (const form of forms) {
          const word = `abc${form}def`;
          if (like(`%${word.replace(/[\\%_]/g, '\\$&')}%`, text) !== 1) continue;
          compared += 1;
          if (!finds(code, word)) missed.push(`U+${code.toString(16)} by ${form}`);
        }
      }
    })();
    expect(missed).toEqual([]);
    expect(compared).toBeGreaterThan(10_000);
  });

  it('looks for words together that are in many texts each, and in few together', async () => {
    const texts = new Database(':memory:');
    texts.exec(`
      CREATE VIRTUAL TABLE "TaskText" USING fts5("title", "description", content='', contentless_delete=1, detail=none, tokenize='trigram');
      CREATE TABLE "TextTenant" ("number" INTEGER PRIMARY KEY, "workspaceId" TEXT, "environment" TEXT);
      INSERT INTO "TextTenant" VALUES (1, 'w', 'LIVE');
      WITH RECURSIVE "n"("i") AS (SELECT 1 UNION ALL SELECT "i" + 1 FROM "n" WHERE "i" < 130000)
      INSERT INTO "TaskText" (rowid, "title")
      SELECT 4294967296 + "i", iif("i" % 101 = 0, 'alpha', '') || ' ' || iif("i" % 107 = 0, 'gamut', '') FROM "n"`);
    const queryRaw = async ({ sql, args }: { sql: string; args: unknown[] }) => ({
      rows: texts.prepare(sql).raw().all(args),
    });
    const index = new TextIndex('sqlite', () => ({ queryRaw }) as never);
    const tenant = { workspaceId: 'w', environment: 'LIVE' } as never;
    const both = Array.from({ length: 12 }, (_, step) => (12 - step) * 101 * 107);
    expect(await index.tasks(tenant, ['alpha', 'gamut'])).toMatchObject({ isWhole: true, values: both });
    // A page of a list begins with the rarer of them.
    const rarer = await index.newestTasks(tenant, ['alpha', 'gamut']);
    expect(rarer).toMatchObject({ isWhole: false, trigrams: trigramsOf('gamut') });
    const entries = rarer && index.newestNumbers(tenant, rarer, 21);
    const found = texts.prepare(String(entries?.sql)).pluck().all(entries?.args);
    expect(found).toEqual(Array.from({ length: 42 }, (_, step) => (Math.floor(130000 / 107) - step) * 107));
    // Of more rows than are looked up, and of a word that is in all texts, there is no such page.
    expect(rarer && index.newestNumbers(tenant, rarer, 101)).toBeUndefined();
    texts.close();
  });

  it('uses trigrams of plain letters alone, and not all of a long word', () => {
    expect(trigramsOf('Deploy')).toEqual(['dep', 'epl', 'plo', 'loy']);
    expect(trigramsOf('ab')).toEqual([]);
    expect(trigramsOf('ΟΔΟΣ')).toEqual(['οδο']);
    expect(trigramsOf('東京都庁')).toEqual(['東京都', '京都庁']);
    const long = Array.from({ length: 900 }, (_, index) => String.fromCodePoint(97 + ((index * 7) % 26))).join('');
    expect(trigramsOf(long).length).toBeLessThanOrEqual(8);
    expect(trigramsOf(long).length).toBeGreaterThan(4);
  });
});
