/** Letters to people, by SMTP (nodemailer). Where no server is named, links are handed over by people. */
import type { RoleName } from '../scopes/roles.js';

export interface MailOptions {
  /** smtp:// or smtps://, with a user and a password where the server asks for them. */
  readonly smtpUrl: string;
  readonly from: string;
  /** Where people reach this server: never taken from a request, whose Host anybody can write. */
  readonly publicUrl: string;
  /** Whether workspaces are named: where everybody may make one, its name is anybody's text. */
  readonly named: boolean;
}

export interface InvitationLetter {
  readonly email: string;
  readonly role: RoleName;
  readonly workspace: string;
  readonly token: string;
}

export class Mailer {
  #transport: Promise<{ sendMail(letter: object): Promise<unknown>; close(): void }> | undefined;

  constructor(
    private readonly options: MailOptions,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** Sends in the background; what fails is logged, without the token. */
  invite({ email, role, workspace, token }: InvitationLetter): void {
    const link = `${this.options.publicUrl}/invitation#${token}`;
    // A name may hold a line break, which would begin another header, or text that looks like ours.
    const name = this.options.named ? `"${workspace.replace(/[\r\n]+/g, ' ').slice(0, 100)}"` : 'a workspace';
    void this.#send({
      to: email,
      subject: `You are invited to ${name}`,
      text: `You are invited to ${name} as ${role.toLowerCase()}.\n\nAccept within a week, with this address:\n${link}\n\nIf you expected no invitation, ignore this message.\n`,
    });
  }

  async close(): Promise<void> {
    (await this.#transport)?.close();
  }

  async #send(letter: { to: string; subject: string; text: string }): Promise<void> {
    const { smtpUrl, from } = this.options;
    try {
      this.#transport ??= import('nodemailer').then(({ createTransport }) =>
        createTransport({
          url: smtpUrl,
          pool: true,
          maxConnections: 2,
          connectionTimeout: 10_000,
          socketTimeout: 20_000,
        }),
      );
      await (await this.#transport).sendMail({ from, ...letter });
    } catch (error) {
      const { message, code } = error as { message?: string; code?: string };
      this.onError(new Error(`A letter could not be sent: ${code ?? ''} ${message ?? ''}`.slice(0, 300)));
    }
  }
}
