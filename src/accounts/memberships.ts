/** Which workspaces a person is in, and how they come into one: as its first owner, by an invitation, or with one of their own. */
import type { Invitation, PrismaClient } from '#prisma/client.js';
import { type Actor, changesBetween, plainAuditRow, serverActor } from '../audit/entry.js';
import type { Database } from '../db/database.js';
import { withoutBinding } from '../db/tenant.js';
import type { Unit, UnitOfWork } from '../db/unitOfWork.js';
import { ApiError } from '../errors.js';
import { keyStatus } from '../keys/apiKey.js';
import { authorityOf } from '../keys/authority.js';
import { addWorkspace } from '../keys/bootstrap.js';
import { reachesRole } from '../keys/givenRoles.js';
import type { Plan, Plans } from '../keys/plans.js';
import { withBonds } from '../keys/storedKeys.js';
import type { RoleName } from '../scopes/roles.js';
import { hashOfInvitation } from './invitationService.js';

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly email: string;
}

export interface Membership {
  readonly workspace: { readonly id: string; readonly name: string; readonly slug: string };
  readonly role: RoleName;
}

/** Where a request comes from, for the audit log. */
type Origin = Pick<Actor, 'ip' | 'userAgent' | 'requestId'>;

/** Milliseconds. */
const FRESH = 86_400_000;

const MISSING = 'The invitation is not there any more: it was used, taken back, or has expired. Ask for another one.';

export class Memberships {
  #isClaimed = false;

  constructor(
    private readonly database: Database,
    private readonly units: UnitOfWork,
    private readonly plans: Plans,
    private readonly defaultPlan: string,
    private readonly clock: () => Date = () => new Date(),
  ) {}

