/** Adding, changing and removing users; each change is one unit of work. */
import { z } from 'zod';
import type { Role, User } from '#prisma/client.js';
import { type Actor, changesBetween } from '../audit/entry.js';
import { refuseBound } from '../db/projectReach.js';
import { noteScopes } from '../db/reader.js';
import { withoutBinding } from '../db/tenant.js';
import { nextVersion, type Unit, type UnitOfWork } from '../db/unitOfWork.js';
import { ApiError, badInput, notFound } from '../errors.js';
import { check, emailAddress, expectVersion, given, required, text } from '../input.js';
import type { ApiKeyService } from '../keys/apiKeyService.js';
import { mayGiveRole } from '../keys/givenRoles.js';
import type { Caller } from '../keys/keyUnit.js';
import type { Scope, ScopeSet } from '../scopes/scope.js';
import type { TaskService } from '../tasks/taskService.js';

const rules = z.object({ email: required(emailAddress), name: required(text(1, 100)), role: required(z.string()) });
const changeable = rules.partial();

interface UserChange {
  readonly id: string;
  readonly email?: string | null | undefined;
  readonly name?: string | null | undefined;
  readonly role?: Role | null | undefined;
  /** Where the user has one of these roles, it stays, whatever else is given. */
  readonly keepRole?: readonly Role[] | null | undefined;
  readonly expectedUpdatedAt?: Date | null | undefined;
}

export class UserService {
  constructor(
    private readonly units: UnitOfWork,
    private readonly keys: Pick<ApiKeyService, 'endOfUser' | 'units'>,
    private readonly tasks: Pick<TaskService, 'detach'>,
  ) {}

  /** @param held the scopes of the caller: OWNER and ADMIN take admin:* */
  async create(
    actor: Actor,
    held: ScopeSet,
    input: { readonly email: string; readonly name: string; readonly role?: Role | null | undefined },
  ): Promise<{ id: string }> {
    const role = input.role ?? 'MEMBER';
    const data = check(rules, { ...input, role });
    mayAssign(held, role);
    return this.units.run(actor, async (unit) => {
      const { workspaceId, environment } = actor;
      await freeEmail(unit, data.email);
      const user = await unit.tx.user.create({
        data: { workspaceId, environment, email: data.email, name: data.name, role },
        select: { id: true },
      });
      unit.audit({ ...about(user.id, 'create'), changes: changesBetween({}, { ...data, role }) });
      return user;
    });
  }

  /**
   * @param held the scopes of the caller: a user who is OWNER or ADMIN, or becomes one, takes admin:*
   * @param caller whose authority the change of a role takes
   */
  async update(actor: Actor, held: ScopeSet, caller: Caller, input: UserChange): Promise<{ id: string }> {
    const { id, keepRole, expectedUpdatedAt, ...fields } = input;
    const data = given(check(changeable, fields)) as { email?: string; name?: string; role?: Role };
    // Keys that act as the user reach other projects, perhaps.
    if (data.role) refuseBound(actor.bound, 'changes no roles: they are of all projects');
    return this.units.run(actor, async (unit) => {
      if (data.role) await unit.lockWorkspace();
      await unit.lock('User', id);
      const before = await unit.tx.user.findUnique({ where: { id } });
      if (!before) throw notFound('user', id);
      mayAssign(held, before.role);
      expectVersion(before, expectedUpdatedAt);
      if (keepRole?.includes(before.role)) delete data.role;
      if (data.role && data.role !== before.role && before.environment === 'TEST' && before.personId !== null) {
        throw badInput({ role: ['of a member is changed in the live environment, and holds in the sandbox too'] });
      }
      if (data.role) {
        mayAssign(held, data.role);
        if (data.role !== 'OWNER') await keepAnOwner(unit, before);
        if (data.role !== before.role) await this.#reach(unit, caller, before, data.role);
      }
      if (data.email !== undefined && data.email !== before.email) {
        await freeEmail(unit, data.email);
        await takeInvitationsBack(unit, before.email);
      }
      const changes = changesBetween(before, data);
      // Who has seen it sees the same.
      if (Object.keys(changes).length === 0) return { id };
      await unit.tx.user.update({ where: { id }, data: { ...data, updatedAt: nextVersion(before, unit.now) } });
      if (data.role) await followInSandbox(unit, before, data.role);
      unit.audit({ ...about(id, 'update'), changes });
      return { id };
    });
  }

