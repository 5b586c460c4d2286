/** Somebody with a browser's cookies, and nothing else of a browser. */
import type { GraphQLAnswer, TestServer } from './server.js';

export const PASSWORD = 'a hedgehog in the rain';

export interface Answer {
  readonly status: number;
  // What a test reads is known from what it asks.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly body: any;
  readonly headers: Headers;
}

export function visitor(server: TestServer, own: Readonly<Record<string, string>> = {}) {
  const cookies = new Map<string, string>();
  const cookie = () => [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');

  async function send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(server.origin + path, {
      method,
      headers: {
        ...(cookies.size > 0 && { cookie: cookie() }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...own,
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      redirect: 'manual',
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const [name = '', value = ''] = pair.split(/=(.*)/s);
      if (/max-age=0/i.test(line) || value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json');
    return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
  }

  const post = (path: string, body: unknown, headers?: Record<string, string>) => send('POST', path, body, headers);
  const account = async () => (await send('GET', '/api/account')).body;

  return {
    cookies,
    cookie,
    send,
    post,
    account,
    signUp: (email: string, more: object = {}) =>
      post('/api/auth/sign-up/email', { name: email.split('@')[0], email, password: PASSWORD, ...more }),
    signIn: (email: string, password = PASSWORD) => post('/api/auth/sign-in/email', { email, password }),
    signOut: () => post('/api/auth/sign-out', {}),
    /** In the first of the person's workspaces, or in that one. */
    async gql(
      query: string,
      variables: object = {},
      { environment = 'live', workspace }: { environment?: string; workspace?: string } = {},
    ): Promise<GraphQLAnswer> {
      const id = workspace ?? (await account()).workspaces[0]?.id ?? '';
      const headers = { 'x-taskgate-workspace': id, 'x-taskgate-environment': environment };
      return (await post('/graphql', { query, variables }, headers)).body as GraphQLAnswer;
    },
  };
}
export type Visitor = ReturnType<typeof visitor>;

const INVITE = `mutation ($email: String!, $role: Role!) { inviteUser(input: { email: $email, role: $role }) { token } }`;

/** Somebody whom a member of a workspace invited, and who has come in. */
export async function invitedBy(server: TestServer, member: Visitor, role: string): Promise<Visitor> {
  const email = `${role.toLowerCase()}-${Math.random().toString(36).slice(2)}@example.com`;
  const { data } = await member.gql(INVITE, { email, role });
  const person = visitor(server);
  const { status } = await person.signUp(email, { invitation: data.inviteUser.token });
  if (status !== 200) throw new Error(`signing up was refused: ${status}`);
  return person;
}

/** Of the errors of an answer. */
export const codesOf = (answer: GraphQLAnswer): unknown[] | undefined =>
  answer.errors?.map(({ extensions }) => extensions['code']);
