import { Anchor, Button, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useForm } from 'react-hook-form';
import { Link, Navigate, useSearchParams } from 'react-router';
import { type AccountError, signIn, signInByPasskey } from '../account.ts';
import { showErrors } from '../parts/form.ts';
import { Refused } from '../parts/states.tsx';
import { useAccount } from '../workspace.tsx';

/** An address of this server alone. */
function nextPage(search: URLSearchParams): string {
  const next = search.get('next') ?? '/';
  // No other host, and nothing that a browser would leave out of it.
  return /^\/(?![/\\])[\x21-\x7e]*$/.test(next) ? next : '/';
}

export default function SignInPage() {
  const { state, reload } = useAccount();
  const [search] = useSearchParams();
  const [failure, setFailure] = useState<string>();
  const [isAsking, setAsking] = useState(false);
  const { register, handleSubmit, setError, setFocus, formState } = useForm({
    defaultValues: { email: '', password: '' },
  });
  useEffect(() => {
    document.title = 'Sign in · Taskgate';
  }, []);
  if (state.person) return <Navigate to={nextPage(search)} replace />;
  const submit = handleSubmit(async (values) => {
    setFailure(undefined);
    try {
      await signIn(values);
      await reload();
    } catch (cause) {
      const { fields, message } = cause as AccountError;
      const rest = showErrors(fields, ['email', 'password'], setError, message);
      setFailure(rest);
      if (rest) setFocus('password');
    }
  });
  const byPasskey = async () => {
    setFailure(undefined);
    setAsking(true);
    try {
      await signInByPasskey();
      await reload();
    } catch (cause) {
      const { name, message } = cause as Error;
      setFailure(name === 'NotAllowedError' ? 'No passkey was used. Try again, or sign in by the password.' : message);
    } finally {
      setAsking(false);
    }
  };
  const { errors, isSubmitting } = formState;
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <Title order={1}>Sign in</Title>
        <Refused>{failure}</Refused>
        <TextInput
          label="Email"
          type="email"
          autoComplete="username"
          autoFocus
          error={errors.email?.message}
          {...register('email')}
        />
        <PasswordInput
          label="Password"
          autoComplete="current-password"
          error={errors.password?.message}
          {...register('password')}
        />
        <Button type="submit" loading={isSubmitting}>
          Sign in
        </Button>
        {state.passkeys && (
          <Button variant="default" loading={isAsking} onClick={() => void byPasskey()}>
            Use a passkey
          </Button>
        )}
        {state.signUp !== 'closed' && state.signUp !== 'invitation' ? (
          <Text size="sm">
            No account yet?{' '}
            <Anchor component={Link} to="/sign-up" underline="always">
              Sign up
            </Anchor>
          </Text>
        ) : (
          <Text size="sm" c="dimmed">
            No account yet? Ask somebody of the workspace for an invitation.
          </Text>
        )}
      </Stack>
    </form>
  );
}