  async of(personId: string): Promise<Membership[]> {
    const users = await this.#system.user.findMany({
      where: { personId, environment: 'LIVE' },
      select: { workspaceId: true, role: true },
      orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
    });
    const workspaces = await this.#system.workspace.findMany({
      where: { id: { in: users.map(({ workspaceId }) => workspaceId) } },
      select: { id: true, name: true, slug: true },
    });
    return users.flatMap(({ workspaceId, role }) => {
      const workspace = workspaces.find(({ id }) => id === workspaceId);
      return workspace ? [{ workspace, role }] : [];
    });
  }

  /** Whether nobody has signed up yet, so that the first who does owns the first workspace. */
  async isUnclaimed(): Promise<boolean> {
    // Asked by everybody who opens the page. What was claimed stays so, but where all accounts are deleted by hand.
    if (this.#isClaimed) return false;
    const member = await this.#system.user.findFirst({ where: { personId: { not: null } }, select: { id: true } });
    this.#isClaimed = member !== null;
    return member === null;
  }

  /** Whether the first workspace is new; of one that people work with, its keys say who its operator is. */
  async isFresh(): Promise<boolean> {
    const first = await this.#system.workspace.findFirst({ orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] });
    return first !== null && this.clock().getTime() - first.createdAt.getTime() < FRESH;
  }

  /** @throws CONFLICT when somebody was first */
  async claim(person: Person, origin: Origin): Promise<void> {
    const workspace = await this.#system.workspace.findFirst({ orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] });
    if (!workspace) throw new ApiError('CONFLICT', 'There is no workspace yet.');
    await this.#run(workspace.id, origin, async (unit) => {
      await unit.lockWorkspace();
      // By the connection of the change: another one could wait for it for ever.
      const claimed = await withoutBinding(() => unit.tx.user.findFirst({ where: { personId: { not: null } } }));
      if (claimed) throw new ApiError('CONFLICT', 'The workspace has an owner already.');
      const { tx } = unit;
      const where = { workspaceId: workspace.id, environment: 'LIVE' as const };
      const known = await tx.user.findFirst({ where: { ...where, email: person.email } });
      // The owner that every workspace begins with, who is nobody yet.
      const first = known ?? (await tx.user.findFirst({ where: { ...where, role: 'OWNER' }, orderBy: { id: 'asc' } }));
      await this.#join(unit, person, first?.id, 'OWNER');
      if (known || !first) return;
      // The same of the sandbox, which knows people by their address.
      const twins = { workspaceId: workspace.id, environment: 'TEST' as const };
      if ((await tx.user.count({ where: { ...twins, email: person.email } })) > 0) return;
      const { email, name } = person;
      await tx.user.updateMany({ where: { ...twins, email: first.email }, data: { email, name, personId: person.id } });
    });
  }

  /** @throws NOT_FOUND for an invitation that does not hold any more, FORBIDDEN for one of somebody else */
  async accept(person: Person, token: string, origin: Origin): Promise<void> {
    const { id, workspaceId } = await this.invitation(token);
    await this.#run(workspaceId, origin, async (unit) => {
      const plan = this.plans.of(await unit.lockWorkspace());
      const { tx } = unit;
      const invitation = await tx.invitation.findFirst({
        where: { id, acceptedAt: null, revokedAt: null, expiresAt: { gt: unit.now } },
      });
      if (!invitation) throw new ApiError('NOT_FOUND', MISSING);
      if (invitation.email !== person.email) {
        throw new ApiError('FORBIDDEN', `The invitation is for ${invitation.email}. Sign in with that email.`);
      }
      await stillGiven(tx, invitation, plan, unit.now);
      const user = await tx.user.findFirst({ where: { workspaceId, environment: 'LIVE', email: person.email } });
      const member = await tx.user.findFirst({ where: { workspaceId, environment: 'LIVE', personId: person.id } });
      if (user?.personId && user.personId !== person.id) {
        throw new ApiError('CONFLICT', 'That user has an account already.');
      }
      if (user && !member && user.role !== invitation.role) {
        throw new ApiError('CONFLICT', `The user has another role by now, ${user.role}. Ask for another invitation.`);
      }
      // Who is in already stays as they are.
      if (!member) await this.#join(unit, person, user?.id, invitation.role);
      await tx.invitation.update({ where: { id }, data: { acceptedAt: unit.now } });
      unit.audit({ action: 'invitation.accept', targetType: 'Invitation', targetId: id });
    });
  }

  /** @throws NOT_FOUND for one that does not hold any more, FORBIDDEN for one that its maker may not give any more */
  async invitation(token: string) {
    const invitation = await this.#system.invitation.findFirst({
      where: { hash: hashOfInvitation(token), acceptedAt: null, revokedAt: null, expiresAt: { gt: this.clock() } },
    });
    if (!invitation) throw new ApiError('NOT_FOUND', MISSING);
    const workspace = await this.#system.workspace.findUniqueOrThrow({ where: { id: invitation.workspaceId } });
    await stillGiven(this.#system, invitation, this.plans.of(workspace), this.clock());
    const { id, email, role, workspaceId } = invitation;
    return { id, email, role, workspaceId, workspace: { name: workspace.name } };
  }

  /** A workspace of the person's own, where everybody may sign up. */
  async begin(person: Person, origin: Origin): Promise<void> {
    const name = `${person.name}'s workspace`;
    const slug = `w-${person.id}`;
    await this.#system.$transaction(async (tx) => {
      const owner = { email: person.email, name: person.name, personId: person.id };
      const { workspace, owner: user } = await addWorkspace(tx, { name, slug, plan: this.defaultPlan }, owner);
      const tenant = { workspaceId: workspace.id, environment: 'LIVE' as const };
      const actor = { ...serverActor(tenant, ''), ...origin, userId: user.id };
      const entry = { action: 'user.join', targetType: 'User', targetId: user.id };
      await tx.auditEvent.create({ data: plainAuditRow(actor, entry, this.clock()) });
    });
  }

  /** Notes in the audit log of each of the person's workspaces that they signed in or out, or how they may from now on. */
  async note(
    personId: string,
    verb: 'begin' | 'end' | 'passkey_add' | 'passkey_remove',
    origin: Origin,
  ): Promise<void> {
    const users = await this.#system.user.findMany({
      where: { personId, environment: 'LIVE' },
      select: { id: true, workspaceId: true },
    });
    for (const { id: userId, workspaceId } of users) {
      const actor = { ...serverActor({ workspaceId, environment: 'LIVE' }, ''), ...origin, userId };
      await this.units.run(actor, async (unit) => {
        unit.audit({ action: `session.${verb}`, targetType: 'User', targetId: userId });
      });
    }
  }

  /** The person is that user from now on, or a new one. */
  async #join(unit: Unit, person: Person, userId: string | undefined, role: RoleName): Promise<void> {
    const { workspaceId } = unit.actor;
    const data = { personId: person.id, email: person.email, name: person.name, role };
    const before = userId === undefined ? null : await unit.tx.user.findUnique({ where: { id: userId } });
    const user = before
      ? await unit.tx.user.update({ where: { id: before.id }, data })
      : await unit.tx.user.create({ data: { ...data, workspaceId, environment: 'LIVE' } });
    // Keys that act as the user reach what the role allows.
    unit.keysChanged();
    const { email, name } = person;
    const changes = changesBetween(before ?? {}, { email, name, role });
    unit.audit({ action: 'user.join', targetType: 'User', targetId: user.id, changes });
  }

  #run(workspaceId: string, origin: Origin, work: (unit: Unit) => Promise<void>): Promise<void> {
    const actor = { ...serverActor({ workspaceId, environment: 'LIVE' }, ''), ...origin };
    return this.units.run(actor, work, { reach: 'workspace' });
  }

  get #system() {
    return this.database.system;
  }
}

/**
 * An invitation lasts no longer than what it was given by: the key, or the session of somebody, that made it.
 * @throws FORBIDDEN
 */
async function stillGiven(
  reader: Parameters<typeof withBonds>[0] & Pick<PrismaClient, 'apiKey'>,
  { createdByKeyId, role }: Invitation,
  plan: Plan,
  now: Date,
): Promise<void> {
  if (createdByKeyId === null) return;
  const row = await reader.apiKey.findUnique({ where: { id: createdByKeyId } });
  const [key] = row ? await withBonds(reader, [row], now) : [];
  // A key that was replaced is what it was until its grace ends.
  const isWorking = key && ['ACTIVE', 'ROTATED'].includes(keyStatus(key, now));
  if (isWorking && reachesRole(authorityOf({ ...key, graceEndsAt: null }, plan), role, plan)) return;
  throw new ApiError('FORBIDDEN', 'Whoever made the invitation may not give it any more. Ask for another one.');
}
