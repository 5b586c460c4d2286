import { Anchor, Button, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useForm } from 'react-hook-form';
import { Link, Navigate } from 'react-router';
import { type AccountError, signUp } from '../account.ts';
import { showErrors } from '../parts/form.ts';
import { Refused } from '../parts/states.tsx';
import { useAccount } from '../workspace.tsx';

const WORDS = {
  first: 'You are the first here: this account owns the workspace.',
  adminKey:
    'You are the first here: this account owns the workspace. The admin key that the server printed when it first started proves that you are its operator.',
  open: 'You get a workspace of your own.',
  invitation:
    'Accounts are made by invitation here. Open the link that you were given, or ask somebody of the workspace for one.',
  closed: 'No accounts are made here. Ask the operator of this server.',
} as const;

export default function SignUpPage() {
  const { state } = useAccount();
  useEffect(() => {
    document.title = 'Sign up · Taskgate';
  }, []);
  if (state.person) return <Navigate to="/" replace />;
  const isShut = state.signUp === 'closed' || state.signUp === 'invitation';
  return (
    <Stack>
      <Title order={1}>Sign up</Title>
      <Text size="sm" c="dimmed">
        {WORDS[state.signUp]}
      </Text>
      {!isShut && <SignUpForm withKey={state.signUp === 'adminKey'} />}
      <Text size="sm">
        You have an account?{' '}
        <Anchor component={Link} to="/sign-in" underline="always">
          Sign in
        </Anchor>
      </Text>
    </Stack>
  );
}

/** @param email of the invitation, which is whose account it will be */
export function SignUpForm({
  withKey = false,
  email = '',
  invitation,
  onDone,
}: {
  withKey?: boolean;
  email?: string;
  invitation?: string;
  onDone?: () => void;
}) {
  const { reload } = useAccount();
  const [failure, setFailure] = useState<string>();
  const { register, handleSubmit, setError, formState } = useForm({
    defaultValues: { name: '', email, password: '', adminKey: '' },
  });
  const submit = handleSubmit(async ({ adminKey, ...values }) => {
    setFailure(undefined);
    try {
      await signUp({ ...values, invitation, ...(adminKey && { adminKey: adminKey.trim() }) });
      await reload();
      onDone?.();
    } catch (cause) {
      const { fields, message } = cause as AccountError;
      setFailure(showErrors(fields, ['name', 'email', 'password', 'adminKey'], setError, message));
    }
  });
  const { errors, isSubmitting } = formState;
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <Refused>{failure}</Refused>
        <TextInput label="Name" autoComplete="name" autoFocus error={errors.name?.message} {...register('name')} />
        <TextInput
          label="Email"
          type="email"
          autoComplete="username"
          readOnly={email !== ''}
          description={email === '' ? undefined : 'The address that was invited'}
          error={errors.email?.message}
          {...register('email')}
        />
        <PasswordInput
          label="Password"
          description="At least 10 characters; a few words are good"
          autoComplete="new-password"
          error={errors.password?.message}
          {...register('password')}
        />
        {withKey && (
          <PasswordInput
            label="Admin key"
            description="sk_live_..., with the scope admin:*"
            autoComplete="off"
            error={errors.adminKey?.message}
            {...register('adminKey')}
          />
        )}
        <Button type="submit" loading={isSubmitting}>
          Sign up
        </Button>
      </Stack>
    </form>
  );
}
