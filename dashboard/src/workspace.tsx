/** Where one is: the person, the workspace, the environment, and what the role allows there. */
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from 'react';
import { Provider } from 'urql';
import { type AccountState, type Membership, type Person, readAccount } from './account.ts';
import { clientFor, type Environment } from './client.ts';
import { Failure, Loading } from './parts/states.tsx';

interface Account {
  readonly state: AccountState;
  readonly reload: () => Promise<void>;
}

const AccountContext = createContext<Account | undefined>(undefined);

export function AccountProvider({ children }: { children: ReactNode }) {
  const [state, setState] = useState<AccountState>();
  const [error, setError] = useState<Error>();
  const reload = useCallback(async () => {
    try {
      setState(await readAccount());
      setError(undefined);
    } catch (cause) {
      setError(cause as Error);
    }
  }, []);
  useEffect(() => void reload(), [reload]);
  const account = useMemo(() => state && { state, reload }, [state, reload]);
  if (account) return <AccountContext value={account}>{children}</AccountContext>;
  return error ? (
    <Failure title="The server cannot be reached" error={error} onRetry={() => void reload()} />
  ) : (
    <Loading />
  );
}

export function useAccount(): Account {
  const account = useContext(AccountContext);
  if (!account) throw new Error('outside of AccountProvider');
  return account;
}

interface Place {
  readonly person: Person;
  readonly workspace: Membership;
  readonly environment: Environment;
  readonly setEnvironment: (environment: Environment) => void;
  readonly setWorkspace: (id: string) => void;
  /** Whether the role has a scope; what it has not, the server refuses too. */
  readonly may: (scope: string) => boolean;
}

const PlaceContext = createContext<Place | undefined>(undefined);

/** The same table as the server's (src/scopes/roles.ts); it decides what is shown, and nothing else. */
const GRANTS: Readonly<Record<Membership['role'], readonly string[]>> = {
  OWNER: ['*'],
  ADMIN: ['*'],
  MANAGER: ['tasks:', 'projects:', 'users:read', 'users:write', 'keys:read', 'webhooks:', 'audit:read'],
  MEMBER: ['tasks:', 'projects:read', 'users:read'],
  VIEWER: ['tasks:read', 'projects:read', 'users:read'],
};

const WORKSPACE = 'taskgate:workspace';
const ENVIRONMENT = 'taskgate:environment';

export function PlaceProvider({ person, children }: { person: Person; children: ReactNode }) {
  const { state, reload } = useAccount();
  const [workspaceId, setWorkspaceId] = useState(() => localStorage.getItem(WORKSPACE));
  const [environment, setEnvironment] = useState<Environment>(() =>
    localStorage.getItem(ENVIRONMENT) === 'test' ? 'test' : 'live',
  );
  const workspace = state.workspaces.find(({ id }) => id === workspaceId) ?? state.workspaces[0];
  const place = useMemo<Place | undefined>(() => {
    if (!workspace) return undefined;
    const grants = GRANTS[workspace.role];
    return {
      ...{ person, workspace, environment },
      setEnvironment(next) {
        localStorage.setItem(ENVIRONMENT, next);
        setEnvironment(next);
      },
      setWorkspace(id) {
        localStorage.setItem(WORKSPACE, id);
        setWorkspaceId(id);
      },
      may: (scope) =>
        grants.some((grant) => grant === '*' || scope === grant || (grant.endsWith(':') && scope.startsWith(grant))),
    };
  }, [person, workspace, environment]);
  const id = workspace?.id;
  useEffect(() => {
    // For the playground, which is a page of its own.
    if (id !== undefined) localStorage.setItem(WORKSPACE, id);
    localStorage.setItem(ENVIRONMENT, environment);
  }, [id, environment]);
  const client = useMemo(
    () => (id === undefined ? undefined : clientFor(id, environment, () => void reload())),
    [id, environment, reload],
  );
  if (!place || !client) return null;
  return (
    <PlaceContext value={place}>
      <Provider value={client}>{children}</Provider>
    </PlaceContext>
  );
}

export function usePlace(): Place {
  const place = useContext(PlaceContext);
  if (!place) throw new Error('outside of PlaceProvider');
  return place;
}
