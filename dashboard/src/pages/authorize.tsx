/** An application asks to act as the person: what for is shown in words, and nothing is given but what is chosen here. */
import { Alert, Button, Checkbox, Group, MultiSelect, Stack, Text, Title } from '@mantine/core';
import { useCallback, useEffect, useState } from 'react';
import { Navigate, useLocation } from 'react-router';
import { type AccountError, type Authorization, allowApp, denyApp, readAuthorization, signOut } from '../account.ts';
import { clientFor } from '../client.ts';
import { graphql } from '../graphql.ts';
import { Failure, Loading } from '../parts/states.tsx';
import { useAccount } from '../workspace.tsx';

const PROJECTS = graphql(`
  query AuthorizeProjects { projects(first: 200, orderBy: [{ field: NAME }]) { nodes { id name } } }
`);

export default function AuthorizePage() {
  const { state } = useAccount();
  const { pathname, search } = useLocation();
  useEffect(() => {
    document.title = 'Authorize an application · Taskgate';
  }, []);
  if (!state.person) return <Navigate to={`/sign-in?next=${encodeURIComponent(pathname + search)}`} replace />;
  return <Asked request={search.slice(1)} email={state.person.email} />;
}

function Asked({ request, email }: { request: string; email: string }) {
  const { reload } = useAccount();
  const [asked, setAsked] = useState<Authorization>();
  const [error, setError] = useState<Error>();
  const load = useCallback(() => {
    setError(undefined);
    readAuthorization(request).then((read) => {
      // What is wrong with the request, the application is told.
      if (read.redirectTo) window.location.replace(read.redirectTo);
      else setAsked(read);
    }, setError);
  }, [request]);
  useEffect(load, [load]);
  const isOffline = (error as AccountError | undefined)?.code === 'OFFLINE';
  return (
    <Stack>
      {error && (
        <Failure title="The application cannot be let in" error={error} {...(isOffline && { onRetry: load })} />
      )}
      {!asked && !error && <Loading what="Looking the application up" />}
      {asked && <Decision asked={asked} request={request} />}
      <Text size="sm" c="dimmed">
        Signed in as {email}.{' '}
        <Button
          size="compact-sm"
          variant="transparent"
          px={0}
          td="underline"
          c="inherit"
          onClick={() => void signOut().then(reload)}
        >
          Sign in as somebody else
        </Button>
      </Text>
    </Stack>
  );
}

function Decision({ asked, request }: { asked: Authorization; request: string }) {
  const { app, workspace, environment, redirectUri } = asked;
  const held = asked.scopes.filter(({ isHeld }) => isHeld).map(({ name }) => name);
  const [scopes, setScopes] = useState<readonly string[]>(held);
  const [projects, setProjects] = useState<string[]>([]);
  const [running, setRunning] = useState<'allow' | 'deny'>();
  const [failure, setFailure] = useState<Error>();
  const known = useProjects(workspace.id, environment);
  const go = async (which: 'allow' | 'deny', send: () => Promise<{ redirectTo: string }>) => {
    setRunning(which);
    setFailure(undefined);
    try {
      window.location.assign((await send()).redirectTo);
    } catch (cause) {
      const { message, code, fields } = cause as AccountError;
      const words = Object.values(fields).flat().join('; ');
      setFailure(new Error(code === 'BAD_USER_INPUT' && words !== '' ? `The choice ${words}.` : message));
      setRunning(undefined);
    }
  };
  const allow = () => allowApp({ request, scopes, projects: projects.length > 0 ? projects : null });
  return (
    <>
      <Title order={1}>{app.name} wants to act as you</Title>
      <Text size="sm">
        In {workspace.name}
        {environment === 'TEST' && ', in its sandbox'}. It will be able to do what you choose here, and no more than
        your role allows, until you end it in your account.
      </Text>
      {app.description && (
        <Text size="sm" c="dimmed">
          {app.description}
        </Text>
      )}
      {held.length === 0 && (
        <Alert color="yellow" variant="outline" title="Your role has nothing of what it asks for">
          Ask an admin of the workspace.
        </Alert>
      )}
      <Checkbox.Group label="It asks to" value={[...scopes]} onChange={setScopes}>
        <Stack gap="xs" mt={6}>
          {asked.scopes.map(({ name, description, isHeld }) => (
            <Checkbox
              key={name}
              value={name}
              label={description}
              description={isHeld ? name : `${name}: your role does not have it`}
              disabled={!isHeld}
            />
          ))}
        </Stack>
      </Checkbox.Group>
      {known.length > 0 && (
        <MultiSelect
          label="Projects"
          description="It sees and changes these only. None chosen: all that you do."
          placeholder={projects.length === 0 ? 'All projects' : ''}
          data={known.map(({ id, name }) => ({ value: id, label: name }))}
          value={projects}
          onChange={setProjects}
          searchable
          clearable
          clearButtonProps={{ 'aria-label': 'Choose none' }}
        />
      )}
      {failure && <Failure title="It was not allowed" error={failure} />}
      <Group>
        <Button
          loading={running === 'allow'}
          disabled={scopes.length === 0 || running === 'deny'}
          onClick={() => void go('allow', allow)}
        >
          Allow
        </Button>
        <Button
          variant="default"
          loading={running === 'deny'}
          disabled={running === 'allow'}
          onClick={() => void go('deny', () => denyApp(request))}
        >
          Do not allow
        </Button>
      </Group>
      <Text size="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
        Either way you go on to {placeOf(redirectUri)}.
      </Text>
    </>
  );
}

/** Where the browser goes, as people know it: a host, or an application of this device. */
function placeOf(uri: string): string {
  const { protocol, host } = new URL(uri);
  return host === '' ? `the application of ${protocol}` : host;
}

/** Of a place that is not the one of the pages. */
function useProjects(workspaceId: string, environment: 'LIVE' | 'TEST') {
  const [known, setKnown] = useState<readonly { readonly id: string; readonly name: string }[]>([]);
  useEffect(() => {
    const client = clientFor(workspaceId, environment === 'TEST' ? 'test' : 'live', () => {});
    void client
      .query(PROJECTS, {})
      .toPromise()
      .then(({ data }) => setKnown(data?.projects?.nodes ?? []));
  }, [workspaceId, environment]);
  return known;
}
