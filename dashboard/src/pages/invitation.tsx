import { Button, Stack, Text, Title } from '@mantine/core';
import { useEffect, useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { acceptInvitation, readInvitation, signOut } from '../account.ts';
import { Failure, Loading } from '../parts/states.tsx';
import { useAccount } from '../workspace.tsx';
import { SignUpForm } from './signUp.tsx';

/** The token stands behind the #, which no browser sends to a server and no server logs. */
export default function InvitationPage() {
  const { state, reload } = useAccount();
  const navigate = useNavigate();
  const [token] = useState(() => window.location.hash.slice(1));
  const [invitation, setInvitation] = useState<Awaited<ReturnType<typeof readInvitation>>>();
  const [error, setError] = useState<Error>();
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    document.title = 'Invitation · Taskgate';
    readInvitation(token).then(setInvitation, setError);
  }, [token]);
  const { person } = state;
  if (error) return <Failure title="The invitation is not valid" error={error} />;
  if (!invitation) return <Loading />;
  const accept = async () => {
    setBusy(true);
    try {
      await acceptInvitation(token);
      await reload();
      await navigate('/');
    } catch (cause) {
      setError(cause as Error);
    } finally {
      setBusy(false);
    }
  };
  const isTheirs = person?.email === invitation.email;
  return (
    <Stack>
      <Title order={1}>Join {invitation.workspace.name}</Title>
      <Text size="sm" c="dimmed">
        You were invited as {invitation.role.toLowerCase()}.
      </Text>
      {!person && <SignUpForm email={invitation.email} invitation={token} onDone={() => void navigate('/')} />}
      {!person && (
        <Text size="sm">
          You have an account already? <Link to="/sign-in">Sign in</Link>, and open the link again.
        </Text>
      )}
      {person && isTheirs && (
        <Button loading={isBusy} onClick={() => void accept()}>
          Join
        </Button>
      )}
      {person && !isTheirs && (
        <>
          <Text size="sm">
            The invitation is for {invitation.email}, and you are signed in as {person.email}.
          </Text>
          <Button variant="default" onClick={() => void signOut().then(reload)}>
            Sign out
          </Button>
        </>
      )}
    </Stack>
  );
}