  /**
   * What the user's sessions, and keys that act as the user, may do changes with the role.
   * @throws FORBIDDEN where the caller does not hold what they get
   */
  async #reach(unit: Unit, caller: Caller, { id, role, environment, personId }: User, next: Role): Promise<void> {
    const acting = await unit.tx.apiKey.count({ where: { actsAsId: id, revokedAt: null } });
    if (acting === 0 && personId === null) return;
    const { bound, policy } = await this.keys.units.context(unit, caller);
    mayGiveRole(bound, { role: next, before: role, environment }, policy.plan);
    // Caches know what they hold.
    unit.keysChanged();
  }

  /**
   * Removes a user. Their tasks stay, unassigned; keys that they made stay too, unless they are to be revoked.
   * @param caller whose authority the revocation of the keys takes
   * @returns how many keys were revoked
   */
  async delete(
    actor: Actor,
    held: ScopeSet,
    caller: Caller,
    {
      id,
      revokeKeys,
      expectedUpdatedAt,
    }: { id: string; revokeKeys: boolean; expectedUpdatedAt?: Date | null | undefined },
  ): Promise<number> {
    refuseBound(actor.bound, 'deletes no users: what they are assigned to may be in others');
    if (revokeKeys) mayEndKeys(held);
    return this.units.run(
      actor,
      async (unit) => {
        const { tx } = unit;
        await unit.lockWorkspace();
        // In the order in which all changes lock: projects, the user, tasks, relationships.
        const createdProjects = await unit.forgetCreator('Project', id);
        await unit.lock('User', id);
        const before = await tx.user.findUnique({ where: { id } });
        if (!before) throw notFound('user', id);
        mayAssign(held, before.role);
        expectVersion(before, expectedUpdatedAt);
        await keepAnOwner(unit, before);
        await unit.lockTasksOfUser(id);
        // Before the user goes, for with the user goes what says whose keys they are.
        const revoked = await this.keys.endOfUser(unit, caller, id, revokeKeys);
        const assignedTasks = await this.tasks.detach(unit, 'assigneeId', id);
        const forgotten = {
          createdTasks: await unit.forgetCreator('Task', id),
          createdProjects,
          createdRelationships: await unit.forgetCreator('TaskRelationship', id),
          createdComments: await unit.forgetCreator('Comment', id),
          createdLabels: await unit.forgetCreator('Label', id),
        };
        await takeInvitationsBack(unit, before.email);
        await tx.user.delete({ where: { id } });
        // Caches know whom the keys act for.
        unit.keysChanged();
        const { email: from, name, role } = before;
        unit.audit({
          ...about(id, 'delete'),
          changes: {
            email: { from },
            name: { from: name },
            role: { from: role },
            assignedTasks: { from: assignedTasks, to: 0 },
            ...Object.fromEntries(Object.entries(forgotten).map(([what, count]) => [what, { from: count, to: 0 }])),
          },
        });
        return revoked;
      },
      { long: true },
    );
  }
}

/** Who a member is in the sandbox has the same role. */
async function followInSandbox(
  { tx }: Unit,
  { workspaceId, environment, personId }: Pick<User, 'workspaceId' | 'environment' | 'personId'>,
  role: Role,
): Promise<void> {
  if (environment !== 'LIVE' || personId === null) return;
  const where = { workspaceId, environment: 'TEST' as const, personId };
  await withoutBinding(() => tx.user.updateMany({ where, data: { role } }));
}

/** Those that were for the user who is called otherwise now, or gone. */
async function takeInvitationsBack({ tx, now }: Unit, address: string): Promise<void> {
  await tx.invitation.updateMany({
    where: { email: address, acceptedAt: null, revokedAt: null },
    data: { revokedAt: now },
  });
}

const about = (id: string, verb: string) => ({ action: `user.${verb}`, targetType: 'User', targetId: id });

/** Who holds users:write alone must not make owners, or touch one. */
function mayAssign(held: ScopeSet, role: Role): void {
  if (role !== 'OWNER' && role !== 'ADMIN') return;
  if (!held.has('admin:*')) throw needs('admin:*');
  noteScopes(['admin:*']);
}

/** Which keys those are, and whether the caller may end them, is asked with each of them. */
function mayEndKeys(held: ScopeSet): void {
  const [scope] = (['keys:delete', 'keys:write'] as const).filter((one) => held.has(one));
  if (!scope) throw needs('keys:delete');
  noteScopes([scope]);
}

function needs(scope: Scope): ApiError {
  return new ApiError('FORBIDDEN', `This takes the scope ${scope}.`, {
    requiredScopes: [scope],
    missingScopes: [scope],
  });
}

/** Within a change that holds the workspace: of several owners that go at once, one stays. */
async function keepAnOwner({ tx }: Unit, user: { id: string; role: Role }): Promise<void> {
  if (user.role !== 'OWNER') return;
  const others = await tx.user.count({ where: { role: 'OWNER', id: { not: user.id } } });
  if (others === 0) throw new ApiError('CONFLICT', 'The last owner of a workspace must stay one.');
}

/** @throws CONFLICT that says what is taken; the unique index says the same of two at once, in fewer words */
async function freeEmail({ tx }: Unit, address: string): Promise<void> {
  const taken = await tx.user.findFirst({ where: { email: address }, select: { id: true } });
  if (!taken) return;
  throw new ApiError('CONFLICT', 'There is a user with this email already.', { fields: { email: ['is taken'] } });
}
