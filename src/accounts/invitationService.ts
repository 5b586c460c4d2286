/** Inviting people into a workspace, and taking an invitation back; each change is one unit of work. */
import { hash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { PrismaClient } from '#prisma/client.js';
import type { Actor } from '../audit/entry.js';
import { withoutBinding } from '../db/tenant.js';
import type { Unit, UnitOfWork } from '../db/unitOfWork.js';
import { ApiError, notFound } from '../errors.js';
import { check, emailAddress, required } from '../input.js';
import { mayGiveRole } from '../keys/givenRoles.js';
import { type Caller, type KeyUnit, KeyUnits } from '../keys/keyUnit.js';
import type { Plans } from '../keys/plans.js';
import type { RoleName } from '../scopes/roles.js';
import type { Mailer } from './mail.js';

/** Milliseconds. */
const DAY = 86_400_000;
const LIFETIME = 7 * DAY;
/** A day; more invitations are made, and their links handed over by people. */
const LETTERS_OF_WORKSPACE = 50;
const LETTERS_TO_ADDRESS = 3;
/** Open ones of a workspace. */
const MOST = 200;

const rules = z.object({ email: required(emailAddress) });

export const hashOfInvitation = (token: string): string => `sha256:${hash('sha256', token, 'hex')}`;

export class InvitationService {
  readonly #units: KeyUnits;

  /** @param mailer by which links are sent; undefined: whoever invites hands them over */
  constructor(
    units: UnitOfWork,
    plans: Plans,
    private readonly mailer?: Mailer,
  ) {
    this.#units = new KeyUnits(units, plans);
  }

  /** @returns the token of the link, shown once, and whether a letter with it is sent */
  async invite(
    actor: Actor,
    caller: Caller,
    input: { readonly email: string; readonly role: RoleName },
    options: { readonly letter?: boolean } = {},
  ): Promise<{ id: string; token: string; emailed: boolean }> {
    const { email } = check(rules, { email: input.email });
    return this.#units.look(actor, caller, async (context) => {
      await mayBeInvited(context, email, input.role);
      const { unit, bound, policy } = context;
      const { tx, now } = unit;
      const { workspaceId } = actor;
      const open = { acceptedAt: null, revokedAt: null, expiresAt: { gt: now } };
      // Another one of the same address takes the place of the first, whose link may be lost.
      for (const { id, role } of await tx.invitation.findMany({ where: { ...open, email, environment: 'LIVE' } })) {
        mayGiveRole(bound, { role, environment: 'LIVE' }, policy.plan);
        await tx.invitation.update({ where: { id }, data: { revokedAt: now } });
        unit.audit(about(id, 'revoke'));
      }
      if ((await tx.invitation.count({ where: open })) >= MOST) {
        throw new ApiError('CONFLICT', `There are ${MOST} open invitations. Take some back.`);
      }
      const token = randomBytes(32).toString('base64url');
      const { id } = await tx.invitation.create({
        data: {
          ...{ workspaceId, environment: 'LIVE', email, role: input.role, hash: hashOfInvitation(token) },
          ...{ createdById: actor.userId, createdByKeyId: actor.keyId, createdAt: now },
          expiresAt: new Date(now.getTime() + LIFETIME),
        },
        select: { id: true },
      });
      unit.audit({ ...about(id, 'create'), changes: { email: { to: email }, role: { to: input.role } } });
      const mailer = options.letter === false || (await hadLetters(unit, workspaceId, email)) ? undefined : this.mailer;
      if (mailer) {
        const { name } = await withoutBinding(() =>
          anywhere(unit).workspace.findUniqueOrThrow({ where: { id: workspaceId } }),
        );
        unit.afterCommit(() => mailer.invite({ email, role: input.role, workspace: name, token }));
      }
      return { id, token, emailed: mailer !== undefined };
    });
  }

  /** Whether the caller could invite, without doing it. @throws as `invite` */
  async look(actor: Actor, caller: Caller, input: { readonly email: string; readonly role: RoleName }): Promise<void> {
    const { email } = check(rules, { email: input.email });
    await this.#units.look(actor, caller, (context) => mayBeInvited(context, email, input.role));
  }

  /** @throws NOT_FOUND, CONFLICT when it was accepted already */
  async revoke(actor: Actor, caller: Caller, id: string): Promise<{ id: string }> {
    return this.#units.look(actor, caller, async ({ unit, bound, policy, key }) => {
      const invitation = await unit.tx.invitation.findUnique({ where: { id } });
      const isOwn = key !== undefined && invitation?.createdByKeyId === key.id;
      const isSeen = bound === 'operator' || (bound.environment === 'LIVE' && (bound.projects === null || isOwn));
      if (invitation?.environment !== 'LIVE' || !isSeen) throw notFound('invitation', id);
      mayGiveRole(bound, { role: invitation.role, environment: 'LIVE' }, policy.plan);
      if (invitation.acceptedAt) throw new ApiError('CONFLICT', 'It was accepted already. Remove the user instead.');
      if (!invitation.revokedAt) {
        await unit.tx.invitation.update({ where: { id }, data: { revokedAt: unit.now } });
        unit.audit(about(id, 'revoke'));
      }
      return { id };
    });
  }
}

const anywhere = ({ tx }: Unit) => tx as unknown as Pick<PrismaClient, 'workspace' | 'invitation'>;

/** Whether as many letters went out today as may: of the workspace, or to that address from whichever. */
async function hadLetters(unit: Unit, workspaceId: string, email: string): Promise<boolean> {
  const today = { createdAt: { gt: new Date(unit.now.getTime() - DAY) } };
  const [own, toThem] = await withoutBinding(async () => [
    await anywhere(unit).invitation.count({ where: { workspaceId, ...today } }),
    await anywhere(unit).invitation.count({ where: { email, ...today } }),
  ]);
  return own > LETTERS_OF_WORKSPACE || toThem > LETTERS_TO_ADDRESS;
}

/** @throws FORBIDDEN beyond the caller's own reach; CONFLICT for who is in, or a user already as something else */
async function mayBeInvited({ unit: { tx }, bound, policy }: KeyUnit, email: string, role: RoleName): Promise<void> {
  mayGiveRole(bound, { role, environment: 'LIVE' }, policy.plan);
  const user = await tx.user.findFirst({ where: { environment: 'LIVE', email } });
  if (user?.personId) {
    throw new ApiError('CONFLICT', `${email} is in the workspace already.`, { fields: { email: ['is a member'] } });
  }
  if (user && user.role !== role) {
    // Whoever accepts becomes that user: what that one is, `updateUser` changes, which asks for more.
    throw new ApiError('CONFLICT', `${email} is a user already, as ${user.role}: invite them as that.`, {
      fields: { role: [`must be ${user.role}, which the user is`] },
    });
  }
}

const about = (id: string, verb: string) => ({
  ...{ action: `invitation.${verb}`, targetType: 'Invitation', targetId: id, environment: 'LIVE' as const },
});
