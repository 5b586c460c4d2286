/** Projects, users and pins, as people write and read them on a command line. */
import type { TenantDatabase } from '../../db/tenant.js';
import { ApiError } from '../../errors.js';
import type { Pins } from '../../keys/operationLock.js';

/**
 * Ids of projects, by their ids, slugs or keys. An id is nothing else: whoever makes projects chooses their slugs and keys.
 * @throws ApiError NOT_FOUND; CONFLICT for a name that is the slug of one and the key of another
 */
export async function projectsNamed(db: Pick<TenantDatabase, 'project'>, names: readonly string[]): Promise<string[]> {
  const keyOf = (name: string) => name.toUpperCase();
  const where = { OR: [{ id: { in: [...names] } }, { slug: { in: [...names] } }, { key: { in: names.map(keyOf) } }] };
  const rows = await db.project.findMany({ where, select: { id: true, slug: true, key: true } });
  return names.map((name) => {
    if (rows.some(({ id }) => id === name)) return name;
    const [row, other] = rows.filter(({ slug, key }) => slug === name || key === keyOf(name));
    const shown = JSON.stringify(name.slice(0, 100));
    if (!row) {
      throw new ApiError('NOT_FOUND', `No project with the id, slug or key ${shown} in the environment of the key.`);
    }
    if (other) {
      throw new ApiError('CONFLICT', `${shown} is the slug of one project and the key of another: give the id of one.`);
    }
    return row.id;
  });
}

/** The id of a user, by the id or the address. @throws ApiError NOT_FOUND */
export async function userNamed(db: Pick<TenantDatabase, 'user'>, name: string): Promise<string> {
  const row = await db.user.findFirst({
    where: { OR: [{ id: name }, { email: name.toLowerCase() }] },
    select: { id: true },
  });
  if (!row)
    throw new ApiError(
      'NOT_FOUND',
      `No user with the id or email ${JSON.stringify(name.slice(0, 100))} in the environment of the key.`,
    );
  return row.id;
}

/** The values that variables must have. */
export const pinsOf = (pins: Pins) =>
  Object.entries(pins)
    .map(([name, value]) => ` ${name}=${JSON.stringify(value)}`)
    .sort()
    .join('');
